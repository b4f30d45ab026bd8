// Makes of a JSON Schema what a form can show: one plain shape per place. Schemas come from strangers, so
// every walk is bounded, nothing is fetched, and what is too odd or too much becomes a field for raw JSON
// that says why.

import { isObject, kindOf, write } from "./json.js";

/** References and parts followed to make one shape; a schema can double itself with every line. */
const STEPS_MAX = 300;
/** Options that a list can offer before it is a burden. */
const OPTIONS_MAX = 500;
/** Alternatives to choose from. */
const CHOICES_MAX = 50;
/** Members of one object that get a field. */
const MEMBERS_MAX = 200;
/** Letters of a description, and of a title, that a form shows. */
const TEXT_MAX = 600;
const TITLE_MAX = 120;
/** Shapes looked at to find the alternative that a value is of. */
const GUESSES_MAX = 500;

/**
 * @typedef {{
 *   kind: "string"|"number"|"integer"|"boolean"|"null"|"const"|"enum"|"array"|"object"|"choice"|"json",
 *   schema: Record<string, any>,
 *   title?: string, description?: string, initial?: any, isNullable: boolean,
 *   why?: string,
 *   value?: any,
 *   options?: { value: any, label: string }[],
 *   choices?: { schema: any, label: string }[],
 *   items?: any,
 *   members?: { name: string, schema: any, isRequired: boolean }[], hidden?: number, extra?: any,
 * }} Shape
 */

/** Why a schema gets no fields of its own. */
class Unfit extends Error {}

const own = (object, name) => (isObject(object) && Object.hasOwn(object, name) ? object[name] : undefined);
const text = (value, most = TEXT_MAX) => (typeof value === "string" && value ? value.slice(0, most) : undefined);

/**
 * The shape of what `schema` describes; `root` is the whole schema that its references speak of.
 *
 * @returns {Shape}
 */
export function shapeOf(schema, root) {
  return shapeWithin(schema, root, { steps: STEPS_MAX });
}

function shapeWithin(schema, root, budget) {
  let flat;
  try {
    flat = flatten(schema, root, budget, []);
    return { ...about(flat), ...ofFlat(flat, root, budget) };
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    return { ...about(flat ?? (isObject(schema) ? schema : {})), kind: "json", why: error.message };
  }
}

const about = (flat) => ({
  schema: bounded(flat),
  title: text(own(flat, "title"), TITLE_MAX),
  description: text(own(flat, "description")),
  initial: own(flat, "default"),
  isNullable: false,
});

function ofFlat(flat, root, budget) {
  if (Object.hasOwn(flat, "const")) return { kind: "const", value: flat.const };
  if (Array.isArray(flat.enum)) return ofOptions(flat.enum.map((value) => ({ value, label: labelOf(value) })));
  for (const keyword of ["oneOf", "anyOf"]) {
    if (Array.isArray(flat[keyword])) return ofAlternatives(flat, keyword, root, budget);
  }
  return ofType(flat);
}

function ofOptions(options) {
  if (options.length > OPTIONS_MAX) throw new Unfit(`one of ${options.length} values, too many for a list`);
  return { kind: "enum", options };
}

/** Text of a value as it stands in a list of options. */
const labelOf = (value) => (typeof value === "string" && value !== "" ? value : write(value, true)).slice(0, 120);

/** `oneOf` and `anyOf`: titled constants, something or null, or a real choice. */
function ofAlternatives(flat, keyword, root, budget) {
  const { [keyword]: alternatives, ...rest } = flat;
  if (alternatives.every((one) => isObject(one) && Object.hasOwn(one, "const"))) {
    return ofOptions(
      alternatives.map((one) => ({ value: one.const, label: text(one.title, TITLE_MAX) ?? labelOf(one.const) })),
    );
  }
  const isNull = (one) => own(one, "type") === "null";
  const others = alternatives.filter((one) => !isNull(one));
  const isNullable = others.length < alternatives.length;
  const wording = ["title", "description", "default", "examples", "$comment"];
  const base = Object.keys(rest).some((key) => !wording.includes(key)) ? bare(rest, wording) : undefined;
  const whole = (one) => (base ? { allOf: [base, one] } : one);
  if (others.length === 1) {
    const { title, description, initial, ...shape } = shapeWithin(whole(others[0]), root, budget);
    void [title, description, initial];
    return { ...shape, isNullable: isNullable || shape.isNullable, ...missing(flat, { title, description, initial }) };
  }
  if (others.length > CHOICES_MAX) throw new Unfit(`one of ${others.length} alternatives, too many to choose from`);
  const choices = others.map((one, index) => ({ schema: whole(one), label: nameOf(one, index) }));
  return { kind: "choice", choices, isNullable };
}

