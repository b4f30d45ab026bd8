// What the compiler must make of the client's types. It is checked, never run.
import { toStandardJsonSchema } from "@valibot/to-json-schema";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import {
  connectProviderClient,
  defineTool,
  type JsonSchema,
  type OfferedTool,
  type ProviderClient,
  type RegisterResult,
} from "../client.ts";

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if `A` is exactly `B`. */
function same<A, B>(..._proof: Same<A, B> extends true ? [] : ["these types differ"]): void {}

/** Makes one plain object type of an intersection, to compare it. */
type Flat<T> = { [Key in keyof T]: T[Key] };

const name = "t";

// Each of several tools of different kinds has its own arguments, in one array.
const client = await connectProviderClient({
  url: "http://127.0.0.1:8080",
  tools: [
    {
      tool: { name, inputSchema: z.object({ city: z.string(), days: z.number().default(3) }) },
      handler(args) {
        same<typeof args, { city: string; days: number }>();
      },
    },
    {
      tool: { name, inputSchema: toStandardJsonSchema(v.object({ words: v.array(v.string()) })) },
      async handler(args, signal, context) {
        same<typeof args, { words: string[] }>();
        same<typeof signal, AbortSignal>();
        const { who, model, roots } = await context.ask({
          who: { message: "Who?", requestedSchema: { type: "object" } },
          model: { method: "sampling/createMessage", params: { messages: [], maxTokens: 1 } },
          roots: { method: "roots/list" },
        });
        same<typeof who.action, "accept" | "decline" | "cancel">();
        same<typeof model.model, string>();
        same<(typeof roots.roots)[number]["uri"], string>();
      },
    },
    {
      tool: { name, inputSchema: type({ when: "string.date.parse" }) },
      handler: (args) => {
        same<typeof args, { when: Date }>();
      },
    },
    {
      tool: {
        name,
        inputSchema: {
          type: "object",
          properties: {
            text: { type: "string" },
            size: { enum: ["small", "large"] },
            tags: { type: "array", items: { type: "string" } },
            deep: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] },
            odd: { $ref: "#/$defs/odd" },
          },
          required: ["text", "deep"],
        },
      },
      handler(args) {
        same<typeof args.text, string>();
        same<typeof args.size, "small" | "large" | undefined>();
        same<typeof args.tags, string[] | undefined>();
        same<Flat<typeof args.deep>, { n: number }>();
        same<typeof args.odd, unknown>();
      },
    },
    {
      tool: { name, inputSchema: { type: "object" } },
      handler(args) {
        same<typeof args, Record<string, unknown>>();
      },
    },
  ],
});
same<typeof client, ProviderClient>();

// Tools that are written down by themselves, and go together.
const zod = defineTool({
  tool: {
    name,
    inputSchema: z.object({ n: z.number() }),
    outputSchema: z.object({ m: z.number() }),
  },
  handler: ({ n }) => ({ m: n }),
});
const plain = defineTool({
  tool: { name, inputSchema: { type: "object", properties: { n: { type: "number" } } } },
  handler: ({ n }) => n ?? 0,
});
const declared: OfferedTool<JsonSchema, { q: string }> = {
  tool: { name, inputSchema: JSON.parse("{}") as JsonSchema },
  handler: ({ q }) => q.length,
};
const annotated = defineTool({
  tool: { name, inputSchema: { type: "object" } },
  handler: ({ q }: { q: string }) => q.length,
});
const list: OfferedTool[] = [zod, plain, declared, annotated];
same<Awaited<ReturnType<typeof client.setTools>>, RegisterResult>();
await client.setTools([zod, plain, declared, annotated]);
await client.setTools(list);
await connectProviderClient({ url: "", tools: list });
await connectProviderClient({ url: "", tools: list as readonly OfferedTool[] });
await connectProviderClient({ url: "", tools: [] });

// Mistakes do not compile.
defineTool({
  tool: { name, inputSchema: z.object({ n: z.number() }) },
  // @ts-expect-error: there is no such argument.
  handler: ({ m }) => m,
});
defineTool({
  tool: { name, inputSchema: z.object({ n: z.number() }) },
  // @ts-expect-error: `n` is no string.
  handler: ({ n }: { n: string }) => n,
});
// @ts-expect-error: a tool has a name.
defineTool({ tool: { inputSchema: { type: "object" } }, handler: () => "" });
// @ts-expect-error: a tool has a schema.
defineTool({ tool: { name }, handler: () => "" });
// @ts-expect-error: tools are required.
await connectProviderClient({ url: "" });
