// The arguments of a call, twice: as a form and as JSON. Whatever is changed in one is shown by the other as long
// as both can; what is sent is always the JSON, letter for letter.

import { el, put } from "../../dom.js";
import { createForm } from "./form.js";
import { Fault, isObject, read, write } from "./json.js";

/** Letters of JSON up to which the form follows. */
const FOLLOWED_MAX = 256 * 1024;
/** Until the form follows what is typed as JSON. */
const PAUSE_MS = 150;

/**
 * @param {any} schema the tool's input schema
 * @param {() => void} changed called after each change by a person
 */
export function createEditor(schema, changed) {
  let form;
  let pause;
  const raw = el("textarea.raw", { id: "try-raw", rows: 6, spellcheck: false, autocomplete: "off" });
  const fault = el("p.fault", { id: "try-raw-fault", hidden: true });
  const lag = el("p.muted.small", { hidden: true }, "The form shows the last arguments that could be read.");
  const place = el("div.editor-form");
  const reset = el("button.quiet.small", { type: "button", title: "Back to what the schema says" }, "Start over");
  raw.setAttribute("aria-describedby", fault.id);
  const element = el(
    "div.editor",
    null,
    place,
    el(
      "div.editor-raw",
      null,
      el("div.editor-head", null, el("label", { htmlFor: raw.id }, "Arguments as JSON"), reset),
      raw,
      fault,
      lag,
    ),
  );

  /** What stands in the JSON: its text, and the value or why there is none. */
  function current() {
    const text = raw.value.trim() || "{}";
    try {
      const value = read(text);
      return isObject(value) ? { text, value } : { text, fault: "The arguments must be one object: { … }." };
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return { text, fault: error.sentence };
    }
  }

  function show(said = "") {
    fault.textContent = said;
    fault.hidden = lag.hidden = !said;
    said ? raw.setAttribute("aria-invalid", "true") : raw.removeAttribute("aria-invalid");
  }

  function formChanged() {
    clearTimeout(pause);
    raw.value = write(form.get() ?? {});
    show();
    form.faults(false);
    changed();
  }

  function follow() {
    const { text, value, fault } = current();
    show(fault);
    // What the form itself has written it need not read.
    if (fault || text === write(form.get() ?? {})) return;
    const follows = text.length <= FOLLOWED_MAX && form.set(value);
    lag.hidden = follows;
    if (follows) form.faults(false);
  }

  raw.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(follow, PAUSE_MS);
    changed();
  });

  function build(schema) {
    form = createForm(schema, formChanged);
    const none = (text) => el("p.muted.no-fields", null, text);
    if (form.why) put(place, none(`There are no fields for this: ${form.why}. Write the arguments as JSON.`));
    else if (form.isEmpty) put(place, none("This tool takes no arguments."));
    else put(place, form.element);
    raw.value = write(form.get() ?? {});
    show();
  }

  reset.addEventListener("click", () => {
    build(schema);
    changed();
  });
  build(schema);

  return {
    element,
    current() {
      clearTimeout(pause);
      follow();
      return current();
    },
    /** Where the fields say that something does not fit. Only the fields know; the JSON may be right all the same. */
    faults: () => (lag.hidden && !form.why ? form.faults(true) : []),
    focusRaw: () => raw.focus(),
    /** Another schema: the fields are new, and keep what was filled in as far as it fits. */
    become(next) {
      const { value, text, fault } = current();
      schema = next;
      build(schema);
      if (fault) {
        raw.value = text;
        show(fault);
      } else if (form.set(value)) formChanged();
    },
  };
}
