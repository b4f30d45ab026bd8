// A server over stdio that does what servers do and should not: node odd-server.mjs ERA
//
// ERA is `legacy`, `modern`, or `brittle`: legacy, and it ends when anything comes before `initialize`.
//
// Not a witness but a suspect: written by hand, without an SDK, so that every byte is known.
import { createInterface } from "node:readline";

const isBrittle = process.argv[2] === "brittle";
const era = isBrittle ? "legacy" : (process.argv[2] ?? "legacy");
const tools = new Map();
const info = { name: "odd\u0007", version: "" };
const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");
const raw = (id, result) => process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":${result}}\n`);
const add = (name, more = {}) =>
  tools.set(name, { name, description: `does ${name}`, inputSchema: { type: "object" }, ...more });

for (const name of ["verbatim", "stall", "log", "change", "die", "ask", "meta", "deep", "environment", "fail", "burst", "last"]) add(name);
add("fail_safely", { annotations: { idempotentHint: true } });
add("die_safely", { annotations: { readOnlyHint: true } });
const waiting = new Map(); // calls that stall, by id
const asked = new Map(); // calls by the id of the question they wait for
let listening;

function changed() {
  const about = { "io.modelcontextprotocol/subscriptionId": listening };
  const params = era === "modern" ? { params: { _meta: about } } : {};
  say({ method: "notifications/tools/list_changed", ...params });
}

const calls = {
  verbatim: (id, _, line) => {
    // The arguments as they came, in a result no library would write.
    const given = line.match(/"arguments":(.*),"_meta"/)[1];
    raw(id, `{"content":[] ,"structuredContent":{"given":${given}},"odd":[1.50,123456789012345678901234567890]}`);
  },
  stall: (id) => {
    waiting.set(id);
    add("is_stalling");
    changed();
  },
  log: (id, params) => {
    const { progressToken } = params._meta;
    say({ method: "notifications/message", params: { level: "warning", data: { odd: true } } });
    say({ method: "notifications/progress", params: { progressToken, progress: 1, total: 2.5 } });
    raw(id, `{"content":[{"type":"text","text":"logged"}]}`);
  },
  change: (id) => {
    add("new");
    changed();
    raw(id, `{"content":[]}`);
  },
  deep: (id) => raw(id, `{"content":[],"structuredContent":{"a":${"[".repeat(200)}${"]".repeat(200)}}}`),
  fail: (id) => {
    console.error("fail was run");
    say({ id, error: { code: -32000, message: "no such file", data: { path: "x" } } });
  },
  fail_safely: (id) => say({ id, error: { code: -32000, message: "no such file" } }),
  burst: (id, params) => {
    const { progressToken } = params._meta;
    for (let progress = 1; progress <= 1000; progress++) say({ method: "notifications/progress", params: { progressToken, progress } });
    calls.ask(id, params);
  },
  last: (id) => {
    const text = "x".repeat(4_000_000);
    process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"${text}"}]}}\n`, () => process.exit(0));
  },
  die: () => process.exit(7),
  die_safely: () => process.exit(7),
  environment: (id) => {
    const names = Object.keys(process.env).filter((name) => name.startsWith("MCP_HUB"));
    raw(id, JSON.stringify({ content: [{ type: "text", text: names.join() }] }));
  },
  meta: (id, { _meta }) => raw(id, JSON.stringify({ content: [], structuredContent: _meta })),
  ask: (id, params) => {
    const question = { method: "elicitation/create", params: { zebra: 1, message: "Name?", apple: 2 } };
    if (era === "legacy") {
      asked.set(`question-${id}`, id);
      return say({ id: `question-${id}`, ...question });
    }
    if (!params.inputResponses?.k) {
      const result = { resultType: "input_required", inputRequests: { k: question }, requestState: "mine" };
      return raw(id, JSON.stringify(result));
    }
    const text = JSON.stringify([params.requestState, params.inputResponses.k]);
    raw(id, JSON.stringify({ content: [{ type: "text", text }] }));
  },
};

const answers = {
  "server/discover": (id) =>
    era === "modern" &&
    raw(id, JSON.stringify({
      resultType: "complete", supportedVersions: ["2026-07-28"], capabilities: { tools: { listChanged: true } },
      _meta: { "io.modelcontextprotocol/serverInfo": info },
    })),
  initialize: (id) =>
    era === "legacy" &&
    raw(id, JSON.stringify({
      protocolVersion: "2025-06-18", capabilities: { tools: { listChanged: true }, logging: {} }, serverInfo: info,
    })),
  "logging/setLevel": (id) => raw(id, "{}"),
  // In two pages, with a tool that is there twice and one that no hub takes.
  "tools/list": (id, params) => {
    const [first, ...rest] = tools.values();
    const page = params.cursor === "rest"
      ? { tools: [...rest, first, { ...first, name: "not a name" }] }
      : { tools: [first], nextCursor: "rest" };
    if (params.cursor) page.nextCursor = "";
    raw(id, JSON.stringify(page));
  },
  "tools/call": (id, params, line) => (calls[params.name] ? calls[params.name](id, params, line) : false),
  "subscriptions/listen": (id) => {
    listening = id;
    const about = { "io.modelcontextprotocol/subscriptionId": id };
    say({ method: "notifications/subscriptions/acknowledged", params: { _meta: about, notifications: { toolsListChanged: true } } });
  },
};

process.stdout.write("Welcome to the odd server!\n\n");
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params, result, error } = JSON.parse(line);
  if (isBrittle && method === "server/discover") process.exit(1);
  if (method === "notifications/cancelled") {
    if (waiting.delete(params.requestId)) {
      add("was_cancelled");
      changed();
    }
  } else if (asked.has(id)) {
    const text = JSON.stringify(result ?? error);
    raw(asked.get(id), JSON.stringify({ content: [{ type: "text", text }] }));
    asked.delete(id);
  } else if (id !== undefined && answers[method]?.(id, params, line) === false) {
    say({ id, error: { code: -32601, message: `no ${method} here` } });
  }
}
