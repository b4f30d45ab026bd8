// One tool in the list. It writes only what differs from what it shows, as figures come four times a second.

import { el, put } from "../../dom.js";
import { count, duration } from "../../format.js";
import { icon, revealed } from "./pieces.js";
import { hintBadges, standingBy, STATES, timeAgo, whoIs } from "./words.js";

/**
 * @param {string} name
 * @param {(name: string) => any} toolOf what is known of the tool now
 */
export function toolRow(name, toolOf) {
  const link = el("a.row-name", { href: `#/tools/${encodeURIComponent(name)}` }, name);
  const title = el("span.row-title");
  const marks = el("span.row-marks");
  const words = el("p.row-words");
  const who = el("span.row-who");
  const others = el("span.row-others.muted.small");
  const state = el("span.badge");
  const changed = el("span.row-changed.small");
  const [calls, errors, p50, p99] = Array.from({ length: 4 }, () => el("span.figure"));
  const cell = (name, ...children) => el(`div.${name}`, { role: "cell" }, children);
  const element = el(
    "div.row",
    { role: "row" },
    cell("cell-tool", el("div.row-head", null, link, title), el("div.row-line", null, marks, words)),
    cell("cell-who", who, others),
    cell("cell-state", state, changed),
    cell("cell-figure.of-calls", calls),
    cell("cell-figure.of-errors", errors),
    cell("cell-figure.of-p50", p50),
    cell("cell-figure.of-p99", p99),
  );

  let shown;
  let figures;
  let current;

  function showFigures(stats) {
    if (figures === stats) return;
    figures = stats;
    write(calls, count(stats.calls));
    write(errors, count(stats.errors));
    errors.classList.toggle("bad", stats.errors > 0);
    write(p50, duration(stats.p50Ms));
    write(p99, duration(stats.p99Ms));
  }

  function showTool(tool) {
    if (shown === tool.text) return;
    shown = tool.text;
    const { tone, word, says } = STATES[tool.state] ?? { tone: "", word: tool.state, says: "" };
    put(title, tool.title ? revealed(tool.title) : null);
    put(marks, hintBadges(tool.annotations));
    put(changed, tool.changed && changedWords(tool.changed));
    put(words, revealed(firstWords(tool.description)));
    put(who, whoIs(tool.provider));
    write(others, standingBy(tool.offers));
    state.className = `badge ${tone}`;
    state.title = says;
    write(state, word);
  }

  return {
    element,
    update(index) {
      const tool = toolOf(name);
      if (!tool) return;
      showTool(tool);
      showFigures(tool.stats);
      // The heading is the first row.
      const place = String(index + 2);
      if (element.getAttribute("aria-rowindex") !== place) element.setAttribute("aria-rowindex", place);
      if (current !== tool.isOpen) {
        current = tool.isOpen;
        current ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
      }
    },
  };
}

/** A definition that is not the one first seen: whoever trusts the tool should look again. */
export const changedWords = (time) => [
  icon("warn"),
  el("span.changed-words", null, el("span.what-changed", null, "definition "), "changed ", timeAgo(time)),
];

const firstWords = (text = "") => text.slice(0, 300).replaceAll(/\s+/g, " ");

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
