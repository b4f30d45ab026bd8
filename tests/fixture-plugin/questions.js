// What may be asked of a client, and the forms that are put to its user.

export function elicit(message, requestedSchema) {
  return { method: "elicitation/create", params: { message, requestedSchema } };
}

export function sample(prompt) {
  const said = { role: "user", content: { type: "text", text: prompt } };
  return { method: "sampling/createMessage", params: { messages: [said], maxTokens: 100 } };
}

export function listRoots() {
  return { method: "roots/list", params: {} };
}

export function askName() {
  return elicit("What is your name?", form("name", "string"));
}

/** A form of one field. */
export function form(field, type) {
  return { type: "object", properties: { [field]: { type } }, required: [field] };
}

export function contactForm() {
  return {
    type: "object",
    properties: {
      username: { type: "string", description: "How you are called" },
      email: { type: "string", description: "Where you are reached" },
    },
    required: ["username", "email"],
  };
}

/** A default for each primitive type. */
export function formWithDefaults() {
  return {
    type: "object",
    properties: {
      name: { type: "string", default: "John Doe" },
      age: { type: "integer", default: 30 },
      score: { type: "number", default: 95.5 },
      status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
      verified: { type: "boolean", default: true },
    },
  };
}

/** Choices of one and of many, with and without titles, and in the way of old. */
export function formOfChoices() {
  const plain = ["option1", "option2", "option3"];
  const titled = [
    { const: "value1", title: "First" },
    { const: "value2", title: "Second" },
    { const: "value3", title: "Third" },
  ];
  return {
    type: "object",
    properties: {
      untitledSingle: { type: "string", enum: plain },
      titledSingle: { type: "string", oneOf: titled },
      legacyEnum: { type: "string", enum: plain, enumNames: ["One", "Two", "Three"] },
      untitledMulti: { type: "array", items: { type: "string", enum: plain } },
      titledMulti: { type: "array", items: { anyOf: titled } },
    },
  };
}
