// A provider made with our client for JavaScript, whose tools ask: node asking-provider.mjs URL
import { connectProviderClient } from "../../sdk/typescript/client.js";

const tool = (name) => ({ name, inputSchema: { type: "object" } });
const properties = { name: { type: "string" } };
const prompt = { role: "user", content: { type: "text", text: "Say something." } };

await connectProviderClient({
  url: process.argv[2],
  name: "asking-provider",
  tools: [
    {
      tool: tool("ask_person"),
      async handler(_args, _signal, { ask }) {
        const form = { message: "Name?", requestedSchema: { type: "object", properties } };
        const { who } = await ask({ who: form });
        return `${who.content.name} ${who.action}ed`;
      },
    },
    {
      tool: tool("ask_model"),
      async handler(_args, _signal, { ask }) {
        const params = { messages: [prompt], maxTokens: 10 };
        const { words } = await ask({ words: { method: "sampling/createMessage", params } });
        return `it said ${words.content.text}`;
      },
    },
  ],
});
