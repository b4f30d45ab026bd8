// The controls for values made of values: objects, arrays, and one of several alternatives. Besides what every
// control has they have `faults(isFinal)`, the faults of the fields within, and `drop()`, which gives their room back.

import { el, put } from "../../dom.js";
import { controlOf, fieldOf } from "./field.js";
import { isObject, write } from "./json.js";
import { isOf, shapeOf } from "./schema.js";
import { iconButton } from "./scalars.js";

/** Items of one array that get a field. */
const ITEMS_MAX = 100;
/** Further members of one object that get a field. */
const EXTRAS_MAX = 100;

/** An object: a field for each member it is known to have, and name and value for others. */
export function objectControl(shape, env) {
  const members = shape.members.map(({ name, schema, isRequired }) => {
    const field = fieldOf(schema, { label: name, isRequired, env });
    return { name, field };
  });
  const known = new Set(members.map((member) => member.name));
  const isOpen = shape.extra !== undefined && shape.extra !== false;
  let extras = [];

  const list = el("div.members");
  const add = el("button.quiet.add", { type: "button", onclick: () => addExtra("").focus() }, "+ Add a member");
  const element = el(
    "div.object-control",
    null,
    members.map((member) => member.field.element),
    shape.hidden > 0 &&
      el("p.muted.small", null, `The schema has ${shape.hidden} more members. Give them as raw JSON.`),
    members.length === 0 && isOpen && el("p.muted.small", null, "The schema describes no members. Any may be given."),
    list,
    isOpen && add,
  );

  function addExtra(name, value) {
    const input = el("input", { type: "text", value: name, "aria-label": "Name of the member", placeholder: "name" });
    input.addEventListener("input", env.changed);
    const extra = {
      name: () => input.value,
      field: fieldOf(isOpen ? shape.extra : true, { label: "Value", env }),
      focus: () => input.focus(),
    };
    const remove = iconButton("remove", "Remove this member", () => {
      extras = extras.filter((one) => one !== extra);
      extra.field.drop();
      row.remove();
      add.isConnected && add.focus();
      env.changed();
    });
    const row = el("div.extra", null, el("div.extra-head", null, input, remove), extra.field.element);
    if (value !== undefined) extra.field.set(value);
    extras.push(extra);
    list.append(row);
    return extra;
  }

  function extraFault() {
    const names = extras.map((extra) => extra.name());
    const taken = names.find((name, index) => known.has(name) || names.indexOf(name) !== index);
    if (names.includes("")) return "A member has no name yet, and is not sent.";
    if (taken !== undefined) return `The name ${JSON.stringify(taken)} is there twice.`;
    if (!isOpen && names.length) return `The schema has no member ${JSON.stringify(names[0])}.`;
    return undefined;
  }

  return {
    element,
    input: element,
    isGroup: true,
    get() {
      const object = Object.create(null);
      const all = [...members, ...extras.map((extra) => ({ name: extra.name(), field: extra.field }))];
      for (const { name, field } of all) {
        const value = field.get();
        if (value !== undefined && (name !== "" || known.has(""))) object[name] = value;
      }
      return object;
    },
    takes: (value) => isObject(value) && Object.keys(value).filter((name) => !known.has(name)).length <= EXTRAS_MAX,
    set(value = {}) {
      for (const { name, field } of members) field.set(Object.hasOwn(value, name) ? value[name] : undefined);
      for (const extra of extras) extra.field.drop();
      extras = [];
      put(list);
      for (const [name, one] of Object.entries(value)) if (!known.has(name)) addExtra(name, one);
    },
    fault: extraFault,
    faults: (isFinal) => [...members, ...extras].flatMap(({ field }) => field.faults(isFinal)),
    drop: () => [...members, ...extras].forEach(({ field }) => field.drop()),
    focus: () => (members[0]?.field ?? extras[0] ?? add).focus(),
  };
}

