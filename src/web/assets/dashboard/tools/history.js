// What became of a tool: when another came to serve it, and when its definition became another.

import { el } from "../../dom.js";
import { diffView } from "./diff.js";
import { timeAgo, whoIs } from "./words.js";

/** @param {any[]} switches newest first */
export function switchesView(switches) {
  return el(
    "ol.timeline",
    null,
    switches.map(({ at, from, to, why }) =>
      el(
        "li",
        null,
        el(
          "p",
          null,
          from && [
            whoIs(from),
            el("span.arrow", { "aria-hidden": "true" }, " → "),
            el("span.unseen", null, " gave way to "),
          ],
          whoIs(to),
        ),
        el("p.small.muted", null, timeAgo(at), " · ", why),
      ),
    ),
  );
}

/** @param {any[]} changes newest first */
export function changesView(changes) {
  return el("ol.timeline.changes", null, changes.map(changeView));
}

const FORM_ONLY = "Written otherwise, in another order or with other spaces; it says the same";
const UNKNOWN = "Changed; what it was before is not known any more";

function changeView({ at, by, instance, listed, formOnly, digest, before, members, texts = {} }) {
  const named = members.flatMap((member, index) => [index > 0 && ", ", el("code", null, member)]);
  return el(
    "li",
    null,
    el("p", null, members.length ? ["Changed: ", named] : formOnly ? FORM_ONLY : UNKNOWN),
    !listed && el("p.small", null, "Clients did not see it: another provider of this tool was listed."),
    el(
      "p.small.muted",
      null,
      timeAgo(at),
      " · by ",
      el("span", { title: `instance ${instance}` }, whoIs(by)),
      " · ",
      el("code", null, before.slice(0, 8)),
      " → ",
      el("code", null, digest.slice(0, 8)),
    ),
    Object.entries(texts).map(([member, text]) =>
      el("figure.change", null, el("figcaption.small", null, member), diffView(text.before ?? "", text.after ?? "")),
    ),
  );
}
