// Expressions such as `price * 2 > 10 and city in ('Bonn', 'Ulm')`, with the meaning they have in SQL.
// They are compiled to closures over a row; nothing of JavaScript can be reached from within.

const KEYWORDS = ['and', 'or', 'not', 'in', 'like', 'between', 'is', 'null', 'true', 'false', 'distinct', 'as', 'asc', 'desc', 'case', 'when', 'then', 'else', 'end'];
const TOKEN = /\s*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|'((?:[^']|'')*)'|"((?:[^"]|"")*)"|([\p{L}_][\p{L}\p{N}_.]*)|(\|\||<>|!=|<=|>=|[-+*\/%()=<>,]))/uy;
/** How deep expressions may lie within each other. */
const MAX_DEPTH = 50;
/** How much of an expression an error quotes, in characters. */
const MAX_QUOTE = 200;

/** Functions of one row. Where something is null, so is the result, except for `coalesce`. */
const FUNCTIONS = {
  abs: [1, 1, (x) => Math.abs(num(x))],
  ceil: [1, 1, (x) => Math.ceil(num(x))],
  floor: [1, 1, (x) => Math.floor(num(x))],
  round: [1, 2, (x, digits = 0) => round(num(x), num(digits))],
  sqrt: [1, 1, (x) => (num(x) < 0 ? null : Math.sqrt(num(x)))],
  number: [1, 1, (x) => num(x)],
  text: [1, 1, (x) => str(x)],
  lower: [1, 1, (x) => str(x).toLowerCase()],
  upper: [1, 1, (x) => str(x).toUpperCase()],
  trim: [1, 1, (x) => str(x).trim()],
  length: [1, 1, (x) => (Array.isArray(x) ? x.length : [...str(x)].length)],
  substr: [2, 3, (x, start, length = Infinity) => [...str(x)].slice(Math.max(num(start) - 1, 0), Math.max(num(start) - 1, 0) + num(length)).join('')],
  replace: [3, 3, (x, from, to) => str(x).split(str(from)).join(str(to))],
  contains: [2, 2, (x, part) => (Array.isArray(x) ? x.some((one) => compare(one, part) === 0) : str(x).toLowerCase().includes(str(part).toLowerCase()))],
  starts_with: [2, 2, (x, part) => str(x).startsWith(str(part))],
  ends_with: [2, 2, (x, part) => str(x).endsWith(str(part))],
  coalesce: [1, 20, (...all) => all.find((one) => one !== null) ?? null],
};

/** Functions of all rows of a group; they are given what is not null. */
const AGGREGATES = {
  count: (values) => values.length,
  sum: (values) => (values.length ? sum(values) : null),
  avg: (values) => (values.length ? sum(values) / values.length : null),
  min: (values) => (values.length ? values.reduce((a, b) => (order(b, a) < 0 ? b : a)) : null),
  max: (values) => (values.length ? values.reduce((a, b) => (order(b, a) > 0 ? b : a)) : null),
  median: (values) => {
    const sorted = values.map(num).filter((one) => one !== null).sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    if (sorted.length === 0) return null;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  },
  stddev: (values) => {
    const numbers = values.map(num).filter((one) => one !== null);
    if (numbers.length < 2) return null;
    const mean = sum(numbers) / numbers.length;
    return Math.sqrt(sum(numbers.map((one) => (one - mean) ** 2)) / (numbers.length - 1));
  },
};

export const FUNCTION_NAMES = Object.keys(FUNCTIONS).join(', ');
export const AGGREGATE_NAMES = Object.keys(AGGREGATES).join(', ');

/**
 * Compiles `text`, which came as the argument `field`. `column(name)` says how to get a column from a
 * row, or throws. The result has `value(row, group)`, `isAggregate` and, as asked for, `alias`
 * (`… as name`) and `descending` (`… desc`).
 */
export function compile(text, field, column, { hasAlias = false, hasOrder = false } = {}) {
  const parser = new Parser(text, field, column);
  const value = parser.or();
  const result = { text: text.trim(), value, isAggregate: parser.hasAggregate, hasBareColumn: parser.hasBareColumn };
  if (hasAlias && parser.takeWord('as')) result.alias = parser.name();
  if (hasOrder) result.descending = parser.takeWord('desc') || (parser.takeWord('asc') && false);
  if (parser.token) parser.fail(`${parser.token.text} is not expected here`);
  return result;
}

