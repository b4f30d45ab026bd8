import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import {
  ConnectionRefusedError,
  connectProviderClient,
  RefusedToolsError,
  type State,
} from "../client.ts";
import {
  aborted,
  call,
  connect,
  eventually,
  freePort,
  listed,
  type Provider,
  SECRET,
  sharedHub,
  sign,
  start,
  startHub,
  text,
  tool,
} from "./harness.ts";

const hub = await sharedHub({ AUTH__SECRET: SECRET });
const open = await sharedHub();

const closed = ({ state }: Provider) => (state.status === "closed" ? state : undefined);
const hello = tool("hello", () => "Hello");

test("every way to write the hub's URL leads to it", async (t) => {
  const { url } = open;
  const ws = url.replace("http", "ws");
  for (const form of [
    url,
    `${url}/`,
    `${url}/mcp`,
    `${url}/mcp/`,
    `${url}/clients/ws`,
    `${ws}`,
    `${ws}/mcp#x`,
    new URL(url),
  ]) {
    const provider = await connect(t, open, [hello], { url: form });
    assert.equal(provider.state.status, "registered", `${form}`);
    await provider.close();
  }
  await assert.rejects(
    connectProviderClient({ url: "localhost:8080", tools: [] }),
    /not of localhost:/,
  );
  await assert.rejects(connectProviderClient({ url: "nonsense", tools: [] }), {
    code: "ERR_INVALID_URL",
  });
});

test("a prefix of the path is kept", async () => {
  const urls: string[] = [];
  class Noting {
    constructor(url: string) {
      urls.push(url);
      throw new Error("enough");
    }
  }
  for (const path of ["/hub", "/hub/", "/hub/mcp", "/mcp/mcp", "/clients/ws?a=b"]) {
    const url = `https://example.com${path}`;
    await assert.rejects(
      connectProviderClient({ url, tools: [], WebSocket: Noting as any }),
      /enough/,
    );
  }
  assert.deepEqual(urls, [
    "wss://example.com/hub/clients/ws",
    "wss://example.com/hub/clients/ws",
    "wss://example.com/hub/clients/ws",
    "wss://example.com/mcp/clients/ws",
    "wss://example.com/clients/ws?a=b",
  ]);
});

test("a good token lets in, and the tools are its user's", async (t) => {
  const token = sign("alice");
  const provider = await connect(t, hub, [hello], { token, name: "worker", version: "1.2.3" });
  assert.equal(provider.state.status === "registered" && provider.state.registration.user, "alice");
  assert.deepEqual(await listed(hub, token), ["hello"]);
  assert.deepEqual(await listed(hub, sign("bob")), []);
});

test("a missing, bad, expired or too narrow token is refused for good", async () => {
  const cases: [token: string | undefined, code: number, reason: RegExp][] = [
    [undefined, 401, /token/],
    ["nonsense", 401, /token/],
    [sign("alice", "--ttl", "1s"), 401, /expired/],
    [sign("alice", "--scope", "mcp:tools"), 403, /mcp:provide/],
  ];
  const { exp } = JSON.parse(atob(cases[2]![0]!.split(".")[1]!));
  // The hub allows no leeway beyond its own; wait until it takes the token for expired.
  await eventually(
    async () =>
      Date.now() / 1000 > exp &&
      (
        await fetch(`${hub.url}/mcp`, {
          headers: { authorization: `Bearer ${cases[2]![0]}` },
        })
      ).status === 401,
    "the token expires",
    90_000,
  );
  for (const [token, code, reason] of cases) {
    const states: State[] = [];
    const options = {
      url: hub.url,
      token,
      tools: [hello],
      onStateChange: (state: State) => states.push(state),
    };
    await assert.rejects(connectProviderClient(options), (error: ConnectionRefusedError) => {
      assert.ok(error instanceof ConnectionRefusedError);
      assert.equal(error.code, code);
      assert.match(error.message, reason);
      return true;
    });
    assert.deepEqual(
      states.map(({ status }) => status),
      ["connecting", "closed"],
    );
  }
});

test("a letter that no token has is refused without asking the hub, or telling the token", async () => {
  await assert.rejects(
    connectProviderClient({ url: hub.url, token: "a\u4e00", tools: [] }),
    TypeError,
  );
  class Talkative {
    constructor(_url: string, protocols: string[]) {
      throw new SyntaxError(`bad: ${protocols}`);
    }
  }
  const options = { url: hub.url, token: "secret", tools: [], WebSocket: Talkative as any };
  await assert.rejects(connectProviderClient(options), /bad: mcp-hub\.v1,bearer\.…$/);
});

