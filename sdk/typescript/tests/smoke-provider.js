// The provider of the smoke test, which any runtime can run:
// RUNTIME tests/smoke-provider.js CLIENT URL TOKEN [ws]

/** Offers tools that show progress, abortion and an end; `client` is the module to be tried. */
export async function provide(client, url, token, options = {}) {
  const seen = { started: 0, aborted: 0 };
  const inputSchema = { type: "object" };
  const provider = await client.connectProviderClient({
    url,
    token,
    ...options,
    tools: [
      {
        tool: { name: "count", inputSchema },
        handler(_args, _signal, { progress }) {
          for (let n = 1; n <= 3; n++) progress(n, 3);
          return "counted";
        },
      },
      {
        tool: { name: "hang", inputSchema },
        handler(_args, signal) {
          seen.started++;
          return new Promise((resolve) => {
            signal.addEventListener("abort", () => {
              seen.aborted++;
              resolve("too late");
            });
          });
        },
      },
      { tool: { name: "seen", inputSchema }, handler: () => seen },
      { tool: { name: "leave", inputSchema }, handler: () => void provider.close() },
    ],
  });
}

// In a browser a page calls it.
if (globalThis.process?.argv[2]) {
  const [, , path, url, token, WebSocketPackage] = process.argv;
  const options = WebSocketPackage ? { WebSocket: (await import(WebSocketPackage)).WebSocket } : {};
  try {
    await provide(await import(path), url, token, options);
  } catch (error) {
    console.log(error.name, error.code);
  }
}
