import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { type CallContext, MissingCapabilityError } from "../client.ts";
import {
  aborted,
  call,
  caller,
  connect,
  eventually,
  listed,
  sharedHub,
  start,
  text,
  tool,
} from "./harness.ts";

const hub = await sharedHub();

const NAME = {
  message: "Who are you?",
  requestedSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
} as const;
const SAMPLING = {
  method: "sampling/createMessage",
  params: { messages: [{ role: "user", content: { type: "text", text: "Hi" } }], maxTokens: 10 },
} as const;
const VISIT = {
  method: "elicitation/create",
  params: { mode: "url", message: "Sign in", url: "https://example.com/" },
} as const;

const answered = (name: string) => ({ action: "accept", content: { name } });

test("an official client is asked and the handler runs again with its answer", async (t) => {
  const signals: AbortSignal[] = [];
  const provider = await connect(t, hub, [
    tool("greet", async (_args, signal, { ask }) => {
      signals.push(signal);
      const { who } = await ask({ who: NAME });
      return who.action === "accept" ? `Hello, ${who.content!.name}!` : "Hello, nobody!";
    }),
  ]);
  const client = await caller(t, hub, { capabilities: { elicitation: { form: {} } } });
  const asked: unknown[] = [];
  client.setRequestHandler("elicitation/create", ({ params }) => {
    asked.push(params);
    return asked.length === 1
      ? { action: "accept", content: { name: "Ada" } }
      : { action: "decline" };
  });
  assert.equal(text(await client.callTool({ name: "greet", arguments: {} })), "Hello, Ada!");
  assert.deepEqual(asked, [{ mode: "form", ...NAME }]);
  assert.deepEqual(
    signals.map((signal) => signal.aborted),
    [true, false],
  );
  assert.equal(text(await client.callTool({ name: "greet", arguments: {} })), "Hello, nobody!");
  assert.deepEqual(provider.errors, []);
});

test("several questions in several steps, of every kind", async (t) => {
  let runs = 0;
  let effects = 0;
  await connect(t, hub, [
    tool("interview", async (_args, _signal, { ask }) => {
      runs++;
      const first = await ask({ who: NAME, where: { method: "roots/list" } });
      const second = await ask({ idea: SAMPLING });
      const third = await ask({ again: NAME });
      effects++;
      return [
        first.who.content!.name,
        first.where.roots[0]!.uri,
        second.idea.content.text,
        third.again.content!.name,
      ];
    }),
  ]);
  const client = await caller(t, hub, {
    capabilities: { elicitation: {}, sampling: {}, roots: {} },
  });
  client.setRequestHandler("roots/list", () => ({ roots: [{ uri: "file:///home" }] }));
  client.setRequestHandler("sampling/createMessage", () => ({
    role: "assistant" as const,
    model: "m",
    content: { type: "text" as const, text: "Ho" },
  }));
  let names = ["Ada", "Bo"];
  client.setRequestHandler("elicitation/create", () => ({
    action: "accept" as const,
    content: { name: names.shift()! },
  }));
  const result = await client.callTool({ name: "interview", arguments: {} });
  assert.equal(text(result), '["Ada","file:///home","Ho","Bo"]');
  assert.deepEqual([runs, effects], [4, 1]);
});

test("the replay goes on in another process", async () => {
  const provider = join(import.meta.dirname, "asking-provider.ts");
  const begin = async () => {
    const child = start(process.execPath, ["--no-warnings", provider, hub.url]);
    await eventually(async () => {
      assert.equal(child.exitCode, null, child.output());
      return (await listed(hub)).includes("remember");
    });
    return child;
  };
  const end = async (child: ReturnType<typeof start>) => {
    child.kill("SIGKILL");
    await once(child, "exit");
    await eventually(async () => !(await listed(hub)).includes("remember"));
  };
  const options = { capabilities: { elicitation: {} } };
  let child = await begin();
  let answer = await call(hub, "remember", {}, options);
  for (const name of ["Ada", "Bo"]) {
    assert.equal(answer.result.resultType, "input_required");
    await end(child);
    child = await begin();
    const inputResponses = { who: answered(name) };
    const { requestState } = answer.result;
    answer = await call(
      hub,
      "remember",
      {},
      { ...options, more: { inputResponses, requestState } },
    );
  }
  assert.equal(text(answer), `Ada and Bo, as ${child.pid} heard`);
  await end(child);
});

test("missing, unexpected and ill-formed answers are asked for again", async (t) => {
  await connect(t, hub, [
    tool("both", async (_args, _signal, { ask }) => {
      const { a, b } = await ask({ a: NAME, b: NAME });
      return `${a.content!.name} ${b.content!.name}`;
    }),
  ]);
  const options = { capabilities: { elicitation: { form: {} } } };
  let { result } = await call(hub, "both", {}, options);
  for (const inputResponses of [
    undefined,
    {},
    { a: answered("A") },
    { a: answered("A"), c: answered("C") },
    { a: answered("A"), b: null },
    { a: answered("A"), b: "B" },
  ]) {
    const more = { inputResponses, requestState: result.requestState };
    ({ result } = await call(hub, "both", {}, { ...options, more }));
    assert.deepEqual(Object.keys(result.inputRequests), ["a", "b"], JSON.stringify(inputResponses));
  }
  const inputResponses = { a: answered("A"), b: answered("B"), c: answered("C") };
  const more = { inputResponses, requestState: result.requestState };
  assert.equal(text(await call(hub, "both", {}, { ...options, more })), "A B");
});

