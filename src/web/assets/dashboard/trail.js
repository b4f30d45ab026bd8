// The attempts of one call as bars on the call's own time scale. Fill and words tell how each ended; colour is not all.

import { el, svg } from "../dom.js";
import { duration } from "../format.js";
import { scale } from "./scale.js";
import { ATTEMPTS, wordsFor } from "./calls/words.js";
import { revealed } from "./tools/pieces.js";

/** The most marks of time that fit above bars on a phone. */
const TICKS = 4;

/** How the bars of each outcome are filled. */
const FILLS = { answered: "answered", failed: "failed", passed_over: "passed-over", cancelled: "cancelled" };

/**
 * The patterns that bars are filled with; once in the view that shows trails.
 */
export function trailPatterns() {
  const stripes = svg(
    "pattern",
    { id: "bar-failed", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 6, height: 6, class: "ground" }),
    svg("rect", { width: 3, height: 6, class: "mark" }),
  );
  const dots = svg(
    "pattern",
    { id: "bar-cancelled", width: 5, height: 5, patternUnits: "userSpaceOnUse" },
    svg("circle", { cx: 2.5, cy: 2.5, r: 1.2, class: "mark" }),
  );
  return svg("svg.trail-patterns", { width: 0, height: 0, "aria-hidden": "true" }, svg("defs", null, stripes, dots));
}

/** @param {import("./calls/log.js").Call} call */
export function trail(call) {
  const ends = call.attempts.map(({ startMs, durationMs }) => startMs + durationMs);
  const whole = Math.max(call.durationMs, ...ends, 0.001);
  const share = (ms) => `${(100 * Math.min(1, Math.max(0, ms / whole))).toFixed(2)}%`;
  const ticks = scale(whole, TICKS).ticks.filter((tick) => tick <= whole * 0.94);
  const rows = call.attempts.map((attempt) => row(attempt, share, ticks));
  const axis = ticks.map((tick) => el("span", { style: { "--at": share(tick) } }, tick ? duration(tick) : "0"));
  return el(
    "div.trail",
    null,
    el("div.trail-axis", { "aria-hidden": "true" }, axis),
    el("ol.trail-rows", null, rows),
  );
}

function row(attempt, share, ticks) {
  const { word, tone } = wordsFor(ATTEMPTS, attempt.outcome);
  const fill = Object.hasOwn(FILLS, attempt.outcome) ? FILLS[attempt.outcome] : "cancelled";
  const start = share(attempt.startMs);
  const grid = ticks.map((tick) => svg("line.grid", { x1: share(tick), x2: share(tick), y1: "0", y2: "100%" }));
  const bar = svg(`rect.trail-bar.${fill}`, { x: start, y: 4, width: share(attempt.durationMs), height: 14, rx: 2 });
  // An attempt too short to be a bar is still to be seen.
  const mark = svg(`line.trail-start.${fill}`, { x1: start, x2: start, y1: 2, y2: 20 });
  return el(
    "li.trail-row",
    null,
    el("span.trail-who", null, revealed(attempt.provider), el("span", { className: `badge ${tone}`.trim() }, word)),
    el("span.trail-times.small.muted", null, `at ${duration(attempt.startMs)}, for ${duration(attempt.durationMs)}`),
    svg("svg.trail-bars", { width: "100%", height: 22, "aria-hidden": "true" }, grid, bar, mark),
    attempt.why && el("p.trail-why.small", null, revealed(attempt.why)),
  );
}
