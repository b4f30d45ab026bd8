// What a view says in the place of what it has nothing to show of.

import { el } from "../dom.js";

/** Less than this is not worth telling that one waits. */
const PATIENCE_MS = 400;

/** What the hub says is wrong, and a way to ask again. */
export function problemNote(problem, retry) {
  const words = problem.detail ?? problem.message ?? String(problem);
  return el(
    "div.problem",
    { role: "alert" },
    el("p", null, words),
    el("button", { type: "button", onclick: retry }, "Try again"),
  );
}

/** What will be here, and how it comes to be. */
export const emptyNote = (title, ...children) => el("div.empty", null, el("h3", null, title), children);

/** Says that something is on its way, if it is for long. Ends with what `promise` ends with. */
export async function whileWaiting(promise, place) {
  const note = el("p.muted", null, "Loading …");
  const timer = setTimeout(() => place.append(note), PATIENCE_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    note.remove();
  }
}
