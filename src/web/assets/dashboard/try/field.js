// A field: a control with its name, what the schema says about it, whether it is sent at all, and its fault.
// Leaving a value out, sending null and sending an empty text are three things, and all three can be said.

import { el } from "../../dom.js";
import { revealed } from "../tools/pieces.js";
import { arrayControl, choiceControl, objectControl } from "./containers.js";
import { kindOf } from "./json.js";
import {
  booleanControl,
  constantControl,
  enumControl,
  jsonControl,
  numberControl,
  textControl,
  ticksControl,
} from "./scalars.js";
import { shapeOf } from "./schema.js";

/** Levels of nesting that get fields. */
const DEPTH_MAX = 10;
/** Values that are ticked off a list rather than added one by one. */
const TICKS_MAX = 30;
/** Kinds whose controls are built when they are first needed, as a schema may contain itself. */
const LATE = ["object", "array", "choice"];

/** The control for a shape. */
export function controlOf(shape, env) {
  switch (shape.kind) {
    case "string":
      return textControl(shape, env);
    case "number":
    case "integer":
      return numberControl(shape, env);
    case "boolean":
      return booleanControl(shape, env);
    case "enum":
      return enumControl(shape, env);
    case "const":
      return constantControl(shape, env);
    case "null":
      return constantControl({ ...shape, value: null }, env);
    case "object":
      return objectControl(shape, { ...env, depth: env.depth + 1, label: undefined });
    case "array":
      return listControl(shape, env);
    case "choice":
      return choiceControl(shape, env);
    default:
      return jsonControl(shape, env);
  }
}

function listControl(shape, env) {
  const items = shapeOf(shape.items, env.root);
  const isTicked = items.kind === "enum" && items.options.length <= TICKS_MAX;
  if (isTicked) return ticksControl(items.options, shape, env);
  return arrayControl(shape, { ...env, depth: env.depth + 1, label: undefined });
}

/** The shape as far as the form has room for it. */
function roomyShape(schema, env) {
  const shape = shapeOf(schema, env.root);
  if (env.budget.fields-- <= 0) return { ...shape, kind: "json", why: "the form has no room for more fields" };
  if (env.depth < DEPTH_MAX || !LATE.includes(shape.kind)) return shape;
  return { ...shape, kind: "json", why: `nested deeper than ${DEPTH_MAX} levels` };
}

/**
 * A field for what `schema` describes.
 *
 * @param {any} schema
 * @param {{ label: string, isRequired?: boolean, actions?: Element[], env: any }} options
 *   `isRequired`: whether a member may be left out; absent for what is there because somebody has added it.
 *   `env`: `root` schema, `depth`, `budget` of fields, `nextId()`, `changed()`
 */
