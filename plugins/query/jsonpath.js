// JSONPath (RFC 9535): `$.store.book[?@.price < 10].title`. All of it but the functions `match` and
// `search`, whose patterns could keep a plugin busy for ever.

/** How deep filters may lie within each other. */
const MAX_DEPTH = 50;
/** How much of a path an error quotes, in characters. */
const MAX_QUOTE = 200;
/** How many values one step may find. */
const MAX_NODES = 1_000_000;

/** Compiles a path to a function from a JSON value to the list of values that were found. */
export function compilePath(text) {
  const parser = new Parser(text);
  const segments = parser.path('$');
  if (parser.at < text.length) parser.fail('the path goes on with something else');
  return (root) => run(segments, [root], root);
}

function run(segments, start, root) {
  let nodes = start;
  for (const { selectors, isDescendant } of segments) {
    const from = isDescendant ? nodes.flatMap(descendants) : nodes;
    const next = [];
    for (const node of from) {
      for (const selector of selectors) {
        for (const found of selector(node, root)) next.push(found);
        if (next.length > MAX_NODES) throw new Error(`path: more than ${MAX_NODES} values are found on the way`);
      }
    }
    nodes = next;
  }
  return nodes;
}

function descendants(node) {
  const all = [];
  const open = [node];
  while (open.length > 0) {
    const one = open.pop();
    all.push(one);
    // Children come after their parent, the first one first.
    for (const child of children(one).reverse()) open.push(child);
  }
  return all;
}

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
const children = (value) => (Array.isArray(value) ? [...value] : isObject(value) ? Object.values(value) : []);
/** No value at all, as opposed to null. */
const NOTHING = Symbol('nothing');

class Parser {
  #depth = 0;

  constructor(text) {
    Object.assign(this, { text, at: 0 });
  }

  fail(why) {
    throw new Error(`path: ${why} (at character ${this.at + 1} of ${JSON.stringify(this.text.slice(0, MAX_QUOTE))})`);
  }

  space() {
    while (/[ \t\n\r]/.test(this.text[this.at] ?? '')) this.at += 1;
  }

  take(sign) {
    const is = this.text.startsWith(sign, this.at);
    if (is) this.at += sign.length;
    return is;
  }

