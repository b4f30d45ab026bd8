import assert from "node:assert/strict";
import { test } from "node:test";
import { RefusedToolsError, RpcError } from "../client.ts";
import {
  aborted,
  call,
  caller,
  connect,
  eventually,
  listed,
  sharedHub,
  text,
  tool,
} from "./harness.ts";

const hub = await sharedHub({
  LIMITS__PROVIDER_MESSAGE: "64 KiB",
  LIMITS__TOOL_DEFINITION: "16 KiB",
});

test("what a handler returns becomes a result", async (t) => {
  class Point {
    x = 1;
    toJSON() {
      return [this.x];
    }
  }
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  const text = (text: string) => ({ content: [{ type: "text", text }] });
  const failed = (reason: string) => ({
    ...text(`The result cannot be sent: ${reason}`),
    isError: true,
  });
  const own = { content: [{ type: "text", text: "own" }], _meta: { a: 1 } };
  const cases: [returned: unknown, result: object][] = [
    [undefined, { content: [] }],
    ["", text("")],
    ["words", text("words")],
    [4.5, text("4.5")],
    [false, text("false")],
    [null, text("null")],
    [[1, "2"], text('[1,"2"]')],
    [{ a: [1] }, { ...text('{"a":[1]}'), structuredContent: { a: [1] } }],
    [
      { content: "no result" },
      { ...text('{"content":"no result"}'), structuredContent: { content: "no result" } },
    ],
    [new Point(), text("[1]")],
    [new Date(0), text('"1970-01-01T00:00:00.000Z"')],
    [own, own],
    [
      { content: [], isError: true },
      { content: [], isError: true },
    ],
    [{ structuredContent: { b: 2 } }, { ...text('{"b":2}'), structuredContent: { b: 2 } }],
    [{ resultType: "complete", content: [] }, { content: [] }],
    [() => 1, failed("a function is no JSON")],
    [Symbol("s"), failed("a symbol is no JSON")],
    [1n, failed("Do not know how to serialize a BigInt")],
    [{ content: [{ type: "text", text: 1n }] }, failed("Do not know how to serialize a BigInt")],
    ["\ud800 alone", text("\ud800 alone")],
  ];
  const provider = await connect(t, hub, [tool("give", (args) => cases[args.which]![0])]);
  for (const [which, [returned, expected]] of cases.entries()) {
    const { result, error } = await call(hub, "give", { which });
    assert.equal(error, undefined);
    const {
      resultType,
      _meta: { "io.modelcontextprotocol/serverInfo": _, ...meta } = {},
      ...rest
    } = result;
    assert.equal(resultType, "complete");
    const seen = Object.keys(meta).length ? { ...rest, _meta: meta } : rest;
    assert.deepEqual(seen, expected, `case ${which}: ${String(returned)}`);
  }
  assert.equal(provider.state.status, "registered");
});

test("an error becomes a result, its stack goes to the log alone", async (t) => {
  const provider = await connect(t, hub, [
    tool("throw", () => Promise.reject(new Error("out of cats"))),
    tool("throw-text", () => Promise.reject("just words")),
    tool("throw-nameless", () => Promise.reject(new TypeError())),
  ]);
  for (const [name, said] of [
    ["throw", "out of cats"],
    ["throw-text", "just words"],
    ["throw-nameless", "TypeError"],
  ]) {
    const answer = await call(hub, name!);
    assert.equal(answer.result.isError, true);
    assert.equal(text(answer), said);
  }
  const [first] = provider.errors;
  assert.equal(first!.doing, "the tool throw");
  assert.match((first!.error as Error).stack!, /calls\.test/);
});

test("without onError the log is the console", async (t) => {
  const log = t.mock.method(console, "error", () => {});
  await connect(t, hub, [tool("throw", () => Promise.reject(new Error("out of cats")))], {
    onError: undefined,
  });
  await call(hub, "throw");
  assert.equal(log.mock.calls[0]!.arguments[0], "mcp-hub, the tool throw:");
});

test("an RpcError becomes that error, and the hub tries the next provider", async (t) => {
  await connect(t, hub, [tool("fickle", () => "the older one did it")]);
  await connect(t, hub, [
    tool("fickle", () => {
      throw new RpcError(-32000, "not now", { a: 1 });
    }),
  ]);
  assert.equal(text(await call(hub, "fickle")), "the older one did it");
  await connect(t, hub, [
    tool("strict", () => {
      throw new RpcError(-32602, "odd", { why: "so" });
    }),
  ]);
  const { error } = await call(hub, "strict");
  assert.deepEqual([error!.code, error!.data], [-32602, { why: "so" }]);
});

