// Looks at a hub with the TypeScript SDK, version 1: node sdk-v1.mjs URL [TOKEN]
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { look } from "./testimony.mjs";

const [url, token] = process.argv.slice(2);
const headers = token ? { Authorization: `Bearer ${token}` } : {};

const client = new Client({ name: "witness-v1", version: "1.0.0" });
const { promise: changed, resolve } = Promise.withResolvers();
client.setNotificationHandler(ToolListChangedNotificationSchema, resolve);

const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
await client.connect(transport);
const seen = await look({
  list: () => client.listTools(),
  call: (name, onprogress) => client.callTool({ name, arguments: {} }, undefined, { onprogress }),
  changed,
});
const version = transport.protocolVersion;
await transport.terminateSession();
await client.close();
console.log(JSON.stringify({ version, ...seen }));
