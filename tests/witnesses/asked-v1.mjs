// Lets tools ask it things with the TypeScript SDK, version 1: node asked-v1.mjs URL CALLS
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CreateMessageRequestSchema, ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { answers, capabilities, texts } from "./testimony.mjs";

const [url, calls] = process.argv.slice(2);
const client = new Client({ name: "asked-v1", version: "1.0.0" }, { capabilities });
client.setRequestHandler(ElicitRequestSchema, answers.elicitation);
client.setRequestHandler(CreateMessageRequestSchema, answers.sampling);
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const legacy = await texts(JSON.parse(calls), (call) => client.callTool(call));
await client.close();
console.log(JSON.stringify({ legacy }));
