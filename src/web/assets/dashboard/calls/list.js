// The table of calls. It shows as many as it is told to, and moves as little as it can.

import { el } from "../../dom.js";
import { callRow } from "./row.js";

/**
 * @param {{ hasUser: boolean, changed: () => void }} options `changed`: a row has been opened or closed
 */
export function callList({ hasUser, changed }) {
  const head = (place, name) => el(`th.${place}`, { role: "columnheader", scope: "col" }, name);
  const heads = [
    head("call-time", "Time"),
    head("call-outcome", "Outcome"),
    head("call-tool", "Tool"),
    hasUser && head("call-user", "User"),
    head("call-provider", "Answered by"),
    head("call-attempts.number", "Attempts"),
    head("call-took.number", "Took"),
  ];
  const element = el(
    "table.ledger.calls-table",
    { role: "table", "aria-label": "Calls, newest first" },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads)),
  );

  /**
   * In the order in which they are shown.
   *
   * @type {Map<string, ReturnType<typeof callRow>>}
   */
  let rows = new Map();
  const open = new Set();

  function toggled(call, isOpen) {
    if (isOpen) open.add(call.id);
    else open.delete(call.id);
    rows.get(call.id).show(call, isOpen);
    changed();
  }

  return {
    element,
    isInUse: () => open.size > 0 || element.contains(document.activeElement),
    closeAll: () => open.clear(),
    /** @param {import("./log.js").Call[]} calls */
    show(calls) {
      const wanted = new Set(calls.map((call) => call.id));
      const [before, spare] = [rows, []];
      for (const [id, row] of before) {
        if (wanted.has(id)) continue;
        open.delete(id);
        spare.push(row);
      }
      rows = new Map();
      let next = element.tHead.nextElementSibling;
      for (const call of calls) {
        const row = before.get(call.id) ?? spare.shift() ?? callRow({ hasUser, toggled });
        rows.set(call.id, row);
        row.show(call, open.has(call.id));
        if (row.element === next) next = next.nextElementSibling;
        else element.insertBefore(row.element, next);
      }
      for (const { element } of spare) element.remove();
    },
  };
}
