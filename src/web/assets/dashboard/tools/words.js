// What the hub says of a tool, in words and small marks that the list and the tool's page share.

import { el } from "../../dom.js";
import { ago, fullTime } from "../../format.js";

/** How a tool fares: tone, a word, and a sentence. */
export const STATES = {
  serving: { tone: "good", word: "serving", says: "The first of its stack serves." },
  standby: { tone: "warn", word: "on stand-by", says: "The first of its stack is passed over; one behind it serves." },
  down: { tone: "bad", word: "down", says: "Everybody in its stack is passed over at the moment." },
};

/** A badge; `tone` may be empty. */
export const badge = (tone, word, title) => el("span", { className: `badge ${tone}`.trim(), title }, word);

const HINTS = [
  ["readOnlyHint", "read-only", "good", "It says that it changes nothing."],
  ["destructiveHint", "destructive", "bad", "It says that it may destroy something."],
  ["idempotentHint", "idempotent", "", "It says that running it again changes nothing more."],
  ["openWorldHint", "open world", "", "It says that it deals with things outside."],
];

/** The hints that a tool gives, as badges. They are its own words and no promise. */
export function hintBadges(annotations) {
  const given = HINTS.filter(([name]) => annotations?.[name] === true);
  return given.map(([, word, tone, says]) => badge(tone, word, says));
}

/** "search-worker 1.2.0". */
export function whoIs({ name, version }) {
  return [el("span.who-name", null, name), version && el("span.muted.small", null, ` ${version}`)];
}

/** "2 stand by", or nothing. */
export const standingBy = (offers) => (offers > 1 ? `${offers - 1} ${offers === 2 ? "stands" : "stand"} by` : "");

/** How long ago something was; `refreshTimes` keeps it true. */
export const timeAgo = (time) => el("time", { dateTime: time, title: fullTime(time) }, ago(time));

/** Brings every `timeAgo` within up to date. */
export function refreshTimes(root) {
  for (const element of root.querySelectorAll("time")) {
    const text = ago(element.dateTime);
    if (element.textContent !== text) element.textContent = text;
  }
}
