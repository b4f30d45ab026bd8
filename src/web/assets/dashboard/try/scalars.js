// The controls for single values: text, numbers, yes and no, one of a list, a constant, raw JSON.
//
// A control has: `element`; `input`, which gets label and description; `get()`, `undefined` while there is nothing
// to send; `takes(value)` and `set(value)`; `fault()`, a sentence or `undefined`; `focus()`.

import { el, put } from "../../dom.js";
import { icon } from "../tools/pieces.js";
import { Fault, kindOf, Numeral, numberOf, read, write } from "./json.js";

/** A text of which more is expected, or which has more, gets room for lines. */
const SHORT = 200;
/** Letters up to which a text is looked at for its format. */
const FORMAT_MAX = 2_000;

const same = (a, b) => write(a, true) === write(b, true);

/**
 * A text. What it says is kept apart from what the field shows, since fields of one line drop line breaks:
 * what nobody edits is sent as it came.
 */
export function textControl(shape, env) {
  const { schema } = shape;
  const format = typeof schema.format === "string" ? FORMATS[schema.format] : undefined;
  let said;
  let input;
  const element = el("div.text-control");

  function typed() {
    said = input.value;
    if (input.tagName === "INPUT" && said.length > SHORT) show();
    env.changed();
  }

  /** Pasted lines are not to be glued together. */
  function pasted(event) {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (input.tagName !== "INPUT" || !text.includes("\n")) return;
    event.preventDefault();
    const { value, selectionStart, selectionEnd } = input;
    said = value.slice(0, selectionStart) + text + value.slice(selectionEnd);
    show();
    env.changed();
  }

  function show() {
    const text = said ?? "";
    const isLong = text.length > SHORT || text.includes("\n") || schema.maxLength > SHORT || format === FORMATS.lines;
    const had = input && document.activeElement === input;
    const described = input?.getAttribute("aria-describedby");
    input = isLong
      ? el("textarea", { rows: Math.min(8, Math.max(3, text.split("\n").length)), spellcheck: false })
      : el("input", { type: format?.type?.(text) ?? "text", inputMode: format?.keys ?? "text", spellcheck: false });
    input.id = env.id;
    input.autocomplete = "off";
    input.value = text;
    if (env.label) input.setAttribute("aria-label", env.label);
    if (described) input.setAttribute("aria-describedby", described);
    input.placeholder = env.placeholder ?? format?.example ?? "";
    input.addEventListener("input", typed);
    input.addEventListener("paste", pasted);
    put(element, input);
    if (had) {
      input.focus();
      input.setSelectionRange?.(text.length, text.length);
    }
  }

  function fault() {
    if (said === undefined) return undefined;
    const length = [...said].length;
    if (length < schema.minLength) return `At least ${letters(schema.minLength)}; it has ${length}.`;
    if (length > schema.maxLength) return `At most ${letters(schema.maxLength)}; it has ${length}.`;
    if (format?.test && said.length <= FORMAT_MAX && !format.test(said)) return `This is no ${format.name}.`;
    return undefined;
  }

  show();
  return {
    element,
    get input() {
      return input;
    },
    get: () => said,
    takes: (value) => typeof value === "string",
    set(value) {
      if (value === said) return;
      said = value;
      show();
    },
    fault,
    focus: () => input.focus(),
  };
}

const letters = (n) => (n === 1 ? "1 letter" : `${n} letters`);

/** What is known of formats. The patterns are ours and run in linear time. */
const FORMATS = {
  __proto__: null,
  email: {
    name: "e-mail address",
    keys: "email",
    example: "name@example.com",
    test: (text) => /^[^@\s]+@[^@\s]+$/.test(text),
  },
  uri: {
    name: "address with a scheme",
    keys: "url",
    example: "https://example.com/",
    test: (text) => URL.canParse(text),
  },
  date: {
    name: "date",
    // What is no date yet is shown as text: a date field would show nothing and hide it.
    type: (text) => (text === "" || isDate(text) ? "date" : "text"),
    test: isDate,
  },
  "date-time": {
    name: "date and time with a time zone, such as 2026-11-25T06:24:46Z",
    example: "2026-11-25T06:24:46Z",
    test: (text) =>
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i.test(text) && !Number.isNaN(Date.parse(text)),
  },
  time: { name: "time", example: "06:24:46Z" },
  uuid: {
    name: "UUID",
    example: "123e4567-e89b-12d3-a456-426614174000",
    test: (text) => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text),
  },
  lines: {},
};
FORMATS["uri-reference"] = { name: "address", keys: "url" };
FORMATS.textarea = FORMATS.lines;
FORMATS.markdown = FORMATS.lines;

function isDate(text) {
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text));
}

