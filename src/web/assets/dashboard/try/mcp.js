// The MCP client behind *Try it*: one `tools/call` of the revision 2026-07-28, answered by JSON or by a stream of
// events. The arguments go out letter for letter as they stand in the editor, so that no digit is lost.

import { eventReader } from "../events.js";
import { isObject, kindOf, Numeral, read, write } from "./json.js";

const VERSION = "2026-07-28";
const META = "io.modelcontextprotocol/";
/** What an answer may measure in letters; a page that holds more of it only freezes. */
const ANSWER_MAX = 64 * 1024 * 1024;
/** Levels of nesting read in an answer. */
const DEPTH_MAX = 256;

/**
 * @typedef {{ name: string, arguments: string, schema: any, trace: string, version: string,
 *   inputResponses?: string, requestState?: string }} Call
 *   `arguments` and `inputResponses` are JSON texts; `trace` is 32 hex digits.
 * @typedef {{ signal: AbortSignal, progress: (params: any) => void, log: (params: any) => void }} Listener
 * @typedef {{ kind: "result", result: any, text: string }
 *   | { kind: "error", error: any, status: number, retryAfter?: number, text: string }
 *   | { kind: "refused", status: number, detail?: string, retryAfter?: number, text: string }
 *   | { kind: "lost", why: string, text: string }} Answer
 */

let lastId = 0;

/**
 * Calls a tool. Rejects only when `listener.signal` aborts, which is how a call is cancelled.
 *
 * @param {(path: string, init: RequestInit) => Promise<Response>} fetch
 * @param {Call} call
 * @param {Listener} listener
 * @returns {Promise<Answer>}
 */
export async function callTool(fetch, call, listener) {
  const id = ++lastId;
  let response;
  try {
    response = await fetch("mcp", {
      method: "POST",
      headers: headersOf(call),
      body: bodyOf(id, call),
      signal: listener.signal,
      cache: "no-store",
    });
    return await readAnswer(response, listener);
  } catch (error) {
    if (listener.signal.aborted) throw error;
    return { kind: "lost", why: response ? "The answer broke off." : error.message, text: "" };
  }
}

async function readAnswer(response, { progress, log }) {
  const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream");
  const messages = isStream ? events(response.body) : [await response.text()];
  let text = "";
  for await (text of messages) {
    const message = readOr(text);
    if (!isObject(message)) continue;
    if (message.method === "notifications/progress") progress(message.params);
    else if (message.method === "notifications/message") log(message.params);
    else if (message.result !== undefined && response.ok) return { kind: "result", result: message.result, text };
    else if (isObject(message.error)) return { kind: "error", error: message.error, ...statusOf(response), text };
    else if (!response.ok) return { kind: "refused", detail: message.detail, ...statusOf(response), text };
  }
  if (!response.ok) return { kind: "refused", ...statusOf(response), text };
  return { kind: "lost", why: "The answer ended before a result came.", text };
}

function statusOf(response) {
  const seconds = Number(response.headers.get("Retry-After") ?? NaN);
  return { status: response.status, retryAfter: Number.isFinite(seconds) ? seconds : undefined };
}

function readOr(text) {
  try {
    return read(text, DEPTH_MAX);
  } catch {
    return undefined;
  }
}

function bodyOf(id, call) {
  const meta = {
    [`${META}protocolVersion`]: VERSION,
    [`${META}clientInfo`]: { name: "mcp-hub-dashboard", title: "MCP Hub, Try it", version: call.version },
    [`${META}clientCapabilities`]: { elicitation: { form: {}, url: {} } },
    [`${META}logLevel`]: "debug",
    progressToken: id,
    traceparent: `00-${call.trace}-${randomHex(8)}-01`,
  };
  const params = [
    `"name":${JSON.stringify(call.name)}`,
    `"arguments":${call.arguments}`,
    call.inputResponses && `"inputResponses":${call.inputResponses}`,
    call.requestState !== undefined && `"requestState":${JSON.stringify(call.requestState)}`,
    `"_meta":${JSON.stringify(meta)}`,
  ];
  return `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{${params.filter(Boolean).join(",")}}}`;
}

