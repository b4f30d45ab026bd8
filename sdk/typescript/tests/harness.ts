// A hub for a test, callers of its tools, and waiting for things to happen.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ConnectOptions,
  connectProviderClient,
  type OfferedTool,
  type ProviderClient,
  type State,
} from "../client.ts";

const BINARY = resolve(
  process.env.MCP_HUB_BIN ?? join(import.meta.dirname, "../../../target/debug/mcp-hub"),
);
/** How long anything may take to happen. */
const PATIENCE = 15_000;
const POLL = 20;
export const SECRET = "a secret of the tests, long enough for HS256";

/** Whatever is still running when the tests end is ended, however they end. */
const running = new Set<ChildProcess>();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** The environment without what would be settings of a hub. */
const ENVIRONMENT = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("MCP_HUB_")),
);

/** Starts a program that ends with the tests at the latest. */
export function start(
  command: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): ChildProcess & { output: () => string } {
  const { cwd, env } = options;
  const child = spawn(command, args, { cwd, env: { ...ENVIRONMENT, ...env } });
  running.add(child);
  child.on("exit", () => running.delete(child));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  child.on("error", (error) => (output += error));
  return Object.assign(child, { output: () => output });
}

/** Waits until `look` gives something true, and gives that. */
export async function eventually<Found>(
  look: () => Found | Promise<Found>,
  what = String(look),
  patience = PATIENCE,
): Promise<NonNullable<Found>> {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within ${patience} ms: ${what}`);
    await sleep(POLL);
  }
}

/** A port that nobody listens to, for a hub that is to come back to it. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

export interface Hub {
  readonly url: string;
  readonly port: number;
  output(): string;
  /** Ends it and waits for that. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a hub in an empty folder; `settings` as `{ LIMITS__CALL_IDLE: "1s" }`. */
export async function startHub(settings: Record<string, string> = {}, port = 0): Promise<Hub> {
  const folder = mkdtempSync(join(tmpdir(), "mcp-hub-test-"));
  const names = Object.entries(settings).map(([name, value]) => [`MCP_HUB_${name}`, value]);
  const child = start(BINARY, ["--listen", `127.0.0.1:${port}`], {
    cwd: folder,
    env: Object.fromEntries(names),
  });
  const address = /clients +http:\/\/127\.0\.0\.1:(\d+)\/mcp/;
  const found = await eventually(() => {
    if (child.exitCode !== null)
      throw new Error(`the hub ${BINARY} did not start: ${child.output()}`);
    return address.exec(child.output());
  }, "the hub says where it listens");
  const exited = once(child, "exit").then(() => rmSync(folder, { recursive: true, force: true }));
  return {
    url: `http://127.0.0.1:${found[1]}`,
    port: Number(found[1]),
    output: child.output,
    async kill(signal = "SIGTERM") {
      child.kill(signal);
      await exited;
    },
  };
}

/** A hub for all tests of a file. */
export async function sharedHub(settings: Record<string, string> = {}): Promise<Hub> {
  const hub = await startHub(settings);
  after(() => hub.kill("SIGKILL"));
  return hub;
}

/** Signs a token with `SECRET`. */
export function sign(user: string, ...more: string[]): string {
  const env = { ...ENVIRONMENT, MCP_HUB_AUTH__SECRET: SECRET };
  const args = ["token", "--user", user, ...more];
  return execFileSync(BINARY, args, { env, cwd: tmpdir(), encoding: "utf8" }).trim();
}

/** Something that is closed when the test ends. */
interface Ending {
  after(close: () => unknown): void;
}

export interface Provider extends ProviderClient {
  states: State[];
  errors: { error: unknown; doing: string }[];
}

/** Connects a provider that remembers what it was told, and goes with the test. */
export async function connect(
  t: Ending,
  hub: Pick<Hub, "url">,
  tools: OfferedTool[],
  options: Partial<ConnectOptions> = {},
): Promise<Provider> {
  const states: State[] = [];
  const errors: Provider["errors"] = [];
  const client = await connectProviderClient({
    url: hub.url,
    onStateChange: (state) => states.push(state),
    onError: (error, doing) => errors.push({ error, doing }),
    ...options,
    tools,
  });
  t.after(() => client.close());
  return Object.defineProperties(
    { states, errors },
    Object.getOwnPropertyDescriptors(client),
  ) as Provider;
}

/** A tool without arguments worth describing. */
export function tool(
  name: string,
  handler: OfferedTool["handler"],
  more: object = {},
): OfferedTool {
  return { tool: { name, inputSchema: { type: "object" }, ...more }, handler };
}

/** The official SDK as a modern client of the hub. */
export async function caller(
  t: Ending,
  hub: Hub,
  options: { token?: string; capabilities?: object; mode?: "auto" | "legacy" } = {},
): Promise<Client> {
  const { token, capabilities = {}, mode = "auto" } = options;
  const client = new Client(
    { name: "caller", version: "1.0.0" },
    { capabilities, versionNegotiation: { mode } },
  );
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
  const url = new URL(`${hub.url}/mcp`);
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
  t.after(() => client.close());
  return client;
}

export interface Answer {
  result?: any;
  error?: { code: number; message: string; data?: any };
}

const META = "io.modelcontextprotocol/";
const VERSION = "2026-07-28";

/** Sends one modern request and waits for its answer; notices that come before it are left out. */
export async function post(
  hub: Pick<Hub, "url">,
  method: string,
  params: Record<string, unknown>,
  options: { token?: string; capabilities?: object; signal?: AbortSignal } = {},
): Promise<Answer> {
  const { token, capabilities = {}, signal = AbortSignal.timeout(PATIENCE * 2) } = options;
  const _meta = {
    [`${META}protocolVersion`]: VERSION,
    [`${META}clientCapabilities`]: capabilities,
    [`${META}clientInfo`]: { name: "test", version: "1" },
  };
  const response = await fetch(`${hub.url}/mcp`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": VERSION,
      "mcp-method": method,
      ...(params.name ? { "mcp-name": String(params.name) } : {}),
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta } }),
    signal,
  });
  const text = await response.text();
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
  const messages = isStream ? text.split("\n").filter((line) => line.startsWith("data:")) : [text];
  try {
    return JSON.parse(messages.at(-1)!.replace(/^data:/, "")) as Answer;
  } catch {
    throw new Error(`the hub answered with ${response.status} ${text}`);
  }
}

/** Calls a tool and waits for its answer. */
export function call(
  hub: Pick<Hub, "url">,
  name: string,
  args: Record<string, unknown> = {},
  options: Parameters<typeof post>[3] & { more?: Record<string, unknown> } = {},
): Promise<Answer> {
  return post(hub, "tools/call", { name, arguments: args, ...options.more }, options);
}

/** The names of the tools that are listed. */
export async function listed(hub: Pick<Hub, "url">, token?: string): Promise<string[]> {
  const answer = await post(hub, "tools/list", {}, token ? { token } : {});
  return answer.result.tools.map((tool: { name: string }) => tool.name);
}

/** The text of a result. */
export function text(answer: Answer | { content?: unknown }): string {
  const result = "content" in answer ? answer : (answer as Answer).result;
  return result.content.map((part: { text: string }) => part.text).join("");
}

/** A signal for a handler to wait on, and whether it was aborted. */
export function aborted(signal: AbortSignal): Promise<Error> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason)));
}
