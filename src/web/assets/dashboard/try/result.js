// Shows the answer to a call: a result, an error of the protocol, or that there was none, and why.

import { el } from "../../dom.js";
import { copyButton } from "../copy.js";
import { disclosure, longText } from "../tools/pieces.js";
import { badge } from "../tools/words.js";
import { contentPart, part } from "./content.js";
import { isObject, Numeral, write } from "./json.js";
import { explain, pretty } from "./mcp.js";
import { jsonTree } from "./tree.js";

/** Parts of a result that are shown. */
const PARTS_MAX = 100;

/**
 * @param {import("./mcp.js").Answer} answer
 * @param {(said: string) => void} announce
 * @returns {{ element: HTMLElement, heading: string, dispose: () => void }} `dispose` frees what it holds for downloads
 */
export function showAnswer(answer, announce) {
  const files = [];
  const shown = answer.kind === "result" ? ofResult(answer.result, { files, announce }) : ofFailure(answer);
  const raw = disclosure("Raw answer", () => {
    const text = pretty(answer.text);
    return [copyButton(text, "the answer", announce), ...longText(text)];
  });
  const element = el(
    `section.answer.${shown.tone}`,
    { "aria-label": "Answer" },
    el("h4.answer-heading", { tabIndex: -1 }, badge(shown.tone, shown.heading)),
    shown.parts,
    answer.text && raw,
  );
  return { element, heading: shown.heading, dispose: () => files.forEach((url) => URL.revokeObjectURL(url)) };
}

function ofFailure(answer) {
  const { error, status } = answer;
  const code = error?.code instanceof Numeral ? error.code.text : error?.code;
  const heading = {
    error: `Error ${typeof code === "number" ? code : ""}`.trim(),
    refused: `Refused, HTTP ${status}`,
    lost: "No answer",
  }[answer.kind];
  const data = error?.data !== undefined && disclosure("What the error says more", () => jsonTree(error.data));
  return { tone: "bad", heading, parts: [el("p.failure", null, explain(answer)), data] };
}

function ofResult(result, holder) {
  if (!isObject(result)) return { tone: "bad", heading: "No MCP result", parts: [jsonTree(result)] };
  const isError = result.isError === true;
  const content = Array.isArray(result.content) ? result.content : [];
  const known = ["content", "structuredContent", "isError", "_meta", "resultType"];
  const others = Object.entries(result).filter(([name]) => !known.includes(name));
  const isOdd = result.resultType !== undefined && result.resultType !== "complete";
  const parts = [
    isOdd &&
      el(
        "p.failure",
        null,
        `The result is of the kind ${write(result.resultType, true).slice(0, 100)}, which this page does not know.`,
      ),
    content.slice(0, PARTS_MAX).map((part) => contentPart(part, holder)),
    content.length > PARTS_MAX &&
      el("p.muted", null, `${content.length - PARTS_MAX} more parts are in the raw answer.`),
    !content.length && result.structuredContent === undefined && el("p.muted", null, "The result is empty."),
    result.structuredContent !== undefined && structured(result.structuredContent, holder),
    others.length > 0 && disclosure("Other members", () => jsonTree(Object.fromEntries(others))),
    result._meta !== undefined && disclosure("_meta", () => jsonTree(result._meta)),
  ];
  return { tone: isError ? "bad" : "good", heading: isError ? "The tool reports an error" : "Result", parts };
}

function structured(value, { announce }) {
  const copy = copyButton(write(value), "the structured content", announce);
  return part("structuredContent", [jsonTree(value)], copy);
}