export function fieldOf(schema, { label, isRequired, actions = [], env }) {
  const shape = roomyShape(schema, env);
  const id = env.nextId();
  const initial = shape.initial;
  const isOptional = isRequired === false;
  const isLate = LATE.includes(shape.kind);
  let isSent = !isOptional || initial !== undefined;
  let isNull = shape.isNullable && initial === null;
  let isTouched = false;
  /** A value from the raw JSON that the control cannot show, kept until somebody edits here. */
  let odd;
  let control;

  const name = el("span.field-name", null, label);
  const title =
    shape.title && letters(shape.title) !== letters(label) && el("span.field-title", null, revealed(shape.title));
  const sendBox = isOptional && el("input", { type: "checkbox", checked: isSent, "aria-label": `Send ${label}` });
  const nullBox =
    shape.isNullable && el("input", { type: "checkbox", checked: isNull, "aria-label": `Send null as ${label}` });
  const body = el("div.field-body");
  const faultText = el("p.fault", { id: `${id}-fault`, hidden: true });
  const note = el("p.muted.small.field-note", { id: `${id}-note`, hidden: true });
  const words = el("p.muted.small.field-words", { id: `${id}-words` }, wordsOf(shape));
  const head = el(
    "div.field-head",
    null,
    sendBox && el("label.tick", { title: "Whether it is sent at all" }, sendBox),
    el("label.field-label", { id: `${id}-name`, htmlFor: id }, name, title && [" ", title]),
    el("span.field-kind", null, kindWords(shape)),
    isRequired && shape.kind !== "const" && el("span.required", null, "required"),
    (nullBox || actions.length > 0) &&
      el("span.field-actions", null, nullBox && el("label.tick.null", null, nullBox, "null"), actions),
  );
  const element = el(`div.field.of-${shape.kind}`, null, head, words.textContent && words, body, note, faultText);

  function controlNow() {
    if (control) return control;
    const placeholder = isOptional ? "not sent" : undefined;
    control = controlOf(shape, { ...env, id, name: label, placeholder, changed });
    if (initial !== undefined && control.takes(initial)) control.set(initial);
    const described = [words.textContent && words.id, note.id, faultText.id].filter(Boolean).join(" ");
    control.input.setAttribute("aria-describedby", described);
    if (control.input.tagName === "DIV") {
      control.input.role ??= "group";
      control.input.setAttribute("aria-labelledby", `${id}-name`);
    }
    return control;
  }

  function changed() {
    odd = undefined;
    if (sendBox) isSent = sendBox.checked = !isCleared();
    if (nullBox) isNull = nullBox.checked = false;
    show();
    env.changed();
  }

  /** An optional number that is deleted is left out again; an emptied text may be meant. */
  const isCleared = () => shape.kind !== "string" && !isLate && control.get() === undefined && !control.fault();

  function show() {
    const isOpen = isSent && !isNull;
    element.classList.toggle("left-out", !isOpen);
    // Once only: to put in an element anew takes the focus from it.
    if ((isOpen || !isLate) && !body.firstChild) body.append(controlNow().element);
    body.hidden = !isOpen && (isLate || isNull);
    const isEmptyText = isOpen && isOptional && shape.kind === "string" && control.get() === "";
    note.hidden = !isEmptyText;
    note.textContent = isEmptyText ? "An empty text is sent. Untick to leave it out." : "";
  }

  head.addEventListener("change", ({ target }) => {
    odd = undefined;
    if (target === sendBox) {
      isSent = sendBox.checked;
      // To tick the box of a text is to send it, be it empty.
      if (isSent && shape.kind === "string" && controlNow().get() === undefined) control.set("");
    } else {
      isNull = nullBox.checked;
      if (isNull && sendBox) isSent = sendBox.checked = true;
    }
    show();
    env.changed();
  });
  element.addEventListener("focusout", ({ target }) => {
    if (target === control?.input) isTouched = true;
  });

  function ownFault() {
    if (!isSent) return undefined;
    if (odd !== undefined)
      return `The raw JSON has ${kindOf(odd)} here, which this field cannot show; it is sent as it is.`;
    if (isNull) return undefined;
    return controlNow().fault() ?? (control.get() === undefined ? "A value is missing." : undefined);
  }

  show();
  return {
    element,
    get() {
      if (!isSent) return undefined;
      if (odd !== undefined) return odd;
      return isNull ? null : controlNow().get();
    },
    set(value) {
      odd = undefined;
      isNull = value === null && !!nullBox;
      isSent = value !== undefined || !isOptional;
      if (sendBox) sendBox.checked = isSent;
      if (nullBox) nullBox.checked = isNull;
      if (value === undefined) {
        // What is in a part that is folded away waits there for being wanted again.
        if (isSent || !isLate) control?.set(undefined);
      } else if (!isNull) {
        if (controlNow().takes(value)) control.set(value);
        else odd = value;
      }
      show();
    },
    /** The fields within that do not fit, first to last; their faults are shown once somebody has been there. */
    faults(isFinal = false) {
      const fault = ownFault();
      const shown = fault && (isFinal || isTouched || odd !== undefined) ? fault : "";
      if (faultText.textContent !== shown) faultText.textContent = shown;
      faultText.hidden = !shown;
      const { input, isGroup } = control ?? {};
      if (input && !isGroup) shown ? input.setAttribute("aria-invalid", "true") : input.removeAttribute("aria-invalid");
      const isOpen = isSent && !isNull && odd === undefined;
      const within = (isOpen && control?.faults?.(isFinal)) || [];
      return fault ? [{ label: name.textContent, fault, focus }, ...within] : within;
    },
    rename(text) {
      if (name.textContent !== text) name.textContent = text;
    },
    /** It is taken away: the form has room for others again. */
    drop() {
      env.budget.fields++;
      control?.drop?.();
    },
    focus,
  };

  function focus() {
    if (body.hidden && sendBox) sendBox.focus();
    else controlNow().focus();
  }
}

/** A title that is but the name in other clothes ("maxResults", "Max results") is not worth the room. */
const letters = (text) => text.toLowerCase().replaceAll(/[\s_-]/g, "");

/** What the schema says in words. */
const wordsOf = ({ description, kind, why }) => [
  description && revealed(description),
  kind === "json" && `${description ? " " : ""}As JSON: ${why}.`,
];

/** Kind and bounds in a few words. */
function kindWords({ kind, schema, isNullable }) {
  const { format, minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, pattern } = schema;
  const isLetters = kind === "string";
  const [least, most] = isLetters ? [schema.minLength, schema.maxLength] : [schema.minItems, schema.maxItems];
  const parts = [
    { json: "JSON", enum: "one of", choice: "one of", const: "always" }[kind] ?? kind,
    isLetters && typeof format === "string" && format.slice(0, 40),
    span(minimum, maximum),
    Number.isFinite(exclusiveMinimum) && `more than ${exclusiveMinimum}`,
    Number.isFinite(exclusiveMaximum) && `less than ${exclusiveMaximum}`,
    Number.isFinite(multipleOf) && `in steps of ${multipleOf}`,
    span(least, most, isLetters ? "letter" : "item"),
    isNullable && "or null",
    unchecked(schema),
  ];
  const told = parts.filter(Boolean).join(" · ");
  // A stranger's pattern is shown and never run: nothing on a page can stop one that takes for ever.
  const hint = isLetters && typeof pattern === "string" && [" · like ", el("code", null, pattern.slice(0, 80))];
  return [told, hint];
}

/** "1 to 10", "at least 1 item". */
function span(least, most, unit) {
  const [from, to] = [least, most].map((one) => (Number.isFinite(one) ? String(one) : ""));
  const of = (n) => (unit ? ` ${unit}${n === "1" ? "" : "s"}` : "");
  if (from && to) return (from === to ? `exactly ${from}` : `${from} to ${to}`) + of(to);
  return from ? `at least ${from}${of(from)}` : to && `at most ${to}${of(to)}`;
}

/** Conditions that the form does not check. */
function unchecked(schema) {
  const keywords = ["not", "if", "dependentRequired", "dependentSchemas", "contains", "propertyNames"];
  const there = keywords.filter((keyword) => Object.hasOwn(schema, keyword));
  return there.length > 0 && `${there.join(", ")} not checked here`;
}
