// Which tools are shown, and in which order: the bar above the list, and what it means.

import { el } from "../../dom.js";
import { icon } from "./pieces.js";

const collator = new Intl.Collator("en", { numeric: true });
const byName = (a, b) => collator.compare(a.name, b.name);

/** Orders by name. A figure is ordered by its largest first. */
const ORDERS = {
  name: { label: "Name", compare: byName },
  calls: { label: "Calls", isLive: true, compare: by((stats) => stats.calls) },
  errors: { label: "Errors", isLive: true, compare: by((stats) => stats.errors) },
  p99: { label: "p99", isLive: true, compare: by((stats) => stats.p99Ms ?? -1) },
};

function by(figure) {
  return (a, b) => figure(b.stats) - figure(a.stats) || byName(a, b);
}

const STATES = [
  ["", "Any state"],
  ["serving", "Serving"],
  ["standby", "On stand-by"],
  ["down", "Down"],
];

const EFFECTS = [
  ["", "Any effect"],
  ["read", "Read-only"],
  ["destroy", "Destructive"],
  ["unsaid", "Says neither"],
];

/**
 * The bar. `changed()` is called when a person wants other tools or another order.
 *
 * @param {() => void} changed
 */
export function filterBar(changed) {
  const search = el("input", {
    type: "search",
    id: "tools-search",
    placeholder: "Search name, description, provider",
    autocomplete: "off",
    spellcheck: false,
    "aria-label": "Search tools",
    oninput: changed,
  });
  const select = (label, options) =>
    el(
      "select",
      { "aria-label": label, onchange: changed },
      options.map(([value, text]) => el("option", { value }, text)),
    );
  const state = select("State", STATES);
  const effect = select("Effect", EFFECTS);
  const order = select(
    "Order",
    Object.entries(ORDERS).map(([value, { label }]) => [value, `By ${label === "p99" ? label : label.toLowerCase()}`]),
  );
  order.classList.add("order");
  const tick = (label) => {
    const input = el("input", { type: "checkbox", onchange: changed });
    return { input, element: el("label.choice", null, input, label) };
  };
  const several = tick("Several offers");
  const altered = tick("Changed");
  const element = el(
    "div.filter",
    { role: "search", "aria-label": "Tools" },
    el("div.search-box", null, icon("search"), search),
    el("div.filter-row", null, state, effect, order, several.element, altered.element),
  );

  const effectFits = ({ annotations = {} }) => {
    if (effect.value === "read") return annotations.readOnlyHint === true;
    if (effect.value === "destroy") return annotations.destructiveHint === true;
    return annotations.readOnlyHint !== true && annotations.destructiveHint !== true;
  };

  return {
    element,
    get order() {
      return ORDERS[order.value];
    },
    get orderName() {
      return order.value;
    },
    set orderName(name) {
      order.value = name;
    },
    get isFiltering() {
      return Boolean(
        search.value.trim() || state.value || effect.value || several.input.checked || altered.input.checked,
      );
    },
    clear() {
      search.value = state.value = effect.value = "";
      several.input.checked = altered.input.checked = false;
      search.focus();
      changed();
    },
    search(text) {
      search.value = text;
    },
    /** What passes, as a test of one tool. */
    test() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      return (tool) =>
        words.every((word) => tool.haystack.includes(word)) &&
        (!state.value || tool.state === state.value) &&
        (!several.input.checked || tool.offers > 1) &&
        (!altered.input.checked || tool.changed !== undefined) &&
        (!effect.value || effectFits(tool));
    },
  };
}

/** What the search looks through, made once per tool. */
export const haystackOf = ({ name, title = "", description = "", provider }) =>
  `${name} ${title} ${description} ${provider.name}`.toLowerCase();
