// The definition of a tool as its provider declared it: schemas, annotations, and everything else.

import { el } from "../../dom.js";
import { fullTime } from "../../format.js";
import { copyButton } from "../copy.js";
import { disclosure } from "./pieces.js";

/** Letters of one JSON text in the page. All of it can be copied. */
const SHOWN_MAX = 100_000;

/**
 * @param {any} tool
 * @param {(said: string) => void} announce
 */
export function definitionView({ definition, digest, firstSeen }, announce) {
  const { inputSchema, outputSchema, annotations } = definition;
  const json = (name, value) => disclosure(name, () => jsonView(name, value, announce));
  return [
    el(
      "dl.facts",
      null,
      fact("Digest", el("code.digest", null, digest), "SHA-256 of the definition, byte for byte"),
      fact("First seen", fullTime(firstSeen)),
    ),
    json("Input schema", inputSchema),
    outputSchema !== undefined && json("Output schema", outputSchema),
    annotations && json("Annotations", annotations),
    json("Whole definition", definition),
  ];
}

const fact = (name, value, title) => [el("dt", { title }, name), el("dd", null, value)];

function jsonView(name, value, announce) {
  const text = JSON.stringify(value, null, 2);
  const isCut = text.length > SHOWN_MAX;
  return el(
    "div.json",
    null,
    copyButton(text, `the ${name.toLowerCase()}`, announce),
    el("pre", { tabIndex: 0, "aria-label": name }, text.slice(0, SHOWN_MAX)),
    isCut && el("p.muted.small", null, "The rest is too long for a page. Copy it instead."),
  );
}
