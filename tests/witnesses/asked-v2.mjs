// Lets tools ask it things with the TypeScript SDK, version 2, in both eras:
// node asked-v2.mjs URL CALLS
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { answers, capabilities, check, texts } from "./testimony.mjs";

const [url, calls] = process.argv.slice(2);

async function session(mode) {
  const info = { name: "asked-v2", version: "1.0.0" };
  const client = new Client(info, { capabilities, versionNegotiation: { mode } });
  client.setRequestHandler("elicitation/create", answers.elicitation);
  client.setRequestHandler("sampling/createMessage", answers.sampling);
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  const era = client.getProtocolEra();
  const said = await texts(JSON.parse(calls), (call) => client.callTool(call));
  await client.close();
  return [era, said];
}

const seen = Object.fromEntries([await session("legacy"), await session("auto")]);
check(seen.legacy && seen.modern, `only these eras were seen: ${Object.keys(seen)}`);
console.log(JSON.stringify(seen));
