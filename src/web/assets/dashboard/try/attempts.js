// What the hub did with a call: which providers it tried, when, and how each ended, round by round.

import { el } from "../../dom.js";
import { duration } from "../../format.js";
import { OUTCOMES, wordsFor } from "../calls/words.js";
import { badge } from "../tools/words.js";
import { trail, trailPatterns } from "../trail.js";

/** @param {any[]} calls items of /api/v1/calls, newest first */
export function attemptsView(calls) {
  return el(
    "section.attempts",
    { "aria-label": "What the hub did" },
    el("h4", null, "What the hub did"),
    [...calls].reverse().map((call, index) => callView(call, calls.length > 1 ? index + 1 : 0)),
    trailPatterns(),
  );
}

function callView(call, round) {
  const { tone, word } = wordsFor(OUTCOMES, call.outcome);
  return el(
    "div.attempts-call",
    null,
    el(
      "p.attempts-head",
      null,
      round > 0 && el("span.muted", null, `Round ${round}`),
      badge(tone, word),
      el("span.muted", null, `in ${duration(call.durationMs)}`),
    ),
    call.why && el("p.small.muted", null, call.why),
    call.attempts.length > 0 && trail(call),
  );
}
