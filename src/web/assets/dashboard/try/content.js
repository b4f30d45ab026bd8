// One piece of what a tool answers, each kind in its own way. All of it was written by strangers: it becomes text, a
// picture or sound of a known kind, a link to a web page, or a file to download, and nothing else.

import { el, put } from "../../dom.js";
import { bytes } from "../../format.js";
import { copyButton } from "../copy.js";
import { longText, revealed, safeLink } from "../tools/pieces.js";
import { isObject, read } from "./json.js";
import { jsonTree } from "./tree.js";

/** What a picture or a sound may be. SVG runs no script as a picture. */
const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/svg+xml"];
const SOUNDS = [
  "audio/wav",
  "audio/x-wav",
  "audio/mpeg",
  "audio/mp3",
  "audio/ogg",
  "audio/webm",
  "audio/mp4",
  "audio/aac",
  "audio/flac",
];
/** Letters of text up to which it is looked at for being JSON. */
const JSON_TEXT_MAX = 1_000_000;

/** @typedef {{ files: string[], announce: (said: string) => void }} Holder `files`: addresses to give back later */

/** A part of the result under the name of its kind. */
export const part = (kind, children, ...actions) =>
  el("div.part", null, el("div.part-head", null, el("span.part-kind", null, kind), actions), children);

/**
 * @param {any} content an item of a result's `content`
 * @param {Holder} holder
 */
export function contentPart(content, holder) {
  if (!isObject(content)) return part("unknown", [jsonTree(content)]);
  switch (content.type) {
    case "text":
      if (typeof content.text === "string") return textPart("text", content.text, holder);
      break;
    case "image":
    case "audio":
      return mediaPart(content, holder);
    case "resource_link":
      return linkPart(content);
    case "resource":
      if (isObject(content.resource)) return resourcePart(content.resource, holder);
      break;
    default:
  }
  return part("unknown", [jsonTree(content)]);
}

function textPart(kind, text, { announce }, ...above) {
  const box = el("div", null, longText(text));
  const value = asJson(text);
  const copy = copyButton(text, "the text", announce);
  if (value === undefined) return part(kind, [above, box], copy);
  const toggle = el("button.quiet", { type: "button", "aria-pressed": "false" }, "As JSON");
  toggle.addEventListener("click", () => {
    const isTree = toggle.getAttribute("aria-pressed") !== "true";
    toggle.setAttribute("aria-pressed", String(isTree));
    put(box, isTree ? jsonTree(value) : longText(text));
  });
  return part(kind, [above, box], toggle, copy);
}

/** The value of a text that is JSON of some structure. */
function asJson(text) {
  if (text.length > JSON_TEXT_MAX || !/^\s*[{[]/.test(text)) return undefined;
  try {
    return read(text);
  } catch {
    return undefined;
  }
}

function mediaPart({ type, data, mimeType }, { files }) {
  const binary = decode(data);
  if (!binary) return part(type, [el("p.failure", null, "Its data is no Base64.")]);
  const kind = typeof mimeType === "string" ? mimeType.toLowerCase() : "";
  const size = bytes(binary.length);
  const head = `${type} · ${kind.slice(0, 60) || "of no kind"} · ${size}`;
  const save = download(binary, type, kind, files);
  const url = `data:${kind};base64,${data}`;
  if (type === "image" && PICTURES.includes(kind)) {
    return part(head, [el("img.picture", { src: url, alt: `Picture from the tool (${kind}, ${size})` })], save);
  }
  if (type === "audio" && SOUNDS.includes(kind)) {
    return part(
      head,
      [el("audio", { controls: true, preload: "metadata", src: url, "aria-label": "Sound from the tool" })],
      save,
    );
  }
  return part(head, [el("p.muted", null, "A page does not show this kind. It can be downloaded.")], save);
}

function linkPart({ uri, name, title, description, mimeType, size }) {
  const said = [title, name].find((text) => typeof text === "string" && text);
  const facts = [mimeType, Number.isFinite(size) && bytes(size)].filter((fact) => typeof fact === "string");
  return part("resource link", [
    said && el("p", null, el("strong", null, revealed(said.slice(0, 300)))),
    typeof description === "string" && el("p.muted", null, revealed(description.slice(0, 2_000))),
    el("p.address-line", null, safeLink(uri)),
    facts.length > 0 && el("p.muted.small", null, facts.join(" · ").slice(0, 200)),
  ]);
}

function resourcePart({ uri, mimeType, text, blob }, holder) {
  const address = el("p.address-line", null, safeLink(uri));
  const kind = typeof mimeType === "string" ? mimeType.toLowerCase().slice(0, 80) : "";
  if (typeof text === "string") return textPart(["resource", kind].filter(Boolean).join(" · "), text, holder, address);
  const binary = decode(blob);
  if (!binary) return part("resource", [address, el("p.failure", null, "It has neither text nor Base64 data.")]);
  const head = ["resource", kind, bytes(binary.length)].filter(Boolean).join(" · ");
  const isPicture = PICTURES.includes(kind);
  const picture =
    isPicture && el("img.picture", { src: `data:${kind};base64,${blob}`, alt: `Picture from the tool (${kind})` });
  return part(head, [address, picture], download(binary, "resource", kind, holder.files));
}

/** The bytes of Base64, or `undefined` if it is none. */
function decode(data) {
  if (typeof data !== "string") return undefined;
  try {
    const text = atob(data);
    const binary = new Uint8Array(text.length);
    for (let index = 0; index < text.length; index++) binary[index] = text.charCodeAt(index);
    return binary;
  } catch {
    return undefined;
  }
}

/** A link that saves the bytes. The browser is not told their kind, so that it never opens them as a page of ours. */
function download(binary, name, kind, files) {
  const url = URL.createObjectURL(new Blob([binary], { type: "application/octet-stream" }));
  files.push(url);
  const ending = /^[a-z]+\/(?:x-)?([a-z0-9]{1,8})(?:\+xml)?$/.exec(kind)?.[1] ?? "bin";
  return el("a.save", { href: url, download: `${name}.${ending}` }, "Download");
}
