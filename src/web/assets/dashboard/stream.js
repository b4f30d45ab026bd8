// Follows what happens in the hub, and heals: a stream that breaks is taken up where it broke off.

import { problem } from "./api.js";
import { eventReader } from "./events.js";

/** The hub says something every 15 seconds; after this long without a byte the line is dead. */
const SILENCE_MS = 35_000;
/** A shorter silence is reason enough to doubt the line of a machine that may have slept. */
const DOUBT_MS = 17_000;
/** How long a tab may be out of sight until it gives up its line: browsers have six to one hub, for all tabs. */
const AWAY_MS = 10_000;
const PAUSE_MS = 500;
const PAUSE_MOST_MS = 15_000;

/**
 * @param {{
 *   open: (headers: Record<string, string>, signal: AbortSignal) => Promise<Response>,
 *   hear: (event: { type: string, data: any }) => void,
 *   state: (state: "connecting" | "live" | "lost", why?: string) => void,
 * }} options  `why` is what the hub says when it is there and does not let one follow.
 * @returns {() => void} ends it
 */
export function follow({ open, hear, state }) {
  const ended = new AbortController();
  let last = "";
  let failures = 0;
  let refusal;
  let heardAt = 0;
  let isAway = false;
  let leaving;
  let cut = () => {};
  let hurry = () => {};

  async function once() {
    const line = new AbortController();
    cut = () => line.abort();
    refusal = undefined;
    const end = cut;
    ended.signal.addEventListener("abort", end);
    let watchdog = setTimeout(cut, SILENCE_MS);
    try {
      const headers = last ? { "Last-Event-ID": last } : {};
      const response = await open({ Accept: "text/event-stream", ...headers }, line.signal);
      // A token that is not taken has been told of by whoever asked; nothing is to be tried again.
      if (response.status === 401) return ended.abort();
      if (!response.ok) {
        const isTold = response.headers.get("Content-Type")?.startsWith("application/problem+json");
        refusal = isTold ? (await problem(response)).detail : undefined;
        return;
      }
      const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const read = eventReader();
      for (;;) {
        const { done, value } = await pieces.read();
        if (done) return;
        heardAt = Date.now();
        clearTimeout(watchdog);
        watchdog = setTimeout(cut, SILENCE_MS);
        for (const { id, type, data } of read(value)) {
          last = id;
          if (type === "hello") {
            failures = 0;
            state("live");
          }
          hear({ type, data: JSON.parse(data) });
        }
      }
    } finally {
      clearTimeout(watchdog);
      ended.signal.removeEventListener("abort", end);
      line.abort();
    }
  }

  /** Resolves after `ms`, if that is said, or when there is reason to hurry. */
  function rest(ms) {
    return new Promise((resume) => {
      const timer = ms === undefined ? undefined : setTimeout(resume, ms);
      hurry = () => {
        clearTimeout(timer);
        resume();
      };
    });
  }

  async function run() {
    state("connecting");
    while (!ended.signal.aborted) {
      if (isAway) {
        await rest();
        state("connecting");
        continue;
      }
      await once().catch(() => {});
      if (ended.signal.aborted) return;
      if (isAway) continue;
      state("lost", refusal);
      const pause = Math.min(PAUSE_MOST_MS, PAUSE_MS * 2 ** failures++);
      // Not all dashboards at once, when a hub comes back.
      await rest(pause * (0.5 + Math.random() / 2));
    }
  }

  function wake() {
    if (Date.now() - heardAt > DOUBT_MS) cut();
    hurry();
  }

  function look() {
    clearTimeout(leaving);
    if (document.visibilityState === "visible") {
      isAway = false;
      return wake();
    }
    leaving = setTimeout(() => {
      isAway = true;
      cut();
    }, AWAY_MS);
  }

  addEventListener("online", wake);
  document.addEventListener("visibilitychange", look);
  ended.signal.addEventListener("abort", () => {
    clearTimeout(leaving);
    removeEventListener("online", wake);
    document.removeEventListener("visibilitychange", look);
    hurry();
  });
  look();
  run();
  return () => ended.abort();
}
