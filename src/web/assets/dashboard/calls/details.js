// What is known of one call beyond its row: where it has been, and what to look for elsewhere.

import { el } from "../../dom.js";
import { duration, fullTime } from "../../format.js";
import { revealed } from "../tools/pieces.js";
import { trail } from "../trail.js";
import { OUTCOMES, wordsFor } from "./words.js";

/** @param {import("./log.js").Call} call */
export function details(call) {
  const facts = [
    ["Outcome", [wordsFor(OUTCOMES, call.outcome).word, call.why && [": ", revealed(call.why)]]],
    ["Began", `${fullTime(call.at)}, took ${duration(call.durationMs)}`],
    ["User", call.user],
    ["Call", el("code", null, call.id)],
    ["Trace", call.trace ? el("code", null, call.trace) : "The client named none."],
  ];
  return el(
    "div.call-details",
    null,
    call.attempts.length ? trail(call) : el("p.muted", null, "No provider was tried."),
    el("dl.facts.small", null, facts.map(([name, said]) => [el("dt", null, name), el("dd", null, said)])),
  );
}
