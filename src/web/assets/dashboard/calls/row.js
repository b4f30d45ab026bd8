// One call in the list. Rows are used again for other calls, so it writes only what differs from what it shows.

import { el, put } from "../../dom.js";
import { count, duration, timeOfDay } from "../../format.js";
import { details } from "./details.js";
import { revealed } from "../tools/pieces.js";
import { OUTCOMES, wordsFor } from "./words.js";

/**
 * @typedef {import("./log.js").Call} Call
 * @param {{ hasUser: boolean, toggled: (call: Call, isOpen: boolean) => void }} options
 */
export function callRow({ hasUser, toggled }) {
  const time = el("time");
  const toggle = el("button.quiet.call-toggle", { type: "button", "aria-expanded": "false" }, time);
  const outcome = el("span.badge");
  const tool = el("a");
  const why = el("p.call-why.small.muted");
  const [user, provider, attempts, took] = Array.from({ length: 4 }, () => el("span"));
  const cell = (name, ...children) => el(`td.${name}`, { role: "cell" }, children);
  const more = el("td", { role: "cell", colSpan: hasUser ? 7 : 6 });
  const moreRow = el("tr.call-more", { role: "row", hidden: true }, more);
  const element = el(
    "tbody.call",
    { role: "rowgroup" },
    el("tr", { role: "row", onclick: clicked }, [
      cell("call-time", toggle),
      cell("call-outcome", outcome),
      cell("call-tool", tool, why),
      hasUser && cell("call-user", user),
      cell("call-provider", provider),
      cell("call-attempts.number", attempts),
      cell("call-took.number", took),
    ]),
    moreRow,
  );

  /** @type {Call | undefined} */
  let shown;

  /** The whole row opens it, but where it has something else to click or to read. */
  function clicked(event) {
    const isElsewhere = event.target.closest("a") || String(getSelection());
    if (isElsewhere && !event.target.closest("button")) return;
    toggled(shown, moreRow.hidden);
  }

  return {
    element,
    /** @param {Call} call */
    show(call, isOpen) {
      if (call !== shown) {
        shown = call;
        write(time, timeOfDay(call.at));
        time.dateTime = call.at;
        const { word, tone, says } = wordsFor(OUTCOMES, call.outcome);
        outcome.className = `badge ${tone}`.trim();
        outcome.title = says ?? "";
        write(outcome, word);
        write(tool, call.tool);
        tool.href = `#/tools/${encodeURIComponent(call.tool)}`;
        put(why, revealed(reason(call)));
        why.title = reason(call);
        write(user, call.user);
        put(provider, revealed(call.attempts.find(({ outcome }) => outcome === "answered")?.provider ?? "–"));
        write(attempts, count(call.attempts.length));
        write(took, duration(call.durationMs));
        put(more);
      }
      if (isOpen === !moreRow.hidden && (!isOpen || more.hasChildNodes())) return;
      moreRow.hidden = !isOpen;
      toggle.setAttribute("aria-expanded", String(isOpen));
      element.classList.toggle("is-open", isOpen);
      put(more, isOpen && details(call));
    },
  };
}

/** Why there is no answer: what the last provider said tells more than that nobody answered. */
function reason({ outcome, why = "", attempts }) {
  return outcome === "failed" ? (attempts.findLast((attempt) => attempt.why)?.why ?? why) : why;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
