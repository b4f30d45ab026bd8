// Uses server-everything through a hub, with both TypeScript SDKs: node everything.mjs URL
import { Client as Modern, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client";
import { Client as Legacy } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as LegacyTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { check } from "./testimony.mjs";

const url = new URL(process.argv[2]);
const info = { name: "witness", version: "1.0.0" };

async function use(client, transport) {
  await client.connect(transport);
  const { tools } = await client.listTools();
  const call = async (name, args, options) => {
    const result = await client.callTool({ name, arguments: args }, ...options);
    return result.content.map((part) => part.text ?? part.type).join("\n");
  };
  return { tools: tools.map((tool) => tool.name), call };
}

async function steps(call, ...before) {
  const progress = [];
  const options = { onprogress: (step) => progress.push([step.progress, step.total]) };
  await call("trigger-long-running-operation", { duration: 1, steps: 3 }, [...before, options]);
  return progress;
}

async function legacy() {
  const client = new Legacy(info);
  const { tools, call } = await use(client, new LegacyTransport(url));
  const echo = await call("echo", { message: "hello" }, []);
  const image = await call("get-tiny-image", {}, []);
  const progress = await steps(call, undefined);
  await client.close();
  return { tools, echo, image, progress };
}

async function modern() {
  const capabilities = { elicitation: { form: {} }, sampling: {}, roots: {} };
  const client = new Modern(info, { capabilities, versionNegotiation: { mode: "auto" } });
  let form;
  client.setRequestHandler("elicitation/create", ({ params }) => {
    form = Object.keys(params.requestedSchema.properties);
    return { action: "accept", content: { name: "Ada Lovelace", check: true } };
  });
  client.setRequestHandler("sampling/createMessage", ({ params }) => ({
    role: "assistant",
    model: "a parrot",
    content: { type: "text", text: `You said: ${params.messages[0].content.text}` },
  }));
  client.setRequestHandler("roots/list", () => ({
    roots: [{ uri: "file:///home/ada", name: "of Ada" }],
  }));
  const { tools, call } = await use(client, new ModernTransport(url));
  check(client.getProtocolEra() === "modern", "the probe did not end in the modern era");
  const echo = await call("echo", { message: "hello" }, []);
  const progress = await steps(call);
  const elicited = await call("trigger-elicitation-request", {}, []);
  const sampled = await call("trigger-sampling-request", { prompt: "hello", maxTokens: 9 }, []);
  const roots = await call("get-roots-list", {}, []);
  await client.close();
  return { tools, echo, progress, form, elicited, sampled, roots };
}

console.log(JSON.stringify({ legacy: await legacy(), modern: await modern() }));