/** Random bytes as hex digits, for traces and spans. */
export function randomHex(bytes) {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function headersOf(call) {
  const headers = {
    "Content-Type": "application/json",
    Accept: "application/json, text/event-stream",
    "MCP-Protocol-Version": VERSION,
    "Mcp-Method": "tools/call",
    "Mcp-Name": encoded(call.name),
  };
  return Object.assign(headers, parameterHeaders(call.schema, read(call.arguments)));
}

/**
 * The `Mcp-Param-…` headers: arguments whose schema has `x-mcp-header` are repeated there, for those on the way
 * who do not read bodies.
 */
function parameterHeaders(schema, value) {
  const headers = {};
  const walk = (schema, value) => {
    if (!isObject(schema) || !isObject(schema.properties) || !isObject(value)) return;
    for (const [name, property] of Object.entries(schema.properties)) {
      if (!isObject(property) || !Object.hasOwn(value, name)) continue;
      const header = property["x-mcp-header"];
      const said = value[name];
      const isScalar = ["string", "integer", "number", "boolean"].includes(kindOf(said));
      if (typeof header === "string" && isScalar) {
        const text = said instanceof Numeral ? said.text : String(said);
        headers[`Mcp-Param-${header}`] = encoded(text);
      }
      walk(property, said);
    }
  };
  walk(schema, value);
  return headers;
}

/** A value as a header can carry it: itself if it is plain, else in Base64. */
function encoded(text) {
  const isPlain = /^[\x20-\x7e]*$/.test(text) && text === text.trim() && !/^=\?base64\?.*\?=$/.test(text);
  if (isPlain) return text;
  const bytes = new TextEncoder().encode(text);
  return `=?base64?${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}?=`;
}

/** The data of each event of a stream. */
async function* events(body) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  const read = eventReader();
  let pieces = [];
  let held = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const piece = decoder.decode(value, { stream: true });
      pieces.push(piece);
      held += piece.length;
      if (held > ANSWER_MAX) throw new Error("larger than a page can hold");
      // A large event is one long line that comes in many pieces, which are joined but once.
      if (!piece.includes("\n")) continue;
      for (const { data } of read(pieces.join(""))) yield data;
      pieces = [];
      held = 0;
    }
  } finally {
    // Whoever stops reading wants no more of it.
    reader.cancel().catch(() => {});
  }
}

/** What went wrong with a request that was not answered with a result, and what to do about it. */
export function explain(answer) {
  const after = answer.retryAfter === undefined ? "" : ` Try again in ${answer.retryAfter} s.`;
  const said = answer.kind === "error" ? answer.error.message : answer.detail;
  const told = [typeof said === "string" && said.trim() && sentence(said), ...advice(answer)].filter(Boolean).join(" ");
  return told + after;
}

const sentence = (text) => (/[.!?]$/.test(text) ? text : `${text}.`).slice(0, 2000);

function advice({ kind, status, error, why, detail }) {
  if (kind === "lost") return [why];
  switch (error?.code) {
    case -32020:
      return ["The definition has probably just changed: load the page again."];
    case -32021:
      return [`This page can answer forms and links, but not what the tool asks for: ${abilities(error)}.`];
  }
  switch (status) {
    case 401:
      return [detail ? "" : "The token is not taken any more.", "Sign in again."];
    case 403:
      return ["The token lacks the scope mcp:tools, or this page's origin may not call the hub."];
    case 408:
      return ["The request took too long to arrive."];
    case 413:
      return ["The arguments are too large. The operator can raise limits.request_body."];
    case 429:
      return ["Too much runs at once for this user."];
    default:
      return [status >= 500 ? `The hub, or what stands before it, answered with ${status}.` : ""];
  }
}

const abilities = (error) => Object.keys(error.data?.requiredCapabilities ?? {}).join(", ") || "something else";

/** The answer as text that can be read: its JSON in lines, or itself if it is none. */
export function pretty(text) {
  const value = readOr(text);
  return value === undefined ? text : write(value);
}
