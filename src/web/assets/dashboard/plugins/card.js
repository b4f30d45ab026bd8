// One plugin: how it fares, why not better, what it may, and what an admin can do to it.

import { el, put } from "../../dom.js";
import { problemNote } from "../notes.js";
import { part } from "../steady.js";
import { revealed } from "../tools/pieces.js";
import { badge, timeAgo } from "../tools/words.js";
import { servingView } from "./serving.js";

/** How a plugin stands: a tone and a word. */
const STATES = {
  serving: ["good", "serving"],
  loading: ["accent", "loading"],
  faulty: ["bad", "kept out"],
  disabled: ["warn", "disabled"],
};

/**
 * @param {{
 *   isAdmin: boolean,
 *   looksAt: string,
 *   act: (plugin: { name: string, user?: string }, action: "reload" | "enable" | "disable") => Promise<void>,
 *   announce: (text: string) => void,
 * }} options  `looksAt` is the user whose tools have pages now.
 */
export function pluginCard({ isAdmin, looksAt, act, announce }) {
  const head = part(el("div.plugin-head"), headOf);
  const buttons = isAdmin && actions();
  const trouble = el("div");
  const fault = part(el("div.plugin-fault"), faultOf);
  const note = part(el("p.muted"), (text) => text);
  const serving = servingView(announce);
  const denied = part(el("div.plugin-warning"), deniedOf);
  const element = el("li.card.plugin", null, [
    el("div.plugin-top", null, head.element, buttons && buttons.element),
    trouble,
    fault.element,
    note.element,
    denied.element,
    serving.element,
  ]);

  function actions() {
    let plugin;
    let isBusy = false;
    const reload = el("button", { type: "button", onclick: () => attempt("reload") }, "Reload");
    const toggle = el("button", { type: "button", onclick: () => attempt(other()) });
    const other = () => (plugin.state === "disabled" ? "enable" : "disable");

    async function attempt(action) {
      // A button that is disabled meanwhile would lose the focus.
      if (isBusy) return;
      isBusy = true;
      put(trouble);
      try {
        await act(plugin, action);
      } catch (problem) {
        put(trouble, problemNote(problem, () => attempt(action)));
      }
      isBusy = false;
    }

    return {
      element: el("div.plugin-buttons", null, reload, toggle),
      show(shown) {
        plugin = shown;
        const isDisabled = plugin.state === "disabled";
        reload.hidden = isDisabled;
        toggle.classList.toggle("danger", !isDisabled);
        put(toggle, isDisabled ? "Enable" : "Disable");
        for (const one of [reload, toggle]) one.setAttribute("aria-label", `${one.textContent} ${plugin.name}`);
      },
    };
  }

  return {
    element,
    show(plugin) {
      const { name, user, state, since } = plugin;
      head.tell({ name, user, state, since, isServing: Boolean(plugin.serving) });
      buttons && buttons.show(plugin);
      fault.tell(plugin.fault, Boolean(plugin.serving));
      note.tell(noteOf(plugin));
      denied.tell(plugin.denied);
      serving.show(plugin.serving, user === undefined || user === looksAt);
    },
  };
}

function headOf({ name, user, state, since, isServing }) {
  const [tone, word] = STATES[state] ?? ["", state];
  const whose = user === undefined ? "for everybody" : ["for ", el("span.plugin-user", null, user), " alone"];
  return [
    el("h3", null, revealed(name)),
    badge(tone, state === "faulty" && isServing ? "new file kept out" : word),
    el("span.small.muted", null, whose, since && [", since ", timeAgo(since)]),
  ];
}

const faultOf = (fault, isServing) =>
  fault && [
    el("p.plugin-why", null, revealed(fault)),
    el("p.small", null, isServing ? "The version before it goes on serving." : "It has no tools until this is mended."),
  ];

/** What is to be said of one of which nothing else can be told. */
function noteOf({ name, state, fault, serving }) {
  if (state === "disabled") return `The hub leaves ${name}.wasm alone until it is enabled.`;
  if (state === "loading" && !serving && !fault) return "It is being compiled. Its tools come when that is done.";
  return "";
}

const deniedOf = (denied) =>
  denied.length > 0 && [
    el("p", null, "Lately its calls lacked:"),
    el("ul", null, denied.map((permission) => el("li", null, revealed(permission)))),
  ];
