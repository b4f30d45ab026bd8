// The list of all tools: searched, filtered and ordered here, whole, so that it answers at once, and live.

import { el, put } from "../../dom.js";
import { count } from "../../format.js";
import { filterBar, haystackOf } from "./filter.js";
import { toolRow } from "./row.js";
import { windowed } from "./window.js";
import { refreshTimes } from "./words.js";

/** Tools fetched. The hub has at most 5,000 of one user, unless its operator says otherwise. */
const MOST = 10_000;
/** Between two looks at the whole list, however often it changes. */
const REST_MS = 400;
/** How often an order by live figures is made anew, and times are brought up to date. */
const TICK_MS = 5_000;

/** @param {import("../tools.js").App} app */
export function toolList(app) {
  /** @type {Map<string, any>} */
  let tools = new Map();
  let open;
  let isShown = false;
  let isStale = true;
  let isLoading = false;
  let rest;
  let ticker;

  const filter = filterBar(() => arrange({ isKept: false }));
  const total = el("p.muted.small.tools-count", { role: "status" });
  const note = el("div.tools-note", { hidden: true });
  const heads = [
    head("cell-tool", "Tool", "name"),
    head("cell-who", "Serves now"),
    head("cell-state", "State"),
    head("cell-figure.of-calls", "Calls", "calls"),
    head("cell-figure.of-errors", "Errors", "errors"),
    head("cell-figure.of-p50", "p50"),
    head("cell-figure.of-p99", "p99", "p99"),
  ];
  const body = el("div.rows", { role: "rowgroup" });
  const table = el(
    "div.table",
    { role: "table", "aria-label": "Tools" },
    el(
      "div.heads",
      { role: "rowgroup" },
      el(
        "div.row-heads",
        { role: "row", "aria-rowindex": "1" },
        heads.map((one) => one.element),
      ),
    ),
    body,
  );
  const box = el("div.list-box", null, table, note);
  const element = el(
    "section.tool-list",
    { "aria-label": "All tools" },
    el("div.list-top", null, el("div.list-title", null, el("h2", null, "Tools"), total), filter.element),
    box,
  );
  const rows = windowed(body, box, (name) => toolRow(name, (name) => tools.get(name)));

  function head(place, label, order) {
    const button = order && el("button.quiet", { type: "button", onclick: () => orderBy(order) }, label);
    const element = el(`div.${place}`, { role: "columnheader" }, button ?? label);
    return { element, order };
  }

  function orderBy(name) {
    filter.orderName = name;
    arrange({ isKept: false });
  }

  /** Shows what passes the filter, in order. */
  function arrange({ isKept }) {
    const found = [...tools.values()].filter(filter.test()).sort(filter.order.compare);
    table.setAttribute("aria-rowcount", String(found.length + 1));
    table.dataset.order = filter.orderName;
    for (const { element, order } of heads) {
      const isBy = order && order === filter.orderName;
      isBy
        ? element.setAttribute("aria-sort", order === "name" ? "ascending" : "descending")
        : element.removeAttribute("aria-sort");
    }
    const all = tools.size;
    const words =
      found.length === all
        ? `${count(all)} ${all === 1 ? "tool" : "tools"}`
        : `${count(found.length)} of ${count(all)} tools`;
    if (total.textContent !== words) total.textContent = words;
    table.hidden = found.length === 0;
    note.hidden = found.length > 0;
    if (!found.length) put(note, tools.size ? noMatch() : empty());
    if (!isKept) box.scrollTop = 0;
    rows.list(
      found.map((tool) => tool.name),
      { isKept },
    );
  }

  const noMatch = () => [
    el("p", null, "No tool matches."),
    el("button", { type: "button", onclick: () => filter.clear() }, "Clear search and filters"),
  ];

  const empty = () => [
    el("h3", null, "No tools yet"),
    el("p.muted", null, "A tool appears here as soon as a provider connects to"),
    el("p", null, el("code", null, app.hub?.providers ?? "/clients/ws")),
    el("p.muted", null, "or a plugin is put into the hub's folder of plugins."),
  ];

  async function load() {
    if (isLoading || rest) {
      isStale = true;
      return;
    }
    isLoading = true;
    isStale = false;
    const got = await app.api.all("tools", "tools", { most: MOST }).then(
      (all) => () => take(all),
      (problem) => () => failed(problem),
    );
    isLoading = false;
    rest = setTimeout(() => {
      rest = undefined;
      if (isStale && isShown) load();
    }, REST_MS);
    got();
  }

  function take(list) {
    const before = tools;
    tools = new Map();
    for (const tool of list) {
      const { stats, ...said } = tool;
      const text = JSON.stringify(said);
      const known = before.get(tool.name);
      const isSame = known?.text === text;
      const haystack = isSame ? known.haystack : haystackOf(tool);
      tools.set(tool.name, { ...said, stats, text, haystack, isOpen: tool.name === open });
    }
    arrange({ isKept: true });
  }

  function failed(problem) {
    if (tools.size) return;
    table.hidden = true;
    note.hidden = false;
    put(
      note,
      el("h3", null, problem.title ?? "The tools cannot be shown"),
      el("p.muted", null, problem.detail ?? String(problem.message ?? problem)),
      el("button", { type: "button", onclick: load }, "Try again"),
    );
  }

  function tick() {
    refreshTimes(body);
    // Rows do not move under somebody's hand.
    const isInUse = box.matches(":hover") || box.contains(document.activeElement);
    if (filter.order.isLive && !isInUse) arrange({ isKept: true });
  }

  body.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (by === undefined || key === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    rows.focus(rows.beside(key, by));
  });

  return {
    element,
    show() {
      isShown = true;
      if (isStale) load();
      clearInterval(ticker);
      ticker = setInterval(tick, TICK_MS);
      rows.watch();
    },
    hide() {
      isShown = false;
      rows.unwatch();
      clearInterval(ticker);
    },
    search(text) {
      filter.search(text);
      arrange({ isKept: false });
    },
    /** The tool whose page is beside the list, or `undefined`. */
    mark(name) {
      for (const one of [open, name]) if (tools.has(one)) tools.get(one).isOpen = one === name;
      open = name;
      rows.measure();
      rows.reveal(name);
    },
    focus: (name) => rows.focus(name),
    hear({ type, data }) {
      if (type === "calls") {
        for (const [name, stats] of Object.entries(data.stats)) {
          const tool = tools.get(name);
          if (tool) tool.stats = stats;
        }
        if (isShown) rows.refresh();
      } else if ((type === "changed" && data.what.includes("tools")) || (type === "hello" && !data.resumed)) {
        if (isShown) load();
        else isStale = true;
      }
    },
  };
}
