// What differs between two texts, word by word.

import { el } from "../../dom.js";
import { revealed } from "./pieces.js";

/** Pairs of words compared at most; beyond that the texts stand one after the other. */
const PAIRS_MAX = 1_000_000;

/**
 * @param {string} before
 * @param {string} after
 * @returns {{ kind: "same"|"gone"|"new", text: string }[]}
 */
function differences(before, after) {
  const [a, b] = [before, after].map((text) => text.match(/\s+|[^\s]+/g) ?? []);
  if (a.length * b.length > PAIRS_MAX)
    return joined([
      { kind: "gone", text: before },
      { kind: "new", text: after },
    ]);
  // lengths[i][j]: words in common from a[i] and b[j] on.
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const [right, below] = [lengths[i * width + j + 1], lengths[(i + 1) * width + j]];
      lengths[i * width + j] = a[i] === b[j] ? lengths[(i + 1) * width + j + 1] + 1 : Math.max(right, below);
    }
  }
  const parts = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      parts.push({ kind: "same", text: a[i++] });
      j++;
    } else if (j >= b.length || (i < a.length && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])) {
      parts.push({ kind: "gone", text: a[i++] });
    } else parts.push({ kind: "new", text: b[j++] });
  }
  return joined(parts);
}

/** Neighbours of one kind as one part; a lone space between two changes belongs to them. */
function joined(parts) {
  const runs = [];
  for (const [index, part] of parts.entries()) {
    const last = runs.at(-1);
    const next = parts[index + 1];
    const isGap =
      part.kind === "same" && !part.text.trim() && last && next && last.kind !== "same" && next.kind !== "same";
    if (isGap && last.kind === next.kind) last.text += part.text;
    else if (last?.kind === part.kind) last.text += part.text;
    else if (part.text) runs.push({ ...part });
  }
  return runs;
}

const TAGS = { same: "span", gone: "del", new: "ins" };
const SAID = { gone: "[taken away: ", new: "[added: " };

/** Both texts in one, with what went and what came marked; who cannot see the marks hears them. */
export function diffView(before, after) {
  const parts = differences(before, after).map(({ kind, text }) =>
    el(
      TAGS[kind],
      null,
      SAID[kind] && el("span.unseen", null, SAID[kind]),
      revealed(text),
      SAID[kind] && el("span.unseen", null, "]"),
    ),
  );
  return el("div.diff", null, parts);
}
