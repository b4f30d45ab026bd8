// Looks at a hub with the TypeScript SDK, version 2, in both eras: node sdk-v2.mjs URL [TOKEN]
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { check, look } from "./testimony.mjs";

const [url, token] = process.argv.slice(2);
const headers = token ? { Authorization: `Bearer ${token}` } : {};

async function session(mode) {
  const client = new Client(
    { name: "witness-v2", version: "1.0.0" },
    { versionNegotiation: { mode } },
  );
  const { promise: changed, resolve } = Promise.withResolvers();
  client.setNotificationHandler("notifications/tools/list_changed", resolve);

  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
  await client.connect(transport);
  const [era, version] = [client.getProtocolEra(), client.getNegotiatedProtocolVersion()];

  // A legacy client is told unasked; a modern one has to listen.
  const subscription = era === "modern" && (await client.listen({ toolsListChanged: true }));
  const seen = await look({
    list: () => client.listTools(),
    call: (name, onprogress) => client.callTool({ name, arguments: {} }, { onprogress }),
    changed,
  });
  if (subscription) {
    await subscription.close();
    check((await subscription.closed) === "local", "the hub ended the subscription first");
  }
  await client.close();
  return { era, version, ...seen };
}

const legacy = await session("legacy");
const modern = await session("auto");
check(legacy.era === "legacy", `the legacy client found itself in the ${legacy.era} era`);
check(modern.era === "modern", `the probe ended in the ${modern.era} era`);
console.log(JSON.stringify({ legacy, modern }));
