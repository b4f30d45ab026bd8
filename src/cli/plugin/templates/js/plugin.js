// {{name}}: a plugin of MCP Hub. What a plugin is, and may ask for, says wit/plugin.wit.
import host from "mcp-hub:plugin/host@0.1.0";

const greet = {
  name: "greet",
  title: "Greet",
  description: "Greets someone by name.",
  inputSchema: JSON.stringify({
    type: "object",
    properties: { name: { type: "string", description: "Whom to greet" } },
    required: ["name"],
  }),
  annotations: { readOnly: true, idempotent: true, openWorld: false },
};

export const tools = {
  // Asked once, when the plugin is loaded.
  listTools() {
    return [greet];
  },

  // Each call finds a fresh instance: nothing is remembered.
  callTool(request) {
    switch (request.name) {
      case "greet":
        return sayHello(JSON.parse(request.arguments));
      default:
        throw { tag: "unknown-tool", val: request.name };
    }
  },
};

function sayHello({ name }) {
  // The hub does not hold the arguments against the schema.
  if (typeof name !== "string") {
    throw { tag: "invalid-arguments", val: "`name` must be a string" };
  }

  // From [config] in {{name}}.toml.
  const greeting = host.config("greeting") ?? "Hello";

  host.log("debug", `greeting ${name}`);
  host.progress(1, 1, null); // a longer tool says so on its way, too
  return text(`${greeting}, ${name}!`);
}

function text(val) {
  return { tag: "complete", val: { content: [{ tag: "text", val }], isError: false } };
}
