import assert from "node:assert/strict";
import { test } from "node:test";
import { toStandardJsonSchema } from "@valibot/to-json-schema";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import { connectProviderClient, defineTool, type StandardSchema } from "../client.ts";
import { call, connect, post, sharedHub, text } from "./harness.ts";

const hub = await sharedHub();

const zod = defineTool({
  tool: {
    name: "zod",
    inputSchema: z.object({
      n: z.number().min(1),
      more: z.array(z.object({ s: z.string() })).default([]),
    }),
    outputSchema: z.object({ sum: z.number() }),
  },
  handler: ({ n, more }) => ({ sum: n + more.length }),
});
const valibot = defineTool({
  tool: {
    name: "valibot",
    inputSchema: toStandardJsonSchema(v.object({ n: v.pipe(v.number(), v.minValue(1)) })),
  },
  handler: ({ n }) => ({ sum: n }),
});
const arktype = defineTool({
  tool: { name: "arktype", inputSchema: type({ n: "number >= 1" }) },
  handler: ({ n }) => ({ sum: n }),
});

test("schemas of Zod, Valibot and ArkType become JSON Schema", async (t) => {
  await connect(t, hub, [zod, valibot, arktype]);
  const { tools } = (await post(hub, "tools/list", {})).result;
  for (const { name, inputSchema, outputSchema } of tools) {
    assert.equal(inputSchema.type, "object", name);
    assert.deepEqual(inputSchema.required, ["n"], name);
    assert.equal(inputSchema.properties.n.minimum, 1, name);
    if (name === "zod") assert.equal(outputSchema.properties.sum.type, "number");
    assert.deepEqual((await call(hub, name, { n: 2 })).result.structuredContent, { sum: 2 });
  }
});

test("faulty arguments are told by path, and the handler does not run", async (t) => {
  await connect(t, hub, [zod, valibot, arktype]);
  for (const name of ["zod", "valibot", "arktype"]) {
    for (const args of [{}, { n: "1" }, { n: 0 }]) {
      const answer = await call(hub, name, args);
      assert.equal(answer.result.isError, true);
      assert.match(text(answer), /^Invalid arguments: n: /);
    }
  }
  const answer = await call(hub, "zod", { n: 0, more: [{ s: "" }, { s: 1 }] });
  assert.match(text(answer), /^Invalid arguments: n: .+; more\.1\.s: /);
  const many = Array.from({ length: 100 }, () => ({}));
  assert.equal(text(await call(hub, "zod", { n: 1, more: many })).split("; ").length, 20);
});

test("a schema may check asynchronously, fail as a whole, and name keys as objects", async (t) => {
  const schema: StandardSchema<{ ok?: boolean }> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: async (value) => {
        if ((value as { ok?: boolean }).ok) return { value: { ok: true } };
        return {
          issues: [{ message: "not ok" }, { message: "nor here", path: [{ key: "a" }, 0] }],
        };
      },
      jsonSchema: { input: () => ({ type: "object" }), output: () => ({}) },
    },
  };
  await connect(t, hub, [
    defineTool({ tool: { name: "own", inputSchema: schema }, handler: ({ ok }) => ok }),
  ]);
  assert.equal(text(await call(hub, "own", { ok: true })), "true");
  assert.equal(text(await call(hub, "own")), "Invalid arguments: not ok; a.0: nor here");
});

test("a schema that has no JSON Schema fails with the tool's name and the way out", async () => {
  const handler = () => "";
  for (const inputSchema of [v.object({}), z.object({ when: z.date() })]) {
    const tools = [defineTool({ tool: { name: "odd", inputSchema }, handler })];
    await assert.rejects(connectProviderClient({ url: hub.url, tools }), {
      name: "TypeError",
      message:
        /^the inputSchema of the tool odd cannot be made JSON Schema: .+toStandardJsonSchema/,
    });
  }
});
