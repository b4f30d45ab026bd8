import { connectProviderClient } from "./client.js";

const greet = {
  name: "greet",
  description: "Greets someone by name",
  inputSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
};

await connectProviderClient({
  url: "http://127.0.0.1:8080",
  tools: [{ tool: greet, handler: ({ name }) => `Hello, ${name}!` }],
});
