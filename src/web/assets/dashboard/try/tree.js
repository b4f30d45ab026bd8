// JSON as a tree to open and close. Only what is open is in the page, and never more than can be looked at.

import { el } from "../../dom.js";
import { count } from "../../format.js";
import { disclosure } from "../tools/pieces.js";
import { isObject, write } from "./json.js";

/** Children shown at once. */
const PAGE = 100;
/** Levels that are open at first, as far as there is room. */
const LEVELS = 4;
/** Lines that are shown at first. */
const ROOM = 150;
/** Letters of one text. */
const TEXT_MAX = 2_000;

/** @param {any} value as `read` gives it */
export function jsonTree(value) {
  return el("div.tree", null, node(undefined, value, { levels: LEVELS, room: { lines: ROOM } }));
}

/** `levels` to open below, as long as there is `room`, which all of the tree shares. */
function node(name, value, { levels, room }) {
  const label = name === undefined ? null : [el("span.tree-name", null, name), ": "];
  const isArray = Array.isArray(value);
  if (!isArray && !isObject(value)) return el("div.leaf", null, label, leaf(value));
  const entries = isArray ? value.map((item, index) => [String(index), item]) : Object.entries(value);
  const size = `${count(entries.length)} ${isArray ? "item" : "member"}${entries.length === 1 ? "" : "s"}`;
  if (!entries.length) return el("div.leaf", null, label, isArray ? "[ ]" : "{ }");
  const isOpen = levels > 0 && room.lines >= entries.length;
  if (isOpen) room.lines -= entries.length;
  const below = { levels: isOpen ? levels - 1 : 1, room };
  return disclosure([label, el("span.muted", null, size)], () => page(entries, 0, below), { isOpen });
}

function page(entries, from, below) {
  const shown = entries.slice(from, from + PAGE).map(([name, value]) => node(name, value, below));
  const left = entries.length - from - PAGE;
  if (left <= 0) return shown;
  const more = el("button.quiet.small", { type: "button" }, `Show ${Math.min(left, PAGE)} more of ${count(left)}`);
  more.addEventListener("click", () => {
    const next = page(entries, from + PAGE, below);
    more.replaceWith(...next);
    (next[0].querySelector("summary, button") ?? next[0]).focus?.();
  });
  return [...shown, more];
}

function leaf(value) {
  const text = write(value, true);
  const cut = text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}… (${count(text.length)} characters)` : text;
  return el(`span.tree-value${typeof value === "string" ? ".of-text" : ""}`, null, cut);
}