/** What only the one alternative says of itself, as the schema around it does not. */
function missing(flat, { title, description, initial }) {
  return {
    ...(flat.title === undefined && { title }),
    ...(flat.description === undefined && { description }),
    ...(flat.default === undefined && { initial }),
  };
}

const bare = (object, names) => Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));

const namesIn = (list) => (Array.isArray(list) ? list.filter((name) => typeof name === "string") : []);

/** What an alternative is called in the list of them, by what it says itself. */
function nameOf(alternative, index) {
  const said = text(own(alternative, "title"), TITLE_MAX) ?? text(own(alternative, "$ref"))?.split("/").at(-1);
  if (said) return said;
  const members = Object.values(own(alternative, "properties") ?? {}).slice(0, MEMBERS_MAX);
  const mark = members.map((member) => own(member, "const")).find((value) => value !== undefined);
  if (mark !== undefined) return labelOf(mark);
  const required = namesIn(own(alternative, "required"));
  if (required.length) return `with ${required.slice(0, 3).join(", ").slice(0, 60)}`;
  const item = text(own(own(alternative, "items"), "type"));
  const type = text(own(alternative, "type"));
  return item ? `array of ${item}` : (type ?? `alternative ${index + 1}`);
}

function ofType(flat) {
  let { type } = flat;
  if (Array.isArray(type)) {
    const others = type.filter((one) => typeof one === "string" && one !== "null");
    const isNullable = type.includes("null");
    if (others.length > 1) {
      const choices = others.slice(0, 7).map((one) => ({ schema: { ...flat, type: one }, label: one }));
      return { kind: "choice", choices, isNullable };
    }
    return { ...ofType({ ...flat, type: others[0] ?? "null" }), isNullable: isNullable && others.length > 0 };
  }
  type ??= isObject(flat.properties) ? "object" : flat.items !== undefined ? "array" : undefined;
  switch (type) {
    case "string":
    case "number":
    case "integer":
    case "boolean":
    case "null":
      return { kind: type };
    case "array":
      return ofArray(flat);
    case "object":
      return ofObject(flat);
    case undefined:
      throw new Unfit("any JSON value");
    default:
      throw new Unfit("a type that JSON Schema does not know");
  }
}

function ofArray(flat) {
  if (flat.prefixItems !== undefined || Array.isArray(flat.items)) throw new Unfit("an array whose places differ");
  return { kind: "array", items: flat.items ?? true };
}

function ofObject(flat) {
  const required = new Set(namesIn(flat.required));
  const properties = isObject(flat.properties) ? flat.properties : {};
  const names = Object.keys(properties);
  // What is required without being described is to be asked for as well.
  const undescribed = [...required].filter((name) => !Object.hasOwn(properties, name));
  const all = [...names, ...undescribed.slice(0, MEMBERS_MAX)].map((name) => ({
    name,
    schema: own(properties, name) ?? true,
    isRequired: required.has(name),
  }));
  let members = all;
  if (all.length > MEMBERS_MAX) {
    const kept = new Set([...all.filter((one) => one.isRequired), ...all].slice(0, MEMBERS_MAX));
    members = all.filter((one) => kept.has(one));
  }
  const declared = flat.additionalProperties ?? (isObject(flat.patternProperties) ? true : undefined);
  return {
    kind: "object",
    members,
    hidden: all.length - members.length,
    // A schema that says nothing of further members allows them; offering that everywhere is but noise.
    extra: declared ?? (all.length === 0 ? true : undefined),
  };
}

/** The schema with its references and `allOf` merged into one. */
function flatten(schema, root, budget, trail) {
  if (budget.steps-- <= 0) throw new Unfit("a schema with too many references to follow");
  if (schema === true) return {};
  if (schema === false) throw new Unfit("a schema that allows no value");
  if (!isObject(schema)) throw new Unfit("something that is no JSON Schema");
  budget.steps -= Object.keys(own(schema, "properties") ?? {}).length / 100;
  const { $ref: reference, allOf: parts, $defs, definitions, ...rest } = schema;
  void [$defs, definitions];
  let flat = rest;
  if (reference !== undefined) {
    if (trail.includes(reference)) throw new Unfit("a reference that leads to itself");
    flat = merge(flatten(lookUp(root, reference), root, budget, [...trail, reference]), flat);
  }
  if (schema.$dynamicRef !== undefined) throw new Unfit("a dynamic reference");
  for (const part of Array.isArray(parts) ? parts : []) flat = merge(flat, flatten(part, root, budget, trail));
  return flat;
}

