// {{name}}: a plugin of MCP Hub. What a plugin is, and may ask for, says wit/plugin.wit.
import host from "mcp-hub:plugin/host@0.1.0";
import type { CallError, Outcome, Request, Tool, Tools } from "mcp-hub:plugin/tools@0.1.0";

const greet: Tool = {
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

export const tools: Tools = {
  // Asked once, when the plugin is loaded.
  listTools() {
    return [greet];
  },

  // Each call finds a fresh instance: nothing is remembered.
  callTool(request: Request) {
    switch (request.name) {
      case "greet":
        return sayHello(JSON.parse(request.arguments));
      default:
        throw { tag: "unknown-tool", val: request.name } satisfies CallError;
    }
  },
};

function sayHello({ name }: { name?: unknown }): Outcome {
  // The hub does not hold the arguments against the schema.
  if (typeof name !== "string") {
    throw { tag: "invalid-arguments", val: "`name` must be a string" } satisfies CallError;
  }

  // From [config] in {{name}}.toml.
  const greeting = host.config("greeting") ?? "Hello";

  host.log("debug", `greeting ${name}`);
  host.progress(1, 1, null); // a longer tool says so on its way, too
  return text(`${greeting}, ${name}!`);
}

function text(val: string): Outcome {
  return { tag: "complete", val: { content: [{ tag: "text", val }], isError: false } };
}
