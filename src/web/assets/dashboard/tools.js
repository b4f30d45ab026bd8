// The Tools view: the list of every tool and, beside it or in its place, the page of one.

import { el, put } from "../dom.js";
import { toolPage } from "./tool.js";
import { toolList } from "./tools/list.js";

/**
 * What the shell gives to every view.
 *
 * @typedef {{
 *   api: {
 *     get: (path: string, options?: { query?: object, signal?: AbortSignal }) => Promise<any>,
 *     all: (path: string, key: string, options?: { query?: object, most?: number }) => Promise<any[]>,
 *     fetch: (path: string, init: RequestInit) => Promise<Response>,
 *   },
 *   me?: { user: string, admin: boolean }, hub?: { version: string, providers: string }, user?: string,
 *   go: (hash: string) => void, announce: (text: string) => void,
 * }} App
 */

/** @param {App} app */
export function toolsView(app) {
  if (app.user === "*") return viewOfNobody();
  const list = toolList(app);
  const place = el("div.tool-place");
  const panes = el("div.tools-panes", null, list.element, place);
  const element = el("div.tools", null, panes);
  let page;

  function open(name) {
    if (page?.name === name) return false;
    page?.close();
    page = name === undefined ? undefined : toolPage(app, name);
    put(place, page?.element);
    panes.classList.toggle("has-page", page !== undefined);
    list.mark(name);
    return true;
  }

  return {
    title: "Tools",
    element,
    show([name], query) {
      const left = page?.name;
      const isOther = open(name);
      if (typeof query?.q === "string") list.search(query.q);
      list.show();
      page?.show();
      if (!isOther) return;
      if (page) {
        if (place.getBoundingClientRect().top < 0) place.scrollIntoView();
        // The shell moves the focus to the view first.
        requestAnimationFrame(() => page?.focus());
      } else if (left !== undefined) list.focus(left);
    },
    hide() {
      list.hide();
      page?.hide();
    },
    hear(event) {
      list.hear(event);
      page?.hear(event);
    },
  };
}

/** Tools are each user's own: two of one name have nothing to do with each other. */
function viewOfNobody() {
  const note = el("p.muted", null, "Every user has tools of their own. Choose one user to look at theirs.");
  const element = el("section.tools", null, el("h2", null, "Tools"), note);
  return { title: "Tools", element, show() {}, hide() {}, hear() {} };
}
