// The Providers view: who answers calls, and how each fares.

import { el, put } from "../dom.js";
import { count } from "../format.js";
import { kept } from "./kept.js";
import { emptyNote } from "./notes.js";
import { BREAKERS, providerRow } from "./providers/row.js";
import { arrange, part } from "./steady.js";
import { refreshTimes } from "./tools/words.js";

/** Providers shown at once, and more at each wish for more. */
const SLICE = 100;
/** More are not asked for. */
const MOST = 5_000;
/** How often figures are asked for while they are looked at. */
const REFRESH_MS = 2_000;

/** @param {import("./tools.js").App} app */
export function providersView(app) {
  const tellsUser = app.user === "*";
  let providers = [];
  let most = SLICE;
  /** @type {Map<string, ReturnType<typeof providerRow>>} */
  const rows = new Map();

  const search = el("input", {
    type: "search",
    placeholder: tellsUser ? "Name, version, tool or user" : "Name, version or tool",
    autocomplete: "off",
    spellcheck: false,
    oninput: look,
  });
  const state = el(
    "select",
    { onchange: look },
    el("option", { value: "" }, "Any"),
    Object.entries(BREAKERS).map(([value, { word }]) => el("option", { value }, word)),
  );
  const filters = el("div.toolbar", { hidden: true }, [
    el("label", null, "Search", search),
    el("label", null, "State", state),
  ]);
  const total = el("p.small.muted", { role: "status" });
  const list = el("ul.providers");
  const note = part(el("div"), noteOf);
  const more = el("button.show-more", { type: "button", onclick: showMore, hidden: true });
  const element = el("section.view.providers-view", null, [
    el("h2", { tabIndex: -1 }, "Providers"),
    filters,
    total,
    note.element,
    list,
    more,
  ]);

  const facts = kept({
    ask: (signal) => app.api.all("providers", "providers", { signal, most: MOST }),
    take,
    place: note.element,
    matter: "providers",
    every: REFRESH_MS,
  });

  function take(all) {
    providers = all;
    const there = new Set(all.map(({ id }) => id));
    for (const id of rows.keys()) if (!there.has(id)) rows.delete(id);
    show();
    refreshTimes(list);
  }

  /** Others are looked for: the first of them are shown. */
  function look() {
    most = SLICE;
    show();
  }

  function showMore() {
    const first = list.children.length;
    most += SLICE;
    show();
    // Whoever goes on by keyboard goes on at the first that is new.
    list.children[first]?.querySelector("summary")?.focus();
  }

  function show() {
    const found = providers.filter(isSought());
    const shown = found.slice(0, most);
    arrange(list, shown.map(rowOf));
    more.hidden = found.length === shown.length;
    put(more, `Show more (${count(found.length - shown.length)})`);
    filters.hidden = !providers.length;
    const words = `${count(providers.length)} ${providers.length === 1 ? "provider" : "providers"}`;
    const told = found.length === providers.length ? words : `${count(found.length)} of ${words}`;
    // What is read aloud is written only when it is news.
    if (total.textContent !== told) total.textContent = told;
    total.hidden = !providers.length;
    note.tell(providers.length, found.length);
  }

  function isSought() {
    const sought = search.value.trim().toLowerCase();
    return (provider) => (!state.value || provider.breaker === state.value) && textOf(provider).includes(sought);
  }

  function rowOf(provider) {
    if (!rows.has(provider.id)) rows.set(provider.id, providerRow(tellsUser));
    const row = rows.get(provider.id);
    row.show(provider);
    return row.element;
  }

  return { title: "Providers", element, show: facts.show, hide: facts.hide, hear: facts.hear };
}

/** In what is searched. */
const textOf = ({ name, version = "", user = "", toolNames }) =>
  [name, version, user, ...toolNames].join("\n").toLowerCase();

/** What is said in the place of providers. */
function noteOf(all, found) {
  if (found) return null;
  if (all) return el("p.empty", null, "No provider matches.");
  return emptyNote(
    "No providers yet",
    el("p", null, "A provider is any program that connects to this hub and says which tools it has, or a plugin."),
    el("a.button", { href: "./#bring" }, "Bring your tools"),
  );
}