/** A number. The field is one for text, since those for numbers hide what they do not take. */
export function numberControl(shape, env) {
  const { schema, kind } = shape;
  let said;
  const input = el("input", {
    type: "text",
    id: env.id,
    inputMode: kind === "integer" && !(schema.minimum < 0) ? "numeric" : "text",
    autocomplete: "off",
    placeholder: env.placeholder ?? "",
    "aria-label": env.label,
    oninput: env.changed,
  });

  // Arrow keys count, as in fields for numbers.
  input.addEventListener("keydown", (event) => {
    const sign = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const now = current();
    if (!sign || now instanceof Numeral) return;
    event.preventDefault();
    const step = schema.multipleOf > 0 ? schema.multipleOf : 1;
    const next = Number(((now ?? 0) + sign * step).toPrecision(15));
    input.value = String(Math.min(schema.maximum ?? Infinity, Math.max(schema.minimum ?? -Infinity, next)));
    env.changed();
  });

  function current() {
    const text = input.value.trim();
    return said?.text === text ? said.value : numberOf(text);
  }

  function fault() {
    const number = current();
    if (number === undefined) return input.value.trim() ? "This is no number." : undefined;
    if (kind === "integer" && kindOf(number) !== "integer") return "This is no whole number.";
    // One with more digits than a double has is compared roughly, which does for a bound.
    const value = number instanceof Numeral ? Number(number.text) : number;
    if (value < schema.minimum) return `At least ${schema.minimum}.`;
    if (value > schema.maximum) return `At most ${schema.maximum}.`;
    if (value <= schema.exclusiveMinimum) return `More than ${schema.exclusiveMinimum}.`;
    if (value >= schema.exclusiveMaximum) return `Less than ${schema.exclusiveMaximum}.`;
    const steps = value / schema.multipleOf;
    if (Math.abs(steps - Math.round(steps)) > 1e-9) return `A multiple of ${schema.multipleOf}.`;
    return undefined;
  }

  return {
    element: input,
    input,
    get: current,
    takes: (value) => typeof value === "number" || value instanceof Numeral,
    set(value) {
      const text = value === undefined ? "" : write(value);
      said = { text, value };
      if (input.value !== text) input.value = text;
    },
    fault,
    focus: () => input.focus(),
  };
}

/** True or false, and neither as long as nobody has said. */
export function booleanControl(shape, env) {
  const radio = (value) =>
    el("input", { type: "radio", name: env.id, value: String(value), id: `${env.id}-${value}`, onchange: env.changed });
  const radios = [true, false].map(radio);
  const choices = radios.map((input) => el("label.choice", null, input, input.value));
  const element = el("div.choices", { role: "radiogroup", "aria-label": env.label }, choices);
  const chosen = () => radios.find((input) => input.checked);
  return {
    element,
    input: element,
    isGroup: true,
    get: () => (chosen() ? chosen().value === "true" : undefined),
    takes: (value) => typeof value === "boolean",
    set(value) {
      for (const input of radios) input.checked = input.value === String(value);
    },
    fault: () => undefined,
    focus: () => (chosen() ?? radios[0]).focus(),
  };
}

/** One of a list of values of any kind. */
export function enumControl(shape, env) {
  const { options } = shape;
  const select = el(
    "select",
    { id: env.id, "aria-label": env.label, onchange: env.changed },
    el("option", { value: "" }, env.placeholder ?? "Choose …"),
    options.map(({ label }, index) => el("option", { value: String(index) }, label)),
  );
  return {
    element: select,
    input: select,
    get: () => (select.value === "" ? undefined : options[Number(select.value)].value),
    takes: (value) => options.some((option) => same(option.value, value)),
    set(value) {
      const index = value === undefined ? -1 : options.findIndex((option) => same(option.value, value));
      select.value = index < 0 ? "" : String(index);
    },
    fault: () => undefined,
    focus: () => select.focus(),
  };
}

/** A value that cannot be another. */
export function constantControl(shape, env) {
  const element = el("code.constant", { id: env.id, tabIndex: -1 }, write(shape.value, true).slice(0, 500));
  return {
    element,
    input: element,
    isGroup: true,
    get: () => shape.value,
    takes: (value) => same(value, shape.value),
    set() {},
    fault: () => undefined,
    focus: () => element.focus(),
  };
}

/** Any value, as JSON. */
export function jsonControl(shape, env) {
  const input = el("textarea", {
    id: env.id,
    rows: 2,
    spellcheck: false,
    "aria-label": env.label,
    placeholder: env.placeholder ?? 'JSON: "text", 5, true, [1, 2], {"a": 1}',
    oninput: env.changed,
  });
  const parse = () => {
    try {
      return { value: read(input.value) };
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return { fault: error.sentence };
    }
  };
  const isEmpty = () => input.value.trim() === "";
  return {
    element: input,
    input,
    get: () => (isEmpty() ? undefined : parse().value),
    takes: () => true,
    set(value) {
      input.value = value === undefined ? "" : write(value);
      input.rows = Math.min(12, Math.max(2, input.value.split("\n").length));
    },
    fault: () => (isEmpty() ? undefined : parse().fault),
    focus: () => input.focus(),
  };
}

/** Any of a short list of values, ticked. */
export function ticksControl(options, shape, env) {
  let order = [];
  const boxes = options.map(({ label }, index) => {
    const input = el("input", {
      type: "checkbox",
      onchange() {
        order = order.filter((one) => one !== index);
        if (input.checked) order.push(index);
        env.changed();
      },
    });
    return { input, element: el("label.choice", null, input, label) };
  });
  const indexOf = (value) => options.findIndex((option) => same(option.value, value));
  const element = el(
    "div.choices",
    { role: "group", "aria-label": env.label },
    boxes.map((box) => box.element),
  );
  const { minItems, maxItems } = shape.schema;
  return {
    element,
    input: element,
    isGroup: true,
    get: () => order.map((index) => options[index].value),
    takes: (value) =>
      Array.isArray(value) &&
      new Set(value.map(indexOf)).size === value.length &&
      !value.some((one) => indexOf(one) < 0),
    set(value = []) {
      order = value.map(indexOf);
      boxes.forEach((box, index) => (box.input.checked = order.includes(index)));
    },
    fault() {
      if (order.length < minItems) return `At least ${minItems} of them.`;
      if (order.length > maxItems) return `At most ${maxItems} of them.`;
      return undefined;
    },
    focus: () => boxes[0]?.input.focus(),
  };
}

/** A button that has but a picture, and a name for those who do not see it. */
export const iconButton = (name, label, onclick) =>
  el("button.quiet.icon-button", { type: "button", "aria-label": label, title: label, onclick }, icon(name));