  expect(sign) {
    this.space();
    if (!this.take(sign)) this.fail(`${sign} is expected`);
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match) this.at = pattern.lastIndex;
    return match?.[0];
  }

  path(start) {
    if (!this.take(start)) this.fail(`a path begins with ${start}`);
    const segments = [];
    for (;;) {
      const before = this.at;
      this.space();
      if (this.take('..')) segments.push({ isDescendant: true, selectors: this.text[this.at] === '[' ? this.brackets() : [this.shorthand()] });
      else if (this.take('.')) segments.push({ selectors: [this.shorthand()] });
      else if (this.text[this.at] === '[') segments.push({ selectors: this.brackets() });
      else {
        this.at = before;
        return segments;
      }
      const { selectors } = segments.at(-1);
      segments.at(-1).isSingular = !segments.at(-1).isDescendant && selectors.length === 1 && selectors[0].isSingular === true;
    }
  }

  shorthand() {
    if (this.take('*')) return children;
    const name = this.match(/[\p{L}_\u{80}-\u{10ffff}][\p{L}\p{N}_\u{80}-\u{10ffff}]*/uy);
    if (name === undefined) this.fail('a name or * is expected');
    return member(name);
  }

  brackets() {
    this.expect('[');
    const selectors = [];
    do {
      this.space();
      selectors.push(this.selector());
      this.space();
    } while (this.take(','));
    this.expect(']');
    return selectors;
  }

  selector() {
    const sign = this.text[this.at];
    if (sign === '"' || sign === "'") return member(this.string());
    if (this.take('*')) return children;
    if (this.take('?')) return this.filter();
    const start = this.integer();
    this.space();
    if (!this.take(':')) {
      if (start === undefined) this.fail('a name in quotation marks, a number, *, ? or a slice is expected');
      return element(start);
    }
    this.space();
    const end = this.integer();
    this.space();
    let step = 1;
    if (this.take(':')) {
      this.space();
      step = this.integer() ?? 1;
    }
    return slice(start, end, step);
  }

  integer() {
    const text = this.match(/-?(?:0|[1-9]\d*)/y);
    if (text === undefined) return undefined;
    const number = Number(text);
    if (!Number.isSafeInteger(number) || text === '-0') this.fail('this number cannot be used');
    return number;
  }

  string() {
    const quote = this.text[this.at];
    const start = this.at;
    this.at += 1;
    let value = '';
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined || c < ' ') {
        this.at = start;
        this.fail('the quotation mark is not closed');
      }
      this.at += 1;
      if (c === quote) return value;
      if (c !== '\\') {
        value += c;
        continue;
      }
      const escape = this.text[this.at];
      this.at += 1;
      const simple = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', '/': '/', '\\': '\\', [quote]: quote };
      if (escape === 'u') {
        const digits = this.match(/[0-9a-fA-F]{4}/y);
        if (digits === undefined) this.fail('four hexadecimal digits are expected');
        value += String.fromCharCode(parseInt(digits, 16));
      } else if (Object.hasOwn(simple, escape ?? '')) value += simple[escape];
      else this.fail(`\\${escape} is no escape`);
    }
  }

  filter() {
    const test = this.or();
    return (node, root) => children(node).filter((child) => test(child, root));
  }

  or() {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) this.fail('this is too deep');
    const tests = [this.and()];
    for (this.space(); this.take('||'); this.space()) tests.push(this.and());
    this.#depth -= 1;
    return (node, root) => tests.some((test) => test(node, root));
  }

  and() {
    const tests = [this.test()];
    for (this.space(); this.take('&&'); this.space()) tests.push(this.test());
    return (node, root) => tests.every((test) => test(node, root));
  }

  test() {
    this.space();
    if (this.text[this.at] === '!' && this.text[this.at + 1] !== '=') {
      this.at += 1;
      this.space();
      const inner = this.text[this.at] === '(' ? this.parenthesis() : this.exists(this.comparable());
      return (node, root) => !inner(node, root);
    }
    if (this.text[this.at] === '(') return this.parenthesis();
    const left = this.comparable();
    this.space();
    const sign = ['==', '!=', '<=', '>=', '<', '>'].find((one) => this.take(one));
    if (!sign) return this.exists(left);
    this.space();
    const right = this.comparable();
    for (const side of [left, right]) {
      if (side.nodes && !side.isSingular) this.fail('only a path to one value can be compared');
    }
    const value = (side) => (side.nodes ? (node, root) => single(side.nodes(node, root)) : side.value);
    const [a, b] = [value(left), value(right)];
    return (node, root) => COMPARISONS[sign](a(node, root), b(node, root));
  }

  parenthesis() {
    this.expect('(');
    const inner = this.or();
    this.expect(')');
    return inner;
  }

  exists(side) {
    if (!side.nodes) this.fail('a comparison is expected');
    return (node, root) => side.nodes(node, root).length > 0;
  }

  /** A literal, a path, or a function. */
  comparable() {
    const sign = this.text[this.at];
    if (sign === '@' || sign === '$') return this.query();
    if (sign === '"' || sign === "'") {
      const text = this.string();
      return { value: () => text };
    }
    const number = this.match(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
    if (number !== undefined) return { value: () => Number(number) };
    const word = this.match(/[a-z][a-z0-9_]*/y);
    const literals = { true: true, false: false, null: null };
    if (word !== undefined && Object.hasOwn(literals, word)) return { value: () => literals[word] };
    if (word !== undefined && this.take('(')) return this.call(word);
    return this.fail('a path, a number, a text or a function is expected');
  }

  query() {
    const sign = this.text[this.at];
    const segments = this.path(sign);
    return {
      nodes: (node, root) => run(segments, [sign === '@' ? node : root], root),
      isSingular: segments.every((segment) => segment.isSingular),
    };
  }

  call(name) {
    if (!['length', 'count', 'value'].includes(name)) this.fail(`there is no function ${name}, only length, count and value`);
    this.space();
    const side = this.comparable();
    this.expect(')');
    if (name === 'count' || name === 'value') {
      if (!side.nodes) this.fail(`${name} takes a path`);
      if (name === 'count') return { value: (node, root) => side.nodes(node, root).length };
      return { value: (node, root) => single(side.nodes(node, root)) };
    }
    if (side.nodes && !side.isSingular) this.fail('length takes a path to one value');
    const value = side.nodes ? (node, root) => single(side.nodes(node, root)) : side.value;
    return { value: (node, root) => lengthOf(value(node, root)) };
  }
}

const single = (nodes) => (nodes.length === 1 ? nodes[0] : NOTHING);

function lengthOf(value) {
  if (typeof value === 'string') return [...value].length;
  if (Array.isArray(value)) return value.length;
  return isObject(value) ? Object.keys(value).length : NOTHING;
}

function member(name) {
  const selector = (node) => (isObject(node) && Object.hasOwn(node, name) ? [node[name]] : []);
  selector.isSingular = true;
  return selector;
}

function element(index) {
  const selector = (node) => {
    const at = Array.isArray(node) && index < 0 ? node.length + index : index;
    return Array.isArray(node) && at >= 0 && at < node.length ? [node[at]] : [];
  };
  selector.isSingular = true;
  return selector;
}

function slice(start, end, step) {
  return (node) => {
    if (!Array.isArray(node) || step === 0) return [];
    const { length } = node;
    const bound = (at, low, high) => Math.min(Math.max(at < 0 ? length + at : at, low), high);
    const found = [];
    if (step > 0) {
      const last = bound(end ?? length, 0, length);
      for (let at = bound(start ?? 0, 0, length); at < last; at += step) found.push(node[at]);
    } else {
      const last = end === undefined ? -1 : bound(end, -1, length - 1);
      for (let at = bound(start ?? length - 1, -1, length - 1); at > last; at += step) found.push(node[at]);
    }
    return found;
  };
}

const COMPARISONS = {
  '==': equal,
  '!=': (a, b) => !equal(a, b),
  '<': less,
  '<=': (a, b) => less(a, b) || equal(a, b),
  '>': (a, b) => less(b, a),
  '>=': (a, b) => less(b, a) || equal(a, b),
};

function less(a, b) {
  return typeof a === typeof b && (typeof a === 'number' || typeof a === 'string') && a < b;
}

function equal(a, b) {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((one, index) => equal(one, b[index]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}