test("an expired token is renewed by the function, a fixed one ends the client", async (t) => {
  let asked = 0;
  const renewed = await connect(t, hub, [tool("renewed", () => "again")], {
    token: () => sign("carol", "--ttl", ++asked === 1 ? "2s" : "1h"),
  });
  const fixed = await connect(t, hub, [tool("fixed", () => "once")], {
    token: sign("carol", "--ttl", "2s"),
  });
  const end = await eventually(() => closed(fixed), "refused", 90_000);
  assert.equal((end.error as ConnectionRefusedError).code, 401);
  assert.deepEqual(
    fixed.errors.map(({ doing }) => doing),
    ["connecting"],
  );
  await eventually(() => renewed.state.status === "registered" && asked > 1);
  const waiting = renewed.states.find((state) => state.status === "waiting");
  assert.match(waiting!.reason, /^4401 /);
  assert.equal(text(await call(hub, "renewed", {}, { token: sign("carol") })), "again");
  await assert.rejects(fixed.setTools([]), ConnectionRefusedError);
});

test("a token function that fails is asked again", async (t) => {
  let asked = 0;
  const provider = await connect(t, hub, [hello], {
    token: async () => {
      if (++asked === 1) throw new Error("the vault is closed");
      return sign("dora");
    },
  });
  assert.deepEqual(
    provider.states.map(({ status }) => status),
    ["connecting", "waiting", "connecting", "registered"],
  );
  assert.deepEqual(
    provider.states.flatMap((state) => (state.status === "waiting" ? state.reason : [])),
    ["no token: the vault is closed"],
  );
  assert.deepEqual(
    provider.errors.map(({ doing }) => doing),
    ["asking for the token"],
  );
});

test("a tool set that is refused from the start ends the client", async () => {
  const states: State[] = [];
  await assert.rejects(
    connectProviderClient({
      url: open.url,
      tools: [tool("a b", () => "")],
      onStateChange: (s) => states.push(s),
    }),
    (error: RefusedToolsError) =>
      error instanceof RefusedToolsError && error.tools[0]!.name === "a b",
  );
  assert.deepEqual(
    states.map(({ status }) => status),
    ["connecting", "closed"],
  );
  const unspeakable = tool("unspeakable", () => "", { _meta: { n: 1n } });
  await assert.rejects(
    connectProviderClient({ url: open.url, tools: [unspeakable] }),
    /the tools cannot be sent/,
  );
});

test("a tool set too large for a first message is refused", async () => {
  const small = await sharedHub({
    LIMITS__PROVIDER_MESSAGE: "64 KiB",
    LIMITS__TOOL_DEFINITION: "16 KiB",
  });
  const tools = Array.from({ length: 100 }, (_, n) =>
    tool(`t${n}`, () => "", { description: "x".repeat(1000) }),
  );
  await assert.rejects(
    connectProviderClient({ url: small.url, tools }),
    /RefusedToolsError: the message is too large/,
  );
});

test("the same instanceId connected elsewhere ends the client", async (t) => {
  const first = await connect(t, open, [hello], { instanceId: "one" });
  await connect(t, open, [hello], { instanceId: "one" });
  const end = await eventually(() => closed(first));
  assert.equal((end.error as ConnectionRefusedError).code, 4409);
});

test("a hub that goes and comes back has the tools again, and calls that hung are aborted", async (t) => {
  const port = await freePort();
  const begin = () => startHub({ GRACE: "200ms" }, port);
  let mine = await begin();
  t.after(() => mine.kill("SIGKILL"));
  let reason: Promise<Error> | undefined;
  const hang = tool("hang", (_args, signal) => (reason = aborted(signal)).then(() => "late"));
  const provider = await connect(t, mine, [hello, hang]);
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    reason = undefined;
    const outcome = call(mine, "hang").catch(() => "broken");
    await eventually(() => reason !== undefined);
    await mine.kill(signal);
    assert.match((await reason!).message, /the hub is gone|the call was cancelled/);
    await outcome;
    await eventually(() => provider.state.status === "waiting");
    // Tools that are changed meanwhile are changed with the next connection.
    const name = `after-${signal}`;
    const change = provider.setTools([hello, hang, tool(name, () => "new")]);
    mine = await begin();
    assert.equal((await change).tools.length, 3);
    assert.deepEqual(await listed(mine), [name, "hang", "hello"]);
    assert.equal(text(await call(mine, "hello")), "Hello");
  }
  assert.deepEqual(provider.errors, []);
});

test("tools that are refused while disconnected leave the old ones on offer", async (t) => {
  const port = await freePort();
  let mine = await startHub({}, port);
  t.after(() => mine.kill("SIGKILL"));
  const provider = await connect(t, mine, [hello]);
  await mine.kill("SIGKILL");
  await eventually(() => provider.state.status === "waiting");
  const refused = assert.rejects(provider.setTools([tool("a b", () => "")]), RefusedToolsError);
  mine = await startHub({}, port);
  await refused;
  await eventually(() => provider.state.status === "registered");
  assert.deepEqual(await listed(mine), ["hello"]);
});

