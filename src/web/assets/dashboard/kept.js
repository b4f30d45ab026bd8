// Keeps what a view shows in step with the hub: asked for when it is looked at and out of date, and not too often.

import { put } from "../dom.js";
import { problemNote, whileWaiting } from "./notes.js";

/** Least time between two questions. */
const REST_MS = 500;
/** A question that took long is followed by a rest of so many times as long. */
const REST_TIMES = 5;

/**
 * @template Facts
 * @param {{
 *   ask: (signal: AbortSignal) => Promise<Facts>,
 *   take: (facts: Facts) => void,
 *   place: HTMLElement,
 *   matter?: string,
 *   every: number,
 * }} options
 *   `take` shows the facts. Where that has not been possible yet, `place` tells why not. `matter` is what the event
 *   `changed` names when the facts are out of date, and after `every` milliseconds they are so in any case.
 */
export function kept({ ask, take, place, matter, every }) {
  let isShown = false;
  let isStale = true;
  let isTaken = false;
  let asking;
  let resting;
  let ticker;

  async function look() {
    isStale = true;
    if (!isShown || asking || resting) return;
    isStale = false;
    asking = new AbortController();
    const { signal } = asking;
    const began = performance.now();
    try {
      const asked = ask(signal);
      take(await (isTaken ? asked : whileWaiting(asked, place)));
      isTaken = true;
    } catch (problem) {
      // What is shown already is better than nothing; the stream tells when the hub is back.
      if (!signal.aborted && !isTaken) put(place, problemNote(problem, look));
    }
    asking = undefined;
    const rest = Math.max(REST_MS, REST_TIMES * (performance.now() - began));
    resting = setTimeout(() => {
      resting = undefined;
      if (isStale) look();
    }, rest);
  }

  return {
    look,
    show() {
      isShown = true;
      if (isStale) look();
      clearInterval(ticker);
      ticker = setInterval(() => document.visibilityState === "visible" && look(), every);
    },
    hide() {
      isShown = false;
      clearInterval(ticker);
      asking?.abort();
      // Figures that move by themselves are old when somebody comes back.
      isStale = true;
    },
    hear({ type, data }) {
      const isNews = type === "changed" && data.what.includes(matter);
      if (isNews || (type === "hello" && !data.resumed)) look();
    },
  };
}