class Parser {
  hasAggregate = false;
  hasBareColumn = false;
  #inAggregate = false;
  #depth = 0;

  constructor(text, field, column) {
    Object.assign(this, { text, field, column, at: 0 });
    this.next();
  }

  fail(why) {
    throw new Error(`${this.field}: ${why} (at character ${(this.token?.at ?? this.text.length) + 1} of ${JSON.stringify(this.text.slice(0, MAX_QUOTE))})`);
  }

  next() {
    TOKEN.lastIndex = this.at;
    const match = TOKEN.exec(this.text);
    if (!match) {
      const rest = this.text.slice(this.at).trimStart();
      this.token = undefined;
      if (rest) {
        this.token = { at: this.text.length - rest.length, text: rest };
        this.fail(`${JSON.stringify(rest[0])} is not understood`);
      }
      return;
    }
    this.at = TOKEN.lastIndex;
    const [whole, number, string, quoted, word, sign] = match;
    const at = match.index + whole.length - whole.trimStart().length;
    const text = whole.trim();
    if (number !== undefined) this.token = { at, text, kind: 'number', value: Number(number) };
    else if (string !== undefined) this.token = { at, text, kind: 'string', value: string.replaceAll("''", "'") };
    else if (quoted !== undefined) this.token = { at, text, kind: 'name', value: quoted.replaceAll('""', '"') };
    else if (word !== undefined) {
      const isKeyword = KEYWORDS.includes(word.toLowerCase());
      this.token = { at, text, kind: isKeyword ? 'keyword' : 'name', value: isKeyword ? word.toLowerCase() : word, isWord: true };
    } else this.token = { at, text, kind: 'sign', value: sign };
  }

  is(kind, value) {
    return this.token?.kind === kind && this.token.value === value;
  }

  take(kind, value) {
    const is = this.is(kind, value);
    if (is) this.next();
    return is;
  }

  takeWord(value) {
    return this.take('keyword', value);
  }

  expect(kind, value) {
    if (!this.take(kind, value)) this.fail(`${value} is expected`);
  }

  name() {
    if (this.token?.kind !== 'name') this.fail('a name is expected');
    const { value } = this.token;
    this.next();
    return value;
  }

