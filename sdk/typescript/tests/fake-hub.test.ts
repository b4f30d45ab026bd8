// What a real hub does not do on demand: a made-up WebSocket on mocked time.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  type ConnectOptions,
  connectProviderClient,
  type OfferedTool,
  type State,
} from "../client.ts";
import { tool } from "./harness.ts";

/** A socket whose other end is the test. */
class FakeSocket {
  static all: FakeSocket[] = [];
  static get last() {
    return FakeSocket.all.at(-1)!;
  }
  readyState = 0;
  bufferedAmount = 0;
  readonly sent: any[] = [];
  readonly offered: unknown;
  readonly #listeners: [string, (event: object) => void][] = [];

  constructor(_url: string, offered: unknown) {
    this.offered = offered;
    FakeSocket.all.push(this);
  }

  addEventListener(event: string, listener: (event: object) => void) {
    this.#listeners.push([event, listener]);
  }

  send(text: string) {
    this.sent.push(JSON.parse(text));
  }

  /** As a socket whose peer is silent: it closes, and that is never confirmed. */
  close() {
    this.readyState = 2;
  }

  fire(event: string, details: object = {}) {
    for (const [name, listener] of [...this.#listeners]) if (name === event) listener(details);
  }

  open() {
    this.readyState = 1;
    this.fire("open");
  }

  say(message: unknown) {
    this.fire("message", { data: typeof message === "string" ? message : JSON.stringify(message) });
  }

  registered() {
    const limits = { messageBytes: 1_000_000, callsInFlight: 1, tools: 1, jsonDepth: 64 };
    this.say({ id: this.sent.at(-1).id, result: { limits, tools: [] } });
  }

  lose(code = 1006, reason = "") {
    this.readyState = 3;
    this.fire("close", { code, reason });
  }
}

/** Lets everything happen that waits for nothing but its turn. */
const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
};

function begin(t: TestContext, tools: OfferedTool[] = [], options: Partial<ConnectOptions> = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1e12 });
  // The longest of all pauses, always.
  t.mock.method(Math, "random", () => 1);
  FakeSocket.all = [];
  const states: State[] = [];
  const errors: string[] = [];
  const connecting = connectProviderClient({
    url: "http://hub.invalid",
    WebSocket: FakeSocket as any,
    onStateChange: (state) => states.push(state),
    onError: (_error, doing) => errors.push(doing),
    ...options,
    tools,
  });
  connecting.catch(() => {});
  const pauses = () => states.flatMap((state) => (state.status === "waiting" ? state.delay : []));
  const tick = async (milliseconds: number) => {
    await settle();
    t.mock.timers.tick(milliseconds);
    await settle();
  };
  /** Connects, and registers. */
  const ready = async () => {
    await settle();
    FakeSocket.last.open();
    FakeSocket.last.registered();
    const client = await connecting;
    // On mocked time nobody waits for its end.
    t.after(() => void client.close());
    return client;
  };
  return { connecting, states, errors, pauses, tick, ready };
}

const callOf = (id: number, name: string, more: object = {}) => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: {}, _meta: { progressToken: id }, ...more },
});

test("a silent hub is pinged, and dropped if it stays silent", async (t) => {
  let reason: string | undefined;
  const { ready, tick, states } = begin(t, [
    tool(
      "hang",
      (_args, signal) =>
        new Promise(() => signal.addEventListener("abort", () => (reason = signal.reason.message))),
    ),
  ]);
  await ready();
  const socket = FakeSocket.last;
  socket.say(callOf(1, "hang"));
  await tick(29_000);
  assert.deepEqual(socket.sent.slice(1), []);
  await tick(1_000);
  assert.equal(socket.sent[1].method, "ping");
  // It answers once …
  socket.say({ id: socket.sent[1].id, result: {} });
  await tick(30_000);
  assert.equal(socket.sent.length, 3);
  // … and then no more.
  await tick(19_000);
  assert.equal(states.at(-1)!.status, "registered");
  await tick(1_000);
  assert.deepEqual(states.at(-1), {
    status: "waiting",
    attempt: 0,
    delay: 500,
    reason: "the hub does not answer",
  });
  assert.equal(socket.readyState, 2);
  assert.match(reason!, /does not answer/);
  await tick(500);
  assert.equal(FakeSocket.all.length, 2);
});

test("a refused tool set is no silence", async (t) => {
  const { ready, tick, states } = begin(t);
  const client = await ready();
  const socket = FakeSocket.last;
  const change = assert.rejects(
    client.setTools([tool("bad", () => "")]),
    /^RefusedToolsError: no; bad: just so; #1: nor this$/,
  );
  await settle();
  const tools = [
    { index: 0, name: "bad", reason: "just so" },
    { index: 1, name: null, reason: "nor this" },
  ];
  socket.say({
    id: socket.sent.at(-1).id,
    error: { code: -32602, message: "no", data: { tools } },
  });
  await change;
  await tick(29_000);
  assert.equal(states.at(-1)!.status, "registered");
  await tick(1_000);
  assert.equal(socket.sent.at(-1).method, "ping");
});