test("a result that is larger than the hub takes is told so, and the connection lives", async (t) => {
  const provider = await connect(t, hub, [tool("long", (args) => "é".repeat(args.letters))]);
  const answer = await call(hub, "long", { letters: 40_000 });
  assert.equal(answer.result.isError, true);
  assert.match(
    text(answer),
    /^The result cannot be sent: 800\d\d bytes are more than the hub's 65536$/,
  );
  assert.equal(text(await call(hub, "long", { letters: 30_000 })).length, 30_000);
  assert.equal(provider.states.filter((state) => state.status === "registered").length, 1);
});

test("a result that nests more deeply than the hub takes is told so, and the connection lives", async (t) => {
  const provider = await connect(t, hub, [
    tool("deep", ({ levels, odd }) => {
      let value: unknown = odd;
      for (let level = 0; level < levels; level++) value = [value];
      return { content: [{ type: "text", text: "deep" }], structuredContent: value };
    }),
  ]);
  // Two of the 128 levels are those of the message and the result.
  const odd = 'a "quoted\\" [[[[ text';
  const result = async (levels: number) => (await call(hub, "deep", { levels, odd })).result;
  assert.equal(JSON.stringify((await result(126)).structuredContent).split("[").length, 126 + 5);
  assert.equal(
    text(await result(127)),
    "The result cannot be sent: 129 levels are more than the hub's 128",
  );
  assert.equal(provider.states.filter((state) => state.status === "registered").length, 1);
});

test("progress and logs reach an official client", async (t) => {
  const provider = await connect(t, hub, [
    tool("work", async (_args, _signal, { progress, log, client, meta }) => {
      progress(1);
      progress(2, 3, "nearly");
      log("info", { step: 2 }, "worker");
      log("debug", "not wanted");
      // Neither of these can be sent, and neither does any harm.
      log("info", 1n);
      progress(3, 3, "é".repeat(40_000));
      return {
        info: client.info?.name,
        can: Object.keys(client.capabilities),
        level: meta["io.modelcontextprotocol/logLevel"],
      };
    }),
  ]);
  const client = await caller(t, hub, { capabilities: { roots: {} } });
  const logs: unknown[] = [];
  client.setNotificationHandler("notifications/message", ({ params }) => void logs.push(params));
  const steps: unknown[] = [];
  const result = await client.callTool(
    { name: "work", arguments: {}, _meta: { "io.modelcontextprotocol/logLevel": "info" } },
    { onprogress: (step) => void steps.push(step) },
  );
  assert.deepEqual(result.structuredContent, { info: "caller", can: ["roots"], level: "info" });
  assert.deepEqual(steps, [{ progress: 1 }, { progress: 2, total: 3, message: "nearly" }]);
  assert.deepEqual(logs, [{ level: "info", data: { step: 2 }, logger: "worker" }]);
  assert.deepEqual(
    provider.errors.map(({ doing }) => doing),
    ["a notice of work", "a notice of work"],
  );
});

test("a client of the legacy era hears progress too", async (t) => {
  await connect(t, hub, [
    tool("work", (_args, _signal, { progress, client }) => {
      progress(1, 2);
      return client.info!.name;
    }),
  ]);
  const client = await caller(t, hub, { mode: "legacy" });
  const steps: unknown[] = [];
  const result = await client.callTool(
    { name: "work", arguments: {} },
    { onprogress: (step) => void steps.push(step) },
  );
  assert.deepEqual([text(result), steps], ["caller", [{ progress: 1, total: 2 }]]);
});