/** An array: its items one below the other, to add, remove and move. */
export function arrayControl(shape, env) {
  const { minItems = 0, maxItems = Infinity, uniqueItems } = shape.schema;
  let items = [];
  const list = el("ol.items");
  const add = el("button.quiet.add", { type: "button" }, "+ Add an item");
  add.addEventListener("click", () => {
    if (items.length >= ITEMS_MAX) return;
    addItem().focus();
    changed();
  });
  const element = el("div.array-control", null, list, add);

  function addItem(value) {
    const item = { row: el("li") };
    const move = (by) => {
      const from = items.indexOf(item);
      const to = from + by;
      if (to < 0 || to >= items.length) return;
      items.splice(from, 1);
      items.splice(to, 0, item);
      const button = document.activeElement;
      list.insertBefore(item.row, list.children[by > 0 ? to + 1 : to] ?? null);
      button.focus();
      changed();
    };
    const actions = [
      iconButton("up", "Move up", () => move(-1)),
      iconButton("down", "Move down", () => move(1)),
      iconButton("remove", "Remove", () => {
        const at = items.indexOf(item);
        items.splice(at, 1);
        discard(item);
        (items[at]?.field ?? items[at - 1]?.field ?? add).focus();
        changed();
      }),
    ];
    item.field = fieldOf(shape.items, { label: "Item", actions, env });
    if (value !== undefined) item.field.set(value);
    item.row.append(item.field.element);
    items.push(item);
    list.append(item.row);
    number();
    return item.field;
  }

  function discard(item) {
    item.field.drop();
    item.row.remove();
  }

  function number() {
    items.forEach((item, index) => item.field.rename(`Item ${index + 1}`));
    add.hidden = items.length >= Math.min(maxItems, ITEMS_MAX);
  }

  function changed() {
    number();
    env.changed();
  }

  for (let n = 0; n < Math.min(minItems, 10); n++) addItem();
  return {
    element,
    input: element,
    isGroup: true,
    get: () => items.map((item) => item.field.get()).filter((value) => value !== undefined),
    takes: (value) => Array.isArray(value) && value.length <= ITEMS_MAX,
    set(value = []) {
      // Fields that are there are kept: one of them may have the focus.
      while (items.length > value.length) discard(items.pop());
      value.forEach((one, index) => (items[index] ? items[index].field.set(one) : addItem(one)));
      number();
    },
    fault() {
      if (items.length < minItems) return `At least ${minItems} items.`;
      if (items.length > maxItems) return `At most ${maxItems} items.`;
      const texts = items
        .map((item) => item.field.get())
        .filter((value) => value !== undefined)
        .map((value) => write(value, true));
      if (uniqueItems === true && new Set(texts).size < texts.length) return "Two items are the same.";
      return undefined;
    },
    faults: (isFinal) => items.flatMap((item) => item.field.faults(isFinal)),
    drop: () => items.forEach((item) => item.field.drop()),
    focus: () => (items[0]?.field ?? add).focus(),
  };
}

/** One of several alternatives: which, and then its own control. */
export function choiceControl(shape, env) {
  const { choices } = shape;
  const select = el(
    "select",
    { id: env.id, "aria-label": env.label },
    choices.map(({ label }, index) => el("option", { value: String(index) }, label)),
  );
  const body = el("div.alternative");
  let inner;

  function choose(index) {
    const before = inner?.get();
    inner?.drop?.();
    const chosen = shapeOf(choices[index].schema, env.root);
    const label = [env.name, choices[index].label].filter(Boolean).join(", ");
    inner = controlOf(chosen, { ...env, id: `${env.id}-of`, label, depth: env.depth + 1 });
    const initial = before !== undefined && isOf(chosen, before, env.root) ? before : chosen.initial;
    if (initial !== undefined && inner.takes(initial)) inner.set(initial);
    const note = chosen.kind === "json" && el("p.muted.small", null, `${capital(chosen.why)}: give it as JSON.`);
    put(body, note, inner.element);
  }

  const whose = (value) => choices.findIndex((choice) => isOf(shapeOf(choice.schema, env.root), value, env.root));

  select.addEventListener("change", () => {
    choose(Number(select.value));
    env.changed();
  });
  choose(0);
  return {
    element: el("div.choice-control", null, select, body),
    input: select,
    get: () => inner.get(),
    takes: (value) => whose(value) >= 0,
    set(value) {
      if (value === undefined) return;
      // One that fits several alternatives stays where it is.
      const isMine = isOf(shapeOf(choices[Number(select.value)].schema, env.root), value, env.root);
      const index = isMine ? Number(select.value) : whose(value);
      if (select.value !== String(index)) {
        select.value = String(index);
        choose(index);
      }
      if (inner.takes(value)) inner.set(value);
    },
    fault: () => inner.fault(),
    faults: (isFinal) => inner.faults?.(isFinal) ?? [],
    drop: () => inner.drop?.(),
    focus: () => select.focus(),
  };
}

const capital = (text = "") => text.charAt(0).toUpperCase() + text.slice(1);