test("answers that no longer fit the questions are forgotten", async (t) => {
  let key = "old";
  await connect(t, hub, [
    tool("change", async (_args, _signal, { ask }) => {
      const first = await ask({ [key]: NAME });
      const second = await ask({ more: NAME });
      return `${first[key]!.content!.name} ${second.more.content!.name}`;
    }),
  ]);
  const options = { capabilities: { elicitation: { form: {} } } };
  let { result } = await call(hub, "change", {}, options);
  const goOn = async (inputResponses: object) => {
    const more = { inputResponses, requestState: result.requestState };
    ({ result } = await call(hub, "change", {}, { ...options, more }));
  };
  await goOn({ old: answered("A") });
  assert.deepEqual(Object.keys(result.inputRequests), ["more"]);
  key = "new";
  await goOn({ more: answered("B") });
  assert.deepEqual(Object.keys(result.inputRequests), ["new"]);
  await goOn({ new: answered("C") });
  await goOn({ more: answered("D") });
  assert.deepEqual(result.content, [{ type: "text", text: "C D" }]);
});

test("what the client has not declared it is not asked", async (t) => {
  const questions = {
    form: NAME,
    url: VISIT,
    sampling: SAMPLING,
    roots: { method: "roots/list" },
  } as const;
  const tools = {
    method: "sampling/createMessage",
    params: { ...SAMPLING.params, tools: [] },
  } as const;
  const asks: Record<string, (ask: CallContext["ask"]) => Promise<unknown>> = {
    form: (ask) => ask({ q: questions.form }),
    url: (ask) => ask({ q: questions.url }),
    sampling: (ask) => ask({ q: questions.sampling }),
    tools: (ask) => ask({ q: tools }),
    roots: (ask) => ask({ q: questions.roots }),
    everything: (ask) => ask(questions),
  };
  let isCaught = false;
  await connect(t, hub, [
    tool("ask", async ({ what }, _signal, { ask }) => {
      try {
        return await asks[what]!(ask);
      } catch (error) {
        if (!isCaught) throw error;
        assert.ok(error instanceof MissingCapabilityError);
        return Object.keys(error.requiredCapabilities).join();
      }
    }),
    tool("fall-back", async (_args, _signal, { ask }) => {
      await ask({ q: VISIT }).catch(() => {});
      const { q } = await ask({ q: NAME });
      return q.content!.name;
    }),
  ]);
  const required = async (what: string, capabilities: object) => {
    const { error, result } = await call(hub, "ask", { what }, { capabilities });
    if (result) return result.resultType;
    assert.equal(error!.code, -32021);
    return error!.data.requiredCapabilities;
  };
  const cases: [what: string, capabilities: object, required: unknown][] = [
    ["form", {}, { elicitation: { form: {} } }],
    ["form", { elicitation: {} }, "input_required"],
    ["form", { elicitation: { form: {} } }, "input_required"],
    ["form", { elicitation: { url: {} } }, { elicitation: { form: {} } }],
    ["url", { elicitation: {} }, { elicitation: { url: {} } }],
    ["url", { elicitation: { url: {} } }, "input_required"],
    ["sampling", {}, { sampling: {} }],
    ["sampling", { sampling: {} }, "input_required"],
    ["tools", { sampling: {} }, { sampling: { tools: {} } }],
    ["tools", { sampling: { tools: {} } }, "input_required"],
    ["roots", {}, { roots: {} }],
    ["roots", { roots: {} }, "input_required"],
    ["everything", {}, { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} }],
  ];
  for (const [what, capabilities, expected] of cases) {
    assert.deepEqual(
      await required(what, capabilities),
      expected,
      `${what} of ${JSON.stringify(capabilities)}`,
    );
  }
  isCaught = true;
  assert.equal(text(await call(hub, "ask", { what: "everything" })), "elicitation,sampling,roots");

  // A question that could not be asked does not count when the handler is replayed.
  const options = { capabilities: { elicitation: {} } };
  const { result } = await call(hub, "fall-back", {}, options);
  const more = { inputResponses: { q: answered("Ada") }, requestState: result.requestState };
  assert.equal(text(await call(hub, "fall-back", {}, { ...options, more })), "Ada");
});

test("a state that is not ours is the caller's fault", async (t) => {
  // Nobody can forge one past the hub, so a provider that gave out another one takes part.
  let state = "";
  await connect(t, hub, [
    tool("forget", (_args, _signal, { meta }) => {
      assert.ok(meta.progressToken);
      return { resultType: "input_required", inputRequests: {}, requestState: state };
    }),
  ]);
  for (state of ["not JSON", "{}", "[1]", "null", '"text"']) {
    const { requestState } = (await call(hub, "forget")).result;
    const { error } = await call(hub, "forget", {}, { more: { requestState } });
    assert.equal(error?.code, -32602, state);
    assert.match(error!.message, /requestState/);
  }
});

test("what a handler does once it has asked is ignored", async (t) => {
  let end: Promise<Error> | undefined;
  const provider = await connect(t, hub, [
    tool("stubborn", async (_args, signal, { ask, progress }) => {
      end = aborted(signal);
      // Asks without waiting for the answer, and asks once more.
      void ask({ who: NAME });
      progress(1);
      await ask({ who: NAME }).catch(() => {});
      return "it does not matter";
    }),
    tool("large", (_args, _signal, { ask }) =>
      ask({ who: { ...NAME, message: "x".repeat(17 * 1024 * 1024) } }),
    ),
  ]);
  const options = { capabilities: { elicitation: {} } };
  const { result } = await call(hub, "stubborn", {}, options);
  assert.equal(result.resultType, "input_required");
  assert.match((await end!).message, /the client is asked first/);
  assert.match(
    text(await call(hub, "large", {}, options)),
    /^The result cannot be sent: 178\d+ bytes/,
  );
  assert.deepEqual(
    provider.errors.map(({ doing }) => doing),
    ["the result of large"],
  );
});
