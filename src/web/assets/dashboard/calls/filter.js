// Which calls are shown: a bar of filters, and the test they make.

import { el } from "../../dom.js";
import { OUTCOMES } from "./words.js";

const TRACE = /^[0-9a-f]{32}$/;

/** @param {() => void} changed */
export function filterBar(changed) {
  const field = (name, placeholder) =>
    el("input", { type: "search", name, placeholder, autocomplete: "off", maxLength: 256 });
  const outcomes = Object.entries(OUTCOMES).map(([value, { word }]) => el("option", { value }, word));
  const fields = {
    tool: field("tool", "Part of its name"),
    provider: field("provider", "Part of its name"),
    outcome: el("select", { name: "outcome" }, el("option", { value: "" }, "Any"), outcomes),
    trace: field("trace", "32 hexadecimal digits"),
  };
  const element = el("form.toolbar", { role: "search", "aria-label": "Filter calls" }, [
    el("label", null, "Tool", fields.tool),
    el("label", null, "Provider", fields.provider),
    el("label", null, "Outcome", fields.outcome),
    el("label", null, "Trace", fields.trace),
  ]);
  element.addEventListener("input", changed);
  element.addEventListener("submit", (event) => event.preventDefault());

  function said() {
    const words = Object.entries(fields).map(([name, { value }]) => [name, value.trim().toLowerCase()]);
    return Object.fromEntries(words);
  }

  return {
    element,
    isOn: () => Object.values(fields).some(({ value }) => value.trim() !== ""),
    /** Says what is looked for; what `wanted` does not name is not asked for. */
    set(wanted) {
      for (const [name, one] of Object.entries(fields)) one.value = wanted[name] ?? "";
      changed();
    },
    /** What a call has to pass. */
    test() {
      const { tool, provider, outcome, trace } = said();
      return (call) =>
        (!outcome || call.outcome === outcome) &&
        (!tool || call.tool.toLowerCase().includes(tool)) &&
        (!trace || (call.trace ?? "").includes(trace)) &&
        (!provider || call.attempts.some((attempt) => isAt(attempt, provider)));
    },
    /** What the hub can look for by itself: it knows whole names only, and whoever types may not be done. */
    query(calls) {
      const { tool, provider, outcome, trace } = said();
      const attempts = calls.flatMap((call) => call.attempts);
      const whole = (text, names) => {
        const fitting = text ? names.filter((name) => name.toLowerCase().includes(text)) : [];
        const [name, another] = new Set(fitting);
        return another === undefined && name?.toLowerCase() === text ? name : undefined;
      };
      return {
        tool: whole(tool, calls.map((call) => call.tool)),
        provider: whole(provider, attempts.map((attempt) => attempt.provider)),
        outcome: outcome || undefined,
        trace: TRACE.test(trace) ? trace : undefined,
      };
    },
  };
}

const isAt = ({ provider, providerId }, text) =>
  provider.toLowerCase().includes(text) || providerId.toLowerCase() === text;