  /** Everything that can contain itself passes here. */
  deeper(parse) {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) this.fail('this is too deep');
    const result = parse();
    this.#depth -= 1;
    return result;
  }

  or() {
    return this.deeper(() => {
      let left = this.and();
      while (this.takeWord('or')) {
        const [a, b] = [left, this.and()];
        left = (row, group) => either(truth(a(row, group)), () => truth(b(row, group)));
      }
      return left;
    });
  }

  and() {
    let left = this.not();
    while (this.takeWord('and')) {
      const [a, b] = [left, this.not()];
      left = (row, group) => both(truth(a(row, group)), () => truth(b(row, group)));
    }
    return left;
  }

  not() {
    if (!this.takeWord('not')) return this.comparison();
    const inner = this.deeper(() => this.not());
    return (row, group) => negate(truth(inner(row, group)));
  }

  comparison() {
    const left = this.sum();
    const isNot = this.takeWord('not');
    const test = this.test(left, isNot);
    if (!test) {
      if (isNot) this.fail('in, like or between is expected after not');
      return left;
    }
    return isNot ? (row, group) => negate(test(row, group)) : test;
  }

  test(left, isNot) {
    if (this.takeWord('in')) {
      this.expect('sign', '(');
      const options = [];
      do options.push(this.or()); while (this.take('sign', ','));
      this.expect('sign', ')');
      return (row, group) => {
        const value = left(row, group);
        return options.reduce((found, option) => either(found, () => equal(value, option(row, group))), false);
      };
    }
    if (this.takeWord('like')) {
      const pattern = this.sum();
      return (row, group) => nullable([left(row, group), pattern(row, group)], (value, like) => matchesLike(str(value), str(like)));
    }
    if (this.takeWord('between')) {
      const low = this.sum();
      this.expect('keyword', 'and');
      const high = this.sum();
      return (row, group) => {
        const value = left(row, group);
        return both(less(low(row, group), value, true), () => less(value, high(row, group), true));
      };
    }
    if (isNot) return undefined;
    if (this.takeWord('is')) {
      const isNotNull = this.takeWord('not');
      this.expect('keyword', 'null');
      return (row, group) => (left(row, group) === null) !== isNotNull;
    }
    const sign = this.token?.kind === 'sign' ? this.token.value : undefined;
    const operators = {
      '=': equal,
      '<>': (a, b) => negate(equal(a, b)),
      '!=': (a, b) => negate(equal(a, b)),
      '<': (a, b) => less(a, b, false),
      '<=': (a, b) => less(a, b, true),
      '>': (a, b) => less(b, a, false),
      '>=': (a, b) => less(b, a, true),
    };
    if (!Object.hasOwn(operators, sign ?? '')) return undefined;
    this.next();
    const right = this.sum();
    return (row, group) => operators[sign](left(row, group), right(row, group));
  }

  sum() {
    let left = this.product();
    for (;;) {
      const sign = ['+', '-', '||'].find((one) => this.take('sign', one));
      if (!sign) return left;
      const [a, b] = [left, this.product()];
      const operate = { '+': (x, y) => num(x) + num(y), '-': (x, y) => num(x) - num(y), '||': (x, y) => str(x) + str(y) }[sign];
      left = (row, group) => nullable([a(row, group), b(row, group)], sign === '||' ? operate : numeric(operate));
    }
  }

  product() {
    let left = this.unary();
    for (;;) {
      const sign = ['*', '/', '%'].find((one) => this.take('sign', one));
      if (!sign) return left;
      const [a, b] = [left, this.unary()];
      const operate = { '*': (x, y) => x * y, '/': (x, y) => x / y, '%': (x, y) => x % y }[sign];
      left = (row, group) => nullable([a(row, group), b(row, group)], numeric(operate));
    }
  }

  unary() {
    if (this.take('sign', '+')) return this.deeper(() => this.unary());
    if (!this.take('sign', '-')) return this.primary();
    const inner = this.deeper(() => this.unary());
    return (row, group) => nullable([inner(row, group)], numeric((x) => -x));
  }

  primary() {
    const { token } = this;
    if (!token) this.fail('something is missing');
    if (token.kind === 'number' || token.kind === 'string') {
      this.next();
      return () => token.value;
    }
    if (this.take('sign', '(')) {
      const inner = this.or();
      this.expect('sign', ')');
      return inner;
    }
    for (const [word, value] of [['null', null], ['true', true], ['false', false]]) {
      if (this.takeWord(word)) return () => value;
    }
    if (this.takeWord('case')) return this.cases();
    if (token.kind !== 'name') this.fail(`${token.text} is not expected here`);
    this.next();
    if (token.isWord && this.take('sign', '(')) return this.call(token);
    if (!this.#inAggregate) this.hasBareColumn = true;
    try {
      return this.column(token.value);
    } catch (error) {
      this.token = token;
      return this.fail(error.message);
    }
  }

  cases() {
    const branches = [];
    while (this.takeWord('when')) {
      const condition = this.or();
      this.expect('keyword', 'then');
      branches.push([condition, this.or()]);
    }
    if (branches.length === 0) this.fail('when is expected');
    const otherwise = this.takeWord('else') ? this.or() : () => null;
    this.expect('keyword', 'end');
    return (row, group) => {
      const branch = branches.find(([condition]) => truth(condition(row, group)) === true);
      return (branch ? branch[1] : otherwise)(row, group);
    };
  }

  call(token) {
    const name = token.value.toLowerCase();
    if (Object.hasOwn(AGGREGATES, name)) return this.aggregate(name, token);
    if (!Object.hasOwn(FUNCTIONS, name)) {
      this.token = token;
      this.fail(`there is no function ${token.value}, only ${FUNCTION_NAMES} and, over groups, ${AGGREGATE_NAMES}`);
    }
    const [least, most, run] = FUNCTIONS[name];
    const args = [];
    if (!this.is('sign', ')')) do args.push(this.or()); while (this.take('sign', ','));
    this.expect('sign', ')');
    if (args.length < least || args.length > most) {
      this.token = token;
      this.fail(`${name} takes ${least === most ? least : `${least} to ${most}`} values`);
    }
    return (row, group) => {
      const values = args.map((arg) => arg(row, group));
      return name === 'coalesce' ? run(...values) : nullable(values, run);
    };
  }

  aggregate(name, token) {
    if (this.#inAggregate) {
      this.token = token;
      this.fail(`${name} cannot lie within another function over groups`);
    }
    this.hasAggregate = true;
    if (name === 'count' && this.take('sign', '*')) {
      this.expect('sign', ')');
      return (_, group) => group.length;
    }
    this.#inAggregate = true;
    const isDistinct = this.takeWord('distinct');
    const inner = this.or();
    this.#inAggregate = false;
    this.expect('sign', ')');
    return (_, group) => {
      let values = group.map((row) => inner(row, group)).filter((value) => value !== null);
      if (isDistinct) values = [...new Map(values.map((value) => [key(value), value])).values()];
      return AGGREGATES[name](values);
    };
  }
}

