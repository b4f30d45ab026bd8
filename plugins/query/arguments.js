// Holds arguments against the JSON Schema that their tool shows: as much of JSON Schema as these tools
// use. So what is written there is what is checked here.

/** Returns `value`, with defaults, or throws an Error that says which part is wrong. */
export function check(schema, value, name = 'the arguments') {
  const kind = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
  const is = schema.type === 'integer' ? Number.isSafeInteger(value) : kind === schema.type;
  if (!is) throw new Error(`${name}: ${article(schema.type)} is expected, not ${article(kind)}`);
  if (schema.enum && !schema.enum.includes(value)) {
    throw new Error(`${name}: one of ${schema.enum.map((one) => JSON.stringify(one)).join(', ')} is expected`);
  }
  if (value < schema.minimum || value > schema.maximum) {
    throw new Error(`${name}: ${schema.minimum} to ${schema.maximum} is expected`);
  }
  if (kind === 'array') {
    if (value.length < schema.minItems) throw new Error(`${name}: it is empty`);
    if (value.length > schema.maxItems) throw new Error(`${name}: at most ${schema.maxItems} items are expected`);
    value.forEach((item, index) => check(schema.items, item, `${name}[${index}]`));
  }
  if (kind === 'object') {
    const known = Object.keys(schema.properties);
    for (const key of Object.keys(value)) {
      if (!known.includes(key)) throw new Error(`there is no argument ${JSON.stringify(key)}, only ${known.join(', ')}`);
    }
    for (const key of known) {
      if (Object.hasOwn(value, key)) check(schema.properties[key], value[key], key);
      else if (schema.required?.includes(key)) throw new Error(`${key}: it is missing`);
      else if (schema.properties[key].default !== undefined) value[key] = schema.properties[key].default;
    }
  }
  return value;
}

const article = (kind) => (kind === 'null' ? kind : `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`);
