// What the hub did with a call: which providers it tried, when, and how each ended, on one line of time.

import { el } from "../../dom.js";
import { duration } from "../../format.js";
import { badge } from "../tools/words.js";

/** What became of a call, in words. */
const OUTCOMES = {
  ok: ["good", "answered"],
  tool_error: ["bad", "the tool reports an error"],
  input_required: ["accent", "asked back"],
  refused: ["bad", "refused"],
  failed: ["bad", "failed"],
  limited: ["warn", "limited"],
  unknown_tool: ["bad", "no such tool"],
  cancelled: ["warn", "cancelled"],
};

/** What became of one attempt, in words. */
const ENDS = {
  answered: ["good", "answered"],
  failed: ["bad", "failed"],
  passed_over: ["warn", "passed over"],
  cancelled: ["warn", "cancelled"],
};

/** @param {any[]} calls items of /api/v1/calls, newest first */
export function attemptsView(calls) {
  return el(
    "section.attempts",
    { "aria-label": "What the hub did" },
    el("h4", null, "What the hub did"),
    [...calls].reverse().map((call, index) => callView(call, calls.length > 1 ? index + 1 : 0)),
  );
}

function callView(call, round) {
  const [tone, words] = OUTCOMES[call.outcome] ?? ["", call.outcome];
  const whole = Math.max(call.durationMs, 0.01);
  return el(
    "div.attempts-call",
    null,
    el(
      "p.attempts-head",
      null,
      round > 0 && el("span.muted", null, `Round ${round}`),
      badge(tone, words),
      el("span.muted", null, `in ${duration(call.durationMs)}`),
    ),
    call.why && el("p.small.muted", null, call.why),
    el(
      "ol",
      null,
      call.attempts.map((attempt) => attemptView(attempt, whole)),
    ),
  );
}

function attemptView(attempt, whole) {
  const [tone, words] = ENDS[attempt.outcome] ?? ["", attempt.outcome];
  const share = (ms) => `${Math.min(100, Math.max(0, (100 * ms) / whole))}%`;
  const bar = el("span", {
    className: `attempt-bar ${tone}`,
    style: { "--from": share(attempt.startMs), "--long": share(attempt.durationMs) },
  });
  return el(
    "li",
    null,
    el("span.attempt-who", null, attempt.provider),
    el("span.attempt-line", { "aria-hidden": "true" }, bar),
    el(
      "span.attempt-time",
      null,
      attempt.outcome === "passed_over" ? words : `${words} after ${duration(attempt.durationMs)}`,
    ),
    attempt.why && el("span.attempt-why.small.muted", null, attempt.why),
  );
}
