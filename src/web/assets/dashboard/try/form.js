// A form made from a JSON Schema: what is filled in becomes a value, and a value fills it in.

import { el } from "../../dom.js";
import { controlOf } from "./field.js";
import { shapeOf } from "./schema.js";

/** Fields in one form. Beyond that a page gets slow, and nobody fills them in by hand. */
const FIELDS_MAX = 400;

let forms = 0;

/**
 * @param {any} schema the schema, of which references within are followed
 * @param {() => void} changed called after whatever a person changes
 * @returns {{ element: HTMLElement, why?: string, get: () => any, set: (value: any) => boolean,
 *   faults: (isFinal?: boolean) => { label: string, fault: string, focus: () => void }[], focus: () => void }}
 *   `why`: why there are no fields, if there are none
 */
export function createForm(schema, changed) {
  const prefix = `form${++forms}`;
  let ids = 0;
  const env = {
    root: schema,
    depth: 0,
    budget: { fields: FIELDS_MAX },
    nextId: () => `${prefix}-${++ids}`,
    changed,
  };
  const shape = shapeOf(schema, schema);
  const control = controlOf(shape, { ...env, id: env.nextId(), label: "Arguments", name: "Arguments" });
  if (shape.initial !== undefined && control.takes(shape.initial)) control.set(shape.initial);
  return {
    element: el("div.form", null, control.element),
    why: shape.kind === "json" ? shape.why : undefined,
    isEmpty: shape.kind === "object" && shape.members.length === 0 && (shape.extra ?? false) === false,
    get: () => control.get(),
    set(value) {
      const fits = control.takes(value);
      if (fits) control.set(value);
      return fits;
    },
    faults(isFinal) {
      const own = control.fault();
      const within = control.faults?.(isFinal) ?? [];
      return own ? [{ label: "", fault: own, focus: control.focus }, ...within] : within;
    },
    focus: () => control.focus(),
  };
}