/** What tells values apart: 1 is not '1'. */
export const key = (value) => JSON.stringify(value);

/** Orders any two values: nothing first, then truth values, numbers, texts, everything else. */
export function order(a, b) {
  const rank = (value) => (value === null ? 0 : { boolean: 1, number: 2, string: 3 }[typeof value] ?? 4);
  const [x, y] = rank(a) === 4 && rank(b) === 4 ? [key(a), key(b)] : [a, b];
  return rank(a) - rank(b) || (x < y ? -1 : x > y ? 1 : 0);
}

/** Orders two values of a kind; what is of two kinds cannot be compared, unless a text is a number. */
function compare(a, b) {
  if (typeof a === typeof b) return order(a, b);
  if (typeof a === 'number' && typeof b === 'string') return isNumber(b) ? order(a, Number(b)) : undefined;
  if (typeof a === 'string' && typeof b === 'number') return isNumber(a) ? order(Number(a), b) : undefined;
  return undefined;
}

const isNumber = (text) => text.trim() !== '' && Number.isFinite(Number(text));

// SQL knows three truth values; null is the one that is not known.
const equal = (a, b) => (a === null || b === null ? null : compare(a, b) === 0);
const less = (a, b, orEqual) => {
  if (a === null || b === null) return null;
  const order = compare(a, b);
  return order === undefined ? null : order < 0 || (orEqual && order === 0);
};
const truth = (value) => (value === null ? null : typeof value === 'boolean' ? value : typeof value === 'number' ? value !== 0 : value !== '');
const negate = (value) => (value === null ? null : !value);
const both = (a, b) => {
  if (a === false) return false;
  const other = b();
  return other === false ? false : a === null || other === null ? null : true;
};
const either = (a, b) => {
  if (a === true) return true;
  const other = b();
  return other === true ? true : a === null || other === null ? null : false;
};

const nullable = (values, run) => {
  if (values.includes(null)) return null;
  const result = run(...values);
  return typeof result === 'number' && !Number.isFinite(result) ? null : result;
};
const numeric = (operate) => (...values) => {
  const numbers = values.map(num);
  return numbers.includes(null) ? null : operate(...numbers);
};

function num(value) {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'string' && isNumber(value) ? Number(value) : null;
}

const str = (value) => (typeof value === 'string' ? value : typeof value === 'object' ? JSON.stringify(value) : String(value));

/** Adds without losing what is small beside what is large (Neumaier). */
function sum(values) {
  let total = 0;
  let lost = 0;
  for (const value of values) {
    const number = num(value);
    if (number === null) continue;
    const next = total + number;
    lost += Math.abs(total) >= Math.abs(number) ? total - next + number : number - next + total;
    total = next;
  }
  return total + lost;
}

/** Rounds to so many decimal places, as it is written: 1.005 has three, and becomes 1.01. */
function round(number, digits) {
  if (number === null || digits === null) return null;
  const places = Math.min(Math.max(Math.trunc(digits), -15), 15);
  const [mantissa, exponent = '0'] = String(Math.abs(number)).split('e');
  const shifted = Math.round(Number(`${mantissa}e${Number(exponent) + places}`));
  return Math.sign(number) * Number(`${shifted}e${-places}`);
}

/** `%` stands for any text, `_` for one character; letters match whatever their case. */
function matchesLike(text, pattern) {
  const [t, p] = [[...text.toLowerCase()], [...pattern.toLowerCase()]];
  let [i, j, star, mark] = [0, 0, -1, 0];
  while (i < t.length) {
    if (j < p.length && p[j] === '%') [star, mark, j] = [j, i, j + 1];
    else if (j < p.length && (p[j] === '_' || p[j] === t[i])) [i, j] = [i + 1, j + 1];
    else if (star >= 0) [j, mark, i] = [star + 1, mark + 1, mark + 1];
    else return false;
  }
  while (p[j] === '%') j += 1;
  return j === p.length;
}
