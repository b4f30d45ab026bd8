// The Plugins view: which components there are, how each fares, and, for admins, what may be done to it.

import { el } from "../dom.js";
import { count } from "../format.js";
import { kept } from "./kept.js";
import { emptyNote } from "./notes.js";
import { pluginCard } from "./plugins/card.js";
import { disableQuestion } from "./plugins/disable.js";
import { arrange, part } from "./steady.js";
import { refreshTimes } from "./tools/words.js";

/** More are not asked for. */
const MOST = 2_000;
/** How often they are asked for, whatever the hub tells: what calls lacked is no change of a plugin. */
const REFRESH_MS = 5_000;

/** What has been done, in the words that are announced. */
const DONE = { reload: "is read anew", enable: "is enabled", disable: "is disabled" };

/** @param {import("./tools.js").App} app */
export function pluginsView(app) {
  const total = el("p.small.muted", { role: "status" });
  const note = part(el("div"), noteOf);
  const list = el("ul.plugins");
  const question = disableQuestion();
  const heading = el("h2", { tabIndex: -1 }, "Plugins");
  const element = el("section.view.plugins-view", null, heading, total, note.element, list, question.element);
  /** @type {Map<string, ReturnType<typeof pluginCard>>} */
  const cards = new Map();

  const facts = kept({
    ask: (signal) => app.api.all("plugins", "plugins", { signal, most: MOST }),
    take,
    place: note.element,
    matter: "plugins",
    every: REFRESH_MS,
  });

  function take(plugins) {
    const there = new Set(plugins.map(keyOf));
    for (const key of cards.keys()) if (!there.has(key)) cards.delete(key);
    arrange(list, plugins.map(cardOf));
    refreshTimes(list);
    const told = plugins.length ? `${count(plugins.length)} ${plugins.length === 1 ? "plugin" : "plugins"}` : "";
    // What is read aloud is written only when it is news.
    if (total.textContent !== told) total.textContent = told;
    note.tell(plugins.length);
  }

  function cardOf(plugin) {
    const key = keyOf(plugin);
    if (!cards.has(key)) {
      const looksAt = app.user ?? app.me.user;
      cards.set(key, pluginCard({ isAdmin: app.me.admin, looksAt, act, announce: app.announce }));
    }
    const card = cards.get(key);
    card.show(plugin);
    return card.element;
  }

  /** Resolves when `action` is done, or has been decided against. */
  async function act({ name, user }, action) {
    if (action === "disable" && !(await question.ask(name))) return;
    await app.api.post(`plugins/${encodeURIComponent(name)}/${action}`, { query: { user } });
    app.announce(`${name} ${DONE[action]}.`);
    facts.look();
  }

  return {
    title: "Plugins",
    element,
    show: facts.show,
    hide() {
      question.close();
      facts.hide();
    },
    hear: facts.hear,
  };
}

const keyOf = ({ name, user = "" }) => `${user}\n${name}`;

/** What is said in the place of plugins. */
const noteOf = (all) =>
  !all &&
  emptyNote(
    "No plugins yet",
    el("p", null, [
      "A plugin is a WebAssembly component. Put ",
      el("code", null, "NAME.wasm"),
      " into the hub’s folder of plugins, and its tools are on offer at once, without a restart.",
    ]),
    el("p", null, el("code", null, "mcp-hub plugin new NAME"), " makes a project to begin with."),
  );
