// Small pieces that the tool's page and *Try it* are made of.

import { el, put, svg } from "../../dom.js";

/** Letters of a text shown before "show all". */
const LONG = 4_000;
/** Letters put into the page at once; more of them makes the browser stall. */
const HUGE = 400_000;

/** Something to open; what is inside is made when that first happens. */
export function disclosure(summary, make, { isOpen = false } = {}) {
  const details = el("details", { open: isOpen }, el("summary", null, summary));
  let isMade = false;
  const open = () => {
    if (isMade || !details.open) return;
    isMade = true;
    details.append(...[make()].flat());
  };
  details.addEventListener("toggle", open);
  open();
  return details;
}

/** A text as it is, cut when it is very long, with a way to see the rest. */
export function longText(text) {
  const element = el("pre.text", { tabIndex: 0 }, text.slice(0, LONG));
  if (text.length <= LONG) return [element];
  const rest = text.length - LONG;
  const isHuge = text.length > HUGE;
  const more = el(
    "button.quiet.small",
    { type: "button" },
    `Show ${isHuge ? "more" : "all"} (${rest} more characters)`,
  );
  more.addEventListener("click", () => {
    put(element, text.slice(0, HUGE));
    element.focus();
    more.replaceWith(isHuge ? el("p.muted.small", null, "The rest is too long for a page. Copy it instead.") : "");
  });
  return [element, more];
}

/**
 * Characters that a model reads and a person does not see: soft hyphens, zero-width and direction marks, and the
 * tag characters that can carry whole sentences. Joiners are left, since scripts and emoji need them.
 */
const UNSEEN = /([\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\u{e0000}-\u{e0fff}])+/gu;

/** A text whose hidden characters are shown for what they are. */
export function revealed(text) {
  const parts = [];
  let at = 0;
  for (const { 0: run, index } of text.matchAll(UNSEEN)) {
    const points = Array.from(
      run,
      (letter) => `U+${letter.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`,
    );
    const told = points.length === 1 ? points[0] : `${points.length} hidden characters`;
    parts.push(text.slice(at, index), el("span.hidden-letters", { title: points.slice(0, 40).join(" ") }, told));
    at = index + run.length;
  }
  parts.push(text.slice(at));
  return parts;
}

/** A link to a place that a stranger names: only to web pages, and with the whole address to see. Else text alone. */
export function safeLink(uri) {
  const url = webAddress(uri);
  if (!url) return el("code.address", null, addressText(uri));
  return el("a", { href: url.href, target: "_blank", rel: "noopener noreferrer" }, url.href);
}

/** Whatever stands where an address should, as text. */
export const addressText = (uri) => (typeof uri === "string" ? uri : (JSON.stringify(uri) ?? "")).slice(0, 2_000);

/** The address of a web page, or `undefined` for everything else, such as `javascript:`. */
export function webAddress(uri) {
  if (typeof uri !== "string" || !URL.canParse(uri)) return undefined;
  const url = new URL(uri);
  return ["http:", "https:"].includes(url.protocol) ? url : undefined;
}

const PATHS = {
  back: "M10 3 5 8l5 5",
  up: "m4 10 4-4 4 4",
  down: "m4 6 4 4 4-4",
  remove: "m4 4 8 8m0-8-8 8",
  warn: "M8 2 1.5 13.5h13L8 2Zm0 5v3m0 1.9v.1",
  search: "m10.5 10.5 3.5 3.5M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10Z",
};

/** A small picture beside a word, or in a button that has a label. */
export const icon = (name) =>
  svg("svg.icon", { viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" }, svg("path", { d: PATHS[name] }));
