// Reads and writes JSON and keeps what `JSON.parse` loses: digits of numbers that a double cannot hold,
// members called `__proto__`, and where exactly a fault is. What a person typed is what the tool gets.

/** Levels of nesting that the hub takes (`limits.json_depth`); deeper texts are refused here already. */
const DEPTH_MAX = 128;

/** A number that a double cannot hold, kept as it was written. */
export class Numeral {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }
}

/** Why a text is no JSON, and where. */
export class Fault extends Error {
  constructor(text, at, reason) {
    super(reason);
    const before = text.slice(0, at).split("\n");
    this.line = before.length;
    this.column = before.at(-1).length + 1;
  }

  /** "Line 3, column 7: a comma or } is missing". */
  get sentence() {
    return `Line ${this.line}, column ${this.column}: ${this.message}.`;
  }
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const WORDS = { true: true, false: false, null: null };

/** A number, as a `Numeral` if it would lose digits; `undefined` if the text is none. */
export function numberOf(text) {
  NUMBER.lastIndex = 0;
  if (NUMBER.exec(text)?.[0] !== text) return undefined;
  const number = Number(text);
  const digits = text
    .replace(/[eE].*/, "")
    .replace(/\D/g, "")
    .replace(/^0+/, "");
  const isWhole = /^-?\d+$/.test(text);
  const isExact = isWhole ? Number.isSafeInteger(number) : Number.isFinite(number) && digits.length <= 15;
  return isExact && (number !== 0 || digits === "") ? number : new Numeral(text);
}

/**
 * The value of a JSON text. Objects have no prototype, so that every name is but a name.
 * Throws a `Fault`.
 *
 * @param {string} text
 */
export function read(text, depthMax = DEPTH_MAX) {
  let at = 0;
  let depth = 0;
  const fail = (reason) => {
    throw new Fault(text, at, reason);
  };
  const take = (pattern) => {
    pattern.lastIndex = at;
    const [taken] = pattern.exec(text) ?? [""];
    at += taken.length;
    return taken;
  };
  const next = () => {
    take(SPACE);
    return text[at];
  };

  function string() {
    const start = at++;
    for (;;) {
      take(PLAIN);
      if (text[at] === '"') break;
      if (text[at] === "\\") at += 2;
      else if (at >= text.length) fail("the text ends within a string");
      else fail("a line break or control character within a string must be escaped");
    }
    at++;
    try {
      return JSON.parse(text.slice(start, at));
    } catch {
      at = start;
      return fail("the string has an escape that JSON does not know");
    }
  }

  /** What stands between `{` and `}` or `[` and `]`, each read by `one`. */
  function list(close, one) {
    if (++depth > depthMax) fail(`it is nested deeper than ${depthMax} levels, which the hub refuses`);
    at++;
    if (next() === close) at++;
    else
      for (;;) {
        one();
        const mark = next();
        if (mark !== "," && mark !== close) fail(`a comma or ${close} is missing`);
        at++;
        if (mark === close) break;
        if (next() === close) fail(`there is a comma before ${close}`);
      }
    depth--;
  }

  function value() {
    const first = next();
    if (first === '"') return string();
    if (first === "{") {
      const object = Object.create(null);
      list("}", () => {
        if (next() !== '"') fail("a name in double quotes is missing");
        const name = string();
        if (next() !== ":") fail("a colon is missing after the name");
        at++;
        object[name] = value();
      });
      return object;
    }
    if (first === "[") {
      const array = [];
      list("]", () => array.push(value()));
      return array;
    }
    const number = take(NUMBER);
    if (number) return numberOf(number);
    for (const [word, meant] of Object.entries(WORDS)) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return meant;
      }
    }
    return fail(first === undefined ? "the text ends where a value is missing" : "this begins no JSON value");
  }

  const all = value();
  if (next() !== undefined) fail("something follows after the value");
  return all;
}

/** The JSON text of a value, in lines unless `isDense`. */
export function write(value, isDense = false, margin = "") {
  if (value instanceof Numeral) return value.text;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const isArray = Array.isArray(value);
  const deeper = `${margin}  `;
  const parts = isArray
    ? value.map((item) => write(item, isDense, deeper))
    : Object.entries(value).map(
        ([name, item]) => `${JSON.stringify(name)}:${isDense ? "" : " "}${write(item, isDense, deeper)}`,
      );
  const [open, close] = isArray ? "[]" : "{}";
  if (!parts.length) return open + close;
  return isDense
    ? open + parts.join(",") + close
    : `${open}\n${deeper}${parts.join(`,\n${deeper}`)}\n${margin}${close}`;
}

/** Whether it is a JSON object, as opposed to an array, a number or nothing. */
export const isObject = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Numeral);

/** The kind of a value, as JSON Schema names it. */
export function kindOf(value) {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (value instanceof Numeral) return /^-?\d+$/.test(value.text) ? "integer" : "number";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}
