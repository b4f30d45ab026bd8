// What of a plugin serves: which file that is, its tools, what it may do and what it asks the hub by.

import { el } from "../../dom.js";
import { bytes, count, duration } from "../../format.js";
import { copyButton } from "../copy.js";
import { toolLink } from "../providers/row.js";
import { part } from "../steady.js";
import { revealed } from "../tools/pieces.js";

/** Digits of a digest that tell it from others at a glance. */
const DIGEST_SHOWN = 12;

/** @param {(text: string) => void} announce */
export function servingView(announce) {
  const facts = part(el("dl.facts.small"), (serving, isLinked) => serving && factsOf(serving, isLinked, announce));
  const warnings = part(el("ul.plugin-warning"), (texts) => texts.map((text) => el("li", null, revealed(text))));
  const words = part(el("summary"), wordsOf);
  const names = part(el("ul.plugin-imports"), (texts) => texts.map((text) => el("li", null, revealed(text))));
  const imports = el("details.small", null, words.element, names.element);

  return {
    element: el("div.plugin-serving", null, warnings.element, facts.element, imports),
    /**
     * @param {any} serving  `undefined` when nothing of it serves
     * @param {boolean} isLinked  whether the tools are among those that are looked at
     */
    show(serving, isLinked) {
      const { imports: asked = [], warnings: told = [], ...rest } = serving ?? {};
      facts.tell(serving && rest, isLinked);
      warnings.tell(told);
      words.tell(asked.length);
      names.tell(asked);
      imports.hidden = !asked.length;
    },
  };
}

const wordsOf = (number) => `Imports ${count(number)} ${number === 1 ? "interface" : "interfaces"}`;

function factsOf({ digest, bytes: size, tools, permissions, compileMs }, isLinked, announce) {
  const none = (text) => el("span.muted", null, text);
  const links = tools.map((name) => el("li", null, isLinked ? toolLink(name) : revealed(name)));
  const may = permissions.map((text) => el("li", null, revealed(text)));
  return [
    el("dt", null, "Tools"),
    el("dd", null, links.length ? el("ul.tool-names", null, links) : none("none")),
    el("dt", null, "May"),
    el("dd", null, may.length ? el("ul", null, may) : none("compute, and nothing else")),
    el("dt", null, "File"),
    el("dd.plugin-file", null, [
      el("span", null, bytes(size)),
      compileMs !== undefined && el("span", null, `compiled in ${duration(compileMs)}`),
      el("span", null, [
        "SHA-256 ",
        el("code", { title: digest }, `${digest.slice(0, DIGEST_SHOWN)}…`),
        copyButton(digest, "the SHA-256 digest", announce),
      ]),
    ]),
  ];
}