test("tools that were taken once and then are not are offered again later", async (t) => {
  const port = await freePort();
  let mine = await startHub({}, port);
  t.after(() => mine.kill("SIGKILL"));
  const provider = await connect(t, mine, [hello, tool("second", () => "")]);
  await mine.kill("SIGKILL");
  const narrow = await startHub({ LIMITS__TOOLS_PER_PROVIDER: "1" }, port);
  const isRefused = (state: State) =>
    state.status === "waiting" && state.reason.includes("limits.tools_per_provider");
  await eventually(() => provider.states.some(isRefused));
  await narrow.kill("SIGKILL");
  mine = await startHub({}, port);
  await eventually(() => provider.state.status === "registered", "registered", 30_000);
  assert.equal((await listed(mine)).length, 2);
});

test("it waits for a hub that is not up yet, and gives up when told to", async (t) => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const early = connect(t, { url }, [hello]);
  const impatient = connectProviderClient({
    url,
    tools: [hello],
    signal: AbortSignal.timeout(100),
  });
  await assert.rejects(impatient, { name: "TimeoutError" });
  const never = connectProviderClient({ url, tools: [hello], signal: AbortSignal.abort() });
  await assert.rejects(never, { name: "AbortError" });
  const late = await startHub({}, port);
  t.after(() => late.kill("SIGKILL"));
  const provider = await early;
  assert.ok(provider.states.length > 2);
  assert.match(
    provider.states.flatMap((s) => (s.status === "waiting" ? s.reason : [])).join(),
    /cannot be reached/,
  );
});

test("a hub that has enough connections is left alone as long as it asks for", async (t) => {
  const full = await sharedHub({ LIMITS__PROVIDERS_PER_USER: "1" });
  const url = `${full.url.replace("http", "ws")}/clients/ws`;
  const others = [new WebSocket(url), new WebSocket(url)];
  t.after(() => others.forEach((other) => other.close()));
  await Promise.all(others.map((other) => once(other, "open")));
  const giveUp = new AbortController();
  let waiting: State | undefined;
  const connecting = connectProviderClient({
    url: full.url,
    tools: [],
    signal: giveUp.signal,
    onStateChange(state) {
      if (state.status !== "waiting") return;
      waiting = state;
      giveUp.abort();
    },
  });
  await assert.rejects(connecting, { name: "AbortError" });
  assert.ok(waiting?.status === "waiting");
  assert.match(waiting.reason, /^429 .*provider connections/);
  assert.ok(waiting.delay >= 5_000 && waiting.delay <= 5_500, `${waiting.delay}`);
});

test("the signal that gives up does not end a client that is connected", async (t) => {
  const giveUp = new AbortController();
  const provider = await connect(t, open, [hello], { signal: giveUp.signal });
  giveUp.abort();
  assert.equal(provider.state.status, "registered");
});

test("close() aborts calls, takes the tools away and is final", async (t) => {
  let reason: Promise<Error> | undefined;
  const provider = await connect(t, open, [
    tool("hang", (_args, signal) => (reason = aborted(signal))),
  ]);
  const answer = call(open, "hang");
  await eventually(() => reason !== undefined);
  await provider.close();
  assert.match((await reason!).message, /the client is closed/);
  assert.match(text(await answer), /./);
  assert.deepEqual(provider.state, { status: "closed" });
  await assert.rejects(provider.setTools([]), /the client is closed/);
  await provider.close();
  await eventually(async () => !(await listed(open)).includes("hang"));
});

test("close() while it waits to connect again rejects what waited for that", async (t) => {
  const port = await freePort();
  const mine = await startHub({}, port);
  const provider = await connect(t, mine, [hello]);
  await mine.kill("SIGKILL");
  await eventually(() => provider.state.status === "waiting");
  const change = provider.setTools([]);
  await Promise.all([assert.rejects(change, /the client is closed/), provider.close()]);
});

test("a state handler that throws or closes does no harm", async (t) => {
  const port = await freePort();
  const mine = await startHub({}, port);
  const provider = await connect(t, mine, [hello], {
    onStateChange(state) {
      if (state.status === "waiting") void provider.close();
      throw new Error(`at ${state.status}`);
    },
    onError() {
      throw new Error("nor this");
    },
  });
  await mine.kill("SIGKILL");
  await eventually(() => provider.state.status === "closed");
});

test("a process ends by itself after close()", async () => {
  const program = `
    import { connectProviderClient } from ${JSON.stringify(new URL("../client.ts", import.meta.url).href)};
    const client = await connectProviderClient({ url: ${JSON.stringify(open.url)}, tools: [] });
    console.log("registered");
    const begun = performance.now();
    await client.close();
    process.on("exit", () => console.log("after", performance.now() - begun));
  `;
  const child = start(process.execPath, ["--no-warnings", "--input-type=module", "-e", program]);
  const [code] = await once(child, "close");
  assert.equal(code, 0, child.output());
  const [, milliseconds] = /registered\nafter (.*)\n/.exec(child.output())!;
  assert.ok(Number(milliseconds) < 1_500, child.output());
});