test("a hub that never opens the socket, or never registers, is given up", async (t) => {
  t.mock.method(globalThis, "fetch", () => Promise.reject(new Error("unreachable")));
  const { tick, states, connecting } = begin(t);
  await settle();
  await tick(20_000);
  assert.deepEqual(states.at(-1), {
    status: "waiting",
    attempt: 1,
    delay: 500,
    reason: "the hub cannot be reached: unreachable",
  });
  await tick(500);
  FakeSocket.last.open();
  await tick(19_000);
  // Whatever else the hub says meanwhile.
  FakeSocket.last.say({ id: 9, method: "ping" });
  await tick(1_000);
  assert.deepEqual(states.at(-1), {
    status: "waiting",
    attempt: 2,
    delay: 1_000,
    reason: "the hub does not answer",
  });
  await tick(1_000);
  // A socket that opens after it was given up is of no use.
  FakeSocket.all[0]!.open();
  assert.deepEqual(FakeSocket.all[0]!.sent, []);
  FakeSocket.last.open();
  FakeSocket.last.registered();
  void (await connecting).close();
});

test("pauses double up to half a minute, and a good connection makes them short again", async (t) => {
  t.mock.method(globalThis, "fetch", () => Promise.reject(new Error("unreachable")));
  const { ready, tick, pauses } = begin(t);
  await settle();
  for (let failures = 0; failures < 9; failures++) {
    FakeSocket.last.lose();
    await settle();
    await tick(30_000);
  }
  const expected = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000];
  assert.deepEqual(pauses(), expected);
  await ready();
  // A connection that breaks at once is none …
  FakeSocket.last.lose();
  await tick(30_000);
  assert.equal(pauses().at(-1), 30_000);
  // … but one that lasts is.
  FakeSocket.last.open();
  FakeSocket.last.registered();
  await tick(5_000);
  FakeSocket.last.lose();
  await settle();
  assert.equal(pauses().at(-1), 500);
});

test("the jitter is full", async (t) => {
  t.mock.method(globalThis, "fetch", () => Promise.reject(new Error("unreachable")));
  const { pauses } = begin(t);
  t.mock.method(Math, "random", () => 0.25);
  await settle();
  FakeSocket.last.lose();
  await settle();
  assert.deepEqual(pauses(), [125]);
});

test("a hub that asks to be left alone for a while is", async (t) => {
  const answers = [
    new Response("busy", { status: 429, headers: { "retry-after": "7" } }),
    new Response("very busy", { status: 429, headers: { "retry-after": "86400" } }),
    new Response("busy", { status: 429, headers: { "retry-after": "soon" } }),
    new Response("elsewhere", { status: 404 }),
  ];
  t.mock.method(globalThis, "fetch", async () => answers.shift());
  const { tick, pauses, states } = begin(t);
  await settle();
  for (let failures = 0; failures < 4; failures++) {
    FakeSocket.last.fire("error");
    await settle();
    await tick(400_000);
  }
  assert.deepEqual(pauses(), [7_500, 301_000, 2_000, 4_000]);
  assert.deepEqual(
    states.flatMap((state) => (state.status === "waiting" ? state.reason : [])),
    ["429 busy", "429 very busy", "429 busy", "404 elsewhere"],
  );
});

test("it connects at once when the network is back", async (t) => {
  const network = new EventTarget();
  const listeners = {
    addEventListener: network.addEventListener.bind(network),
    removeEventListener: network.removeEventListener.bind(network),
  };
  Object.assign(globalThis, listeners);
  t.after(() =>
    Object.assign(globalThis, { addEventListener: undefined, removeEventListener: undefined }),
  );
  const { ready } = begin(t);
  await ready();
  FakeSocket.last.lose();
  await settle();
  assert.equal(FakeSocket.all.length, 1);
  network.dispatchEvent(new Event("online"));
  await settle();
  assert.equal(FakeSocket.all.length, 2);
});

test("what is no message, or none that is known, does no harm", async (t) => {
  const { ready, errors, states } = begin(t, [tool("hello", () => "Hello")]);
  await ready();
  const socket = FakeSocket.last;
  for (const frame of [
    "",
    "{",
    "null",
    "5",
    "[]",
    '"text"',
    "{}",
    '{"id":99,"result":{}}',
    '{"method":"notifications/new"}',
  ]) {
    socket.say(frame);
  }
  socket.fire("message", { data: new ArrayBuffer(2) });
  socket.say({ method: "notifications/cancelled", params: { requestId: 77 } });
  socket.say({ method: "notifications/cancelled" });
  socket.say({ id: 5, method: "tools/call" });
  await settle();
  assert.deepEqual(socket.sent.slice(1), []);
  assert.equal(errors.length, 6, errors.join());
  socket.say({ id: 6, method: "ping" });
  socket.say({ id: "a", method: "sampling/createMessage" });
  socket.say(callOf(7, "hello"));
  socket.say(callOf(8, "unknown"));
  await settle();
  assert.deepEqual(
    socket.sent.slice(1),
    [
      { jsonrpc: "2.0", id: 6, result: {} },
      {
        jsonrpc: "2.0",
        id: "a",
        error: { code: -32601, message: "there is no method sampling/createMessage here" },
      },
      { jsonrpc: "2.0", id: 8, error: { code: -32601, message: "there is no tool unknown here" } },
      { jsonrpc: "2.0", id: 7, result: { content: [{ type: "text", text: "Hello" }] } },
    ].sort(
      (a, b) =>
        Number(socket.sent.findIndex((sent) => sent.id === a.id)) -
        socket.sent.findIndex((sent) => sent.id === b.id),
    ),
  );
  assert.equal(states.at(-1)!.status, "registered");
});