test("a client that leaves aborts the signal, and what comes later is not sent", async (t) => {
  let ended: Promise<Error> | undefined;
  let late: Promise<void> | undefined;
  const sent: string[] = [];
  class Recording extends WebSocket {
    override send(data: any) {
      sent.push(data);
      super.send(data);
    }
  }
  const provider = await connect(
    t,
    hub,
    [
      tool("wait", async (_args, signal, { progress, log, ask }) => {
        ended = aborted(signal);
        const reason = await ended;
        late = (async () => {
          progress(1);
          log("error", "late");
          await assert.rejects(ask({}), reason);
        })();
        await late;
        return "late";
      }),
      tool("next", () => "still here"),
    ],
    { WebSocket: Recording },
  );
  const leaving = new AbortController();
  const left = assert.rejects(call(hub, "wait", {}, { signal: leaving.signal }));
  await eventually(() => ended !== undefined);
  leaving.abort();
  await left;
  assert.match((await ended!).message, /^the call was cancelled: /);
  await late;
  assert.equal(text(await call(hub, "next")), "still here");
  assert.equal(sent.length, 2, `${sent}`);
  assert.match(sent[0]!, /providers\/register/);
  assert.match(sent[1]!, /still here/);
  assert.deepEqual(provider.errors, []);
});

test("a call that takes too long is aborted", async (t) => {
  const impatient = await sharedHub({ LIMITS__CALL_IDLE: "300ms" });
  let reason: Promise<Error> | undefined;
  await connect(t, impatient, [tool("sleep", (_args, signal) => (reason = aborted(signal)))]);
  assert.equal((await call(impatient, "sleep")).result.isError, true);
  assert.match((await reason!).message, /cancelled/);
});

test("tools are replaced at once, and calls in flight go on", async (t) => {
  const { promise: gate, resolve: finish } = Promise.withResolvers<string>();
  let isRunning = false;
  const provider = await connect(t, hub, [
    tool("old", () => {
      isRunning = true;
      return gate;
    }),
  ]);
  const running = call(hub, "old");
  await eventually(() => isRunning);
  const long = "n".repeat(65);
  const { tools, warnings, user } = await provider.setTools([
    tool("new", () => "new"),
    tool(long, () => ""),
  ]);
  assert.equal(user, "public");
  assert.deepEqual(
    tools.toSorted((a, b) => a.name.length - b.name.length),
    [
      { name: "new", position: 1, of: 1 },
      { name: long, position: 1, of: 1 },
    ],
  );
  assert.match(warnings![0]!, /longer than 64 bytes/);
  assert.deepEqual(await listed(hub), ["new", long].sort());
  finish("finished");
  assert.equal(text(await running), "finished");
  assert.equal(text(await call(hub, "new")), "new");
  await provider.setTools([]);
  assert.deepEqual(await listed(hub), []);
});

test("a refused tool set changes nothing and names the tools", async (t) => {
  const provider = await connect(t, hub, [tool("good", () => "good")]);
  const faulty = [
    tool("good", () => "bad"),
    tool("no blanks please", () => ""),
    tool("good", () => ""),
  ];
  await assert.rejects(provider.setTools(faulty), (error: RefusedToolsError) => {
    assert.ok(error instanceof RefusedToolsError);
    assert.deepEqual(error.tools, [
      { index: 1, name: "no blanks please", reason: "`name` must match [A-Za-z0-9_.-]{1,128}" },
      { index: 2, name: "good", reason: "declared twice" },
    ]);
    assert.match(error.message, /no blanks please: `name` must match/);
    return true;
  });
  const large = tool("large", () => "", { _meta: { x: "x".repeat(70_000) } });
  await assert.rejects(
    provider.setTools([large]),
    /RefusedToolsError: the tools cannot be sent: 70\d\d\d bytes/,
  );
  assert.equal(text(await call(hub, "good")), "good");
  assert.equal(provider.state.status, "registered");
});

test("changes of the tool set take turns", async (t) => {
  const provider = await connect(t, hub, []);
  const changes = await Promise.allSettled([
    provider.setTools([tool("one", () => "")]),
    provider.setTools([tool("not good", () => "")]),
    provider.setTools([tool("two", () => ""), tool("three", () => "")]),
  ]);
  assert.deepEqual(
    changes.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  assert.deepEqual(await listed(hub), ["three", "two"]);
});

test("a tool that went while the call was on its way lets the hub try the next provider", async (t) => {
  await connect(t, hub, [tool("racy", () => "the older one")]);
  // The hub believes in a tool that this provider does not have (any more).
  class Racing extends WebSocket {
    override send(data: any) {
      super.send(data.replace('"name":"renamed"', '"name":"racy"'));
    }
  }
  await connect(t, hub, [tool("renamed", () => "the newer one")], { WebSocket: Racing });
  assert.equal(text(await call(hub, "racy")), "the older one");
});