/** Where `#/…` leads within the root. Nothing else is followed: a page does not fetch schemas. */
function lookUp(root, reference) {
  if (typeof reference !== "string" || !/^#(?:\/|$)/.test(reference)) {
    throw new Unfit("a reference to another place, which is not followed");
  }
  const steps = reference.split("/").slice(1, STEPS_MAX);
  let found = root;
  for (const step of steps) {
    found = ownOrItem(found, decoded(step).replaceAll("~1", "/").replaceAll("~0", "~"));
    if (found === undefined) throw new Unfit("a reference to nothing");
  }
  return found;
}

const ownOrItem = (holder, name) => (Array.isArray(holder) && /^\d+$/.test(name) ? holder[name] : own(holder, name));

function decoded(step) {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}

/** The schema without bounds that are none: all that computes with them may trust them to be numbers. */
function bounded(flat) {
  const bad = ["multipleOf", ...HIGHER, ...LOWER].filter((keyword) => typeof (flat[keyword] ?? 0) !== "number");
  return bad.length ? bare(flat, bad) : flat;
}

const HIGHER = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
const LOWER = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];

/** One schema that demands what both do. */
function merge(a, b) {
  const merged = Object.assign(Object.create(null), a);
  for (const [key, value] of Object.entries(b)) {
    merged[key] = Object.hasOwn(merged, key) ? both(key, merged[key], value) : value;
  }
  return merged;
}

function both(key, a, b) {
  if (key === "properties" && isObject(a) && isObject(b)) {
    const joined = Object.assign(Object.create(null), a);
    for (const [name, schema] of Object.entries(b)) {
      joined[name] = Object.hasOwn(joined, name) ? { allOf: [joined[name], schema] } : schema;
    }
    return joined;
  }
  if (key === "required" && Array.isArray(a) && Array.isArray(b)) return [...new Set([...a, ...b])];
  if (key === "items") return { allOf: [a, b] };
  if (key === "type") return commonType(a, b);
  if (key === "enum" && Array.isArray(a) && Array.isArray(b)) {
    const texts = new Set(b.map((value) => write(value, true)));
    return a.filter((value) => texts.has(write(value, true)));
  }
  if (key === "oneOf" || key === "anyOf") throw new Unfit("several choices at once");
  if (key === "additionalProperties" && (a === false || b === false)) return false;
  if (HIGHER.includes(key)) return Math.max(a, b);
  if (LOWER.includes(key)) return Math.min(a, b);
  return b;
}

function commonType(a, b) {
  const common = [a].flat().filter((one) => [b].flat().includes(one));
  if (!common.length) {
    // Every integer is a number.
    if ([a, b].includes("integer") && [a, b].includes("number")) return "integer";
    throw new Unfit("a schema that contradicts itself");
  }
  return common.length === 1 ? common[0] : common;
}

/**
 * Whether a value is roughly of the shape: of its type, and of its constants where it is an object.
 * That is enough to tell alternatives apart; the tool itself judges the rest.
 */
export function isOf(shape, value, root, budget = { guesses: GUESSES_MAX }) {
  if (budget.guesses-- <= 0) return false;
  if (value === null) return shape.isNullable || ["null", "json"].includes(shape.kind) || isOption(shape, null);
  const kind = kindOf(value);
  switch (shape.kind) {
    case "json":
      return true;
    case "const":
      return write(shape.value, true) === write(value, true);
    case "enum":
      return isOption(shape, value);
    case "number":
      return kind === "number" || kind === "integer";
    case "choice":
      return shape.choices.some((choice) => isOf(shapeOf(choice.schema, root), value, root, budget));
    case "object":
      return kind === "object" && shape.members.every((member) => isMember(member, value, root, budget));
    default:
      return kind === shape.kind;
  }
}

const isOption = (shape, value) => {
  const text = write(value, true);
  return shape.options?.some((option) => write(option.value, true) === text) ?? false;
};

function isMember({ name, schema, isRequired }, value, root, budget) {
  const member = own(value, name);
  if (member === undefined) return !isRequired;
  if (own(schema, "const") === undefined && own(schema, "enum") === undefined) return true;
  return isOf(shapeOf(schema, root), member, root, budget);
}