test("nothing of a call goes to another connection than the one it came on", async (t) => {
  const finish: ((result: string) => void)[] = [];
  const signals: AbortSignal[] = [];
  const { ready, tick } = begin(t, [
    tool("wait", (_args, signal, { progress }) => {
      signals.push(signal);
      return new Promise<string>((resolve) => finish.push(resolve)).finally(() => progress(1));
    }),
  ]);
  await ready();
  const first = FakeSocket.last;
  first.say(callOf(1, "wait"));
  await settle();
  first.lose();
  assert.equal(signals[0]!.aborted, true);
  await tick(1_000);
  const second = FakeSocket.last;
  assert.notEqual(second, first);
  second.open();
  second.registered();
  // The new connection has a call of the same id.
  second.say(callOf(1, "wait"));
  await settle();
  finish[0]!("of the first");
  await settle();
  assert.equal(first.sent.length, 1);
  assert.equal(second.sent.length, 1);
  // What the old socket still says is not for this connection either.
  first.say({ method: "notifications/cancelled", params: { requestId: 1 } });
  assert.equal(signals[1]!.aborted, false);
  finish[1]!("of the second");
  await settle();
  assert.deepEqual(
    second.sent.slice(1).map(({ method, result }) => method ?? result.content[0].text),
    ["notifications/progress", "of the second"],
  );
});

test("a network that does not keep up loses progress, not results", async (t) => {
  const { ready } = begin(t, [
    tool("busy", (_args, _signal, { progress, log }) => {
      progress(1);
      log("info", "one");
      return "done";
    }),
  ]);
  await ready();
  const socket = FakeSocket.last;
  socket.bufferedAmount = 4 * 1024 * 1024 + 1;
  socket.say(callOf(1, "busy"));
  await settle();
  assert.deepEqual(
    socket.sent.slice(1).map(({ id }) => id),
    [1],
  );
  // And nothing at all goes to a socket that is closing.
  socket.readyState = 2;
  socket.say(callOf(2, "busy"));
  await settle();
  assert.equal(socket.sent.length, 2);
});

test("the token goes into the header where that can be done, else into a subprotocol", async (t) => {
  const offers: unknown[][] = [];
  class Native extends FakeSocket {
    constructor(url: string, ...more: unknown[]) {
      offers.push(more);
      super(url, more);
    }
  }
  class Browser extends Native {
    constructor(url: string, protocols: unknown) {
      if (!Array.isArray(protocols)) throw new SyntaxError("[object Object] is no subprotocol");
      super(url, protocols);
    }
  }
  class Emitter extends Native {
    on() {}
  }
  for (const [WebSocket, token] of [
    [Native, "t"],
    [Browser, "t"],
    [Emitter, "t"],
    [Native, undefined],
  ] as const) {
    const { ready } = begin(t, [], { WebSocket: WebSocket as any, token });
    void (await ready()).close();
    t.mock.timers.reset();
  }
  const headers = { authorization: "Bearer t" };
  assert.deepEqual(offers, [
    [{ protocols: ["mcp-hub.v1"], headers }],
    [["mcp-hub.v1", "bearer.t"]],
    [["mcp-hub.v1"], { headers }],
    [["mcp-hub.v1"]],
  ]);
});

test("where there is no WebSocket it says what to do", async (t) => {
  const { WebSocket } = globalThis;
  Object.assign(globalThis, { WebSocket: undefined });
  t.after(() => Object.assign(globalThis, { WebSocket }));
  await assert.rejects(
    connectProviderClient({ url: "http://hub.invalid", tools: [] }),
    /pass one as `WebSocket`/,
  );
});

test("a socket that does not answer the farewell is torn down where that can be done", async (t) => {
  let isTorn = false;
  class Stubborn extends FakeSocket {
    terminate() {
      isTorn = true;
    }
  }
  const { ready, tick } = begin(t, [], { WebSocket: Stubborn as any });
  const client = await ready();
  let isClosed = false;
  void client.close().then(() => (isClosed = true));
  await tick(1_999);
  assert.equal(isClosed, false);
  await tick(1);
  assert.deepEqual([isClosed, isTorn], [true, true]);
});
