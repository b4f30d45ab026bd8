// The calls that are kept here, newest first. New ones wait until they are let in, so that nothing moves while
// somebody reads.

/** More are not kept, neither let in nor waiting. */
export const MOST = 500;

/**
 * @typedef {{ provider: string, startMs: number, durationMs: number, outcome: string, why?: string }} Attempt
 * @typedef {{
 *   id: string, at: string, user: string, tool: string, outcome: string, durationMs: number,
 *   trace?: string, why?: string, attempts: Attempt[],
 * }} Call
 * @typedef {{ call: Call, untold: number }} Entry  `untold`: calls just before it that are not here
 */

export function callLog() {
  /** @type {Entry[]} */
  let entries = [];
  /** @type {Entry[]} */
  let waiting = [];
  let ids = new Set();

  /** Keeps the newest of `list`; what is let go was before the oldest of them. */
  function trimmed(list, isCounted) {
    const kept = list.slice(0, MOST);
    if (isCounted && list.length > MOST) {
      const gone = list.slice(MOST).reduce((sum, entry) => sum + 1 + entry.untold, 0);
      kept[MOST - 1] = { ...kept[MOST - 1], untold: kept[MOST - 1].untold + gone };
    }
    return kept;
  }

  function keep(list) {
    entries = trimmed(list, false);
    ids = new Set(entries.map(({ call }) => call.id));
  }

  return {
    entries: () => entries,
    waiting: () => waiting,
    isFull: () => entries.length === MOST,
    /** Calls between those that are here that are not. */
    untold: () => entries.reduce((sum, { untold }) => sum + untold, 0),
    /** Begins anew with `calls`, newest first. Those that wait go on waiting, if they are not among them. */
    begin(calls) {
      keep(calls.map((call) => ({ call, untold: 0 })));
      waiting = waiting.filter(({ call }) => !ids.has(call.id));
    },
    /** Forgets those that wait; for when all that is here is to be asked for anew. */
    forget() {
      waiting = [];
    },
    /** Takes calls as they happen, oldest first, after `skipped` that nobody told of. */
    wait(calls, skipped) {
      const fresh = calls.map((call, index) => ({ call, untold: index ? 0 : skipped }));
      waiting = trimmed([...fresh.reverse(), ...waiting], true);
    },
    /** Lets those in that wait. */
    letIn() {
      if (!waiting.length) return;
      keep([...waiting.filter(({ call }) => !ids.has(call.id)), ...entries]);
      waiting = [];
    },
    /** Adds calls that were before; tells how many were new. Those after the newest here are waiting anyhow. */
    add(calls) {
      const newest = entries.length ? ended(entries[0].call) : Infinity;
      const missing = calls.filter((call) => !ids.has(call.id) && ended(call) <= newest);
      const added = missing.map((call) => ({ call, untold: 0 }));
      keep([...entries, ...added].sort((one, other) => ended(other.call) - ended(one.call)));
      return added.length;
    },
  };
}

/** The hub's order is that in which calls end. */
const ended = (call) => Date.parse(call.at) + call.durationMs;
