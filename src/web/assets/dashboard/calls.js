// The Calls view: what is called, as it happens, and where each call has been.

import { el, put } from "../dom.js";
import { count } from "../format.js";
import { filterBar } from "./calls/filter.js";
import { callList } from "./calls/list.js";
import { callLog, MOST } from "./calls/log.js";
import { scrolledPast } from "./calls/scrolled.js";
import { emptyNote, problemNote, whileWaiting } from "./notes.js";
import { trailPatterns } from "./trail.js";

/** Calls fetched at once, and rows shown at first and with each "Show more". */
const PAGE = 100;

/** @param {import("./tools.js").App} app */
export function callsView(app) {
  const log = callLog();
  const hasUser = app.user === "*";
  let isShown = false;
  let isPaused = false;
  let isLoading = false;
  /** All that is here is to be asked for anew. */
  let isStale = true;
  let isHeldBack = false;
  /** Rows that may be shown. */
  let room = PAGE;
  /** Where the hub goes on with older calls, and whether it has any. */
  let older = { cursor: undefined, isEnd: false };
  let frame = 0;

  const filter = filterBar(() => {
    older = { cursor: undefined, isEnd: older.isEnd && older.isWhole };
    room = PAGE;
    soon();
  });
  const list = callList({ hasUser, changed: soon });
  const place = el("div.note-place");
  const top = el("div", { "aria-hidden": "true" });
  const past = scrolledPast(top, soon);
  const pause = el("button.calls-pause", { type: "button", onclick: () => setPaused(!isPaused) }, "Pause");
  const news = el("button.primary", { type: "button", onclick: letIn });
  const newsPlace = el("div.calls-news", { hidden: true }, news);
  const state = el("p.small.muted.calls-state");
  const note = el("div", { hidden: true });
  const moreButton = el("button", { type: "button", onclick: showMore });
  const olderButton = el("button", { type: "button", onclick: loadOlder }, "Load older");
  const olderPlace = el("div.calls-older", null, moreButton, olderButton);
  const heading = el("h2", { tabIndex: -1 }, "Calls");
  filter.element.append(pause);
  const element = el("section.view.calls", null, [
    heading,
    el("p.muted", null, [
      "Every tool call as it ends: who was asked, for how long, and what became of it. ",
      "The hub keeps the last few hundred, in memory only. Arguments and results are never kept.",
    ]),
    filter.element,
    place,
    state,
    el("div.calls-stage", null, top, newsPlace, el("div.card", null, list.element, note)),
    olderPlace,
    trailPatterns(),
  ]);
  list.element.hidden = true;
  olderPlace.hidden = true;
  // Whoever leaves the list wants to see new calls again.
  element.addEventListener("focusout", soon);

  const isBeingRead = () => isPaused || past.isPast() || list.isInUse();

  /** At most once in a frame, however much happens. */
  function soon() {
    if (isShown) frame ||= requestAnimationFrame(draw);
  }

  function draw() {
    frame = 0;
    if (!isShown) return;
    if (isStale && !isBeingRead() && place.childElementCount === 0) load();
    const isKeptBack = isBeingRead() || isLoading || isStale;
    if (!isKeptBack) letWaitingIn();
    const test = filter.test();
    const found = log.entries().filter(({ call }) => test(call));
    list.show(found.slice(0, room).map(({ call }) => call));
    list.element.hidden = found.length === 0;
    showNote(found.length);
    showNews(isKeptBack, test);
    showOlder(found.length);
    write(state, stateWords(found.length));
  }

  function letWaitingIn() {
    if (log.waiting().some(({ untold }) => untold)) older = { cursor: undefined, isEnd: false };
    log.letIn();
  }

  function showNote(found) {
    const kind = found || isLoading || isStale ? "" : log.entries().length ? "unmatched" : "empty";
    if (note.dataset.kind === kind) return;
    note.dataset.kind = kind;
    note.hidden = !kind;
    if (kind === "unmatched") put(note, emptyNote("No call that is loaded matches", clearButton()));
    if (kind === "empty") put(note, nothingYet());
  }

  const clearButton = () => el("button", { type: "button", onclick: () => filter.set({}) }, "Clear the filter");

  const nothingYet = () =>
    emptyNote(
      "No calls yet",
      el("p", null, [
        "They appear here by themselves. ",
        el("a", { href: "./#use" }, "Connect a client"),
        " to the hub, or run one of the ",
        el("a", { href: "#/tools" }, "tools"),
        " on its page.",
      ]),
    );

  function showNews(isKeptBack, test) {
    const waiting = log.waiting();
    const fitting = isKeptBack && !isLoading ? waiting.filter(({ call }) => test(call)).length : 0;
    const isNews = isKeptBack && !isLoading && (fitting > 0 || (isStale && place.childElementCount === 0));
    if (isNews) {
      const number = `${count(fitting)}${waiting.length === MOST ? "+" : ""}`;
      write(news, `${fitting ? `${number} new ${callWord(fitting)}` : "New calls"} – show`);
      if (!isHeldBack) app.announce("There are new calls, which wait above the list.");
    }
    newsPlace.hidden = !isNews;
    isHeldBack = isNews;
  }

  function showOlder(found) {
    const more = Math.min(PAGE, found - room);
    moreButton.hidden = more <= 0;
    if (more > 0) write(moreButton, `Show ${more} more`);
    olderButton.hidden = more > 0 || older.isEnd || log.isFull() || isStale;
    olderPlace.hidden = moreButton.hidden && olderButton.hidden;
  }

  function stateWords(found) {
    const kept = log.entries().length;
    if (!kept) return "";
    const shown = Math.min(found, room);
    const words = [`${shown === kept ? "" : `${count(shown)} of `}${count(kept)} ${callWord(kept)}.`];
    const untold = log.untold();
    if (untold) words.push(`${count(untold)} ${callWord(untold)} between them not shown: too many at once.`);
    if (isPaused) words.push("Paused.");
    return words.join(" ");
  }

  function setPaused(is) {
    isPaused = is;
    write(pause, is ? "Continue" : "Pause");
    if (!is && !past.isPast()) list.closeAll();
    soon();
  }

  /** Shows what has been held back, and goes back to where new calls come in. */
  function letIn() {
    list.closeAll();
    room = PAGE;
    pause.focus({ preventScroll: true });
    if (past.isPast()) top.scrollIntoView();
    if (isStale) load();
    else letWaitingIn();
    soon();
  }

  function showMore() {
    room += PAGE;
    soon();
  }

  async function load() {
    if (isLoading) return;
    isLoading = true;
    isStale = false;
    put(place);
    const asked = app.api.get("/calls", { query: { limit: PAGE } });
    try {
      const page = await whileWaiting(asked, place);
      log.begin(page.calls);
      older = { cursor: page.nextCursor, isEnd: !page.nextCursor, isWhole: true };
    } catch (problem) {
      isStale = true;
      put(place, problemNote(problem, load));
    }
    isLoading = false;
    soon();
  }

  /** Goes back until there is something to see that was not there, or nothing at all. */
  async function loadOlder() {
    if (isLoading) return;
    isLoading = true;
    olderButton.disabled = true;
    put(place);
    const query = filter.query(log.entries().map(({ call }) => call));
    const isWhole = Object.values(query).every((part) => part === undefined);
    const test = filter.test();
    try {
      for (let found = 0; !found && !older.isEnd && !log.isFull(); ) {
        const asked = older;
        const page = await app.api.get("/calls", { query: { limit: PAGE, ...query, cursor: asked.cursor } });
        const isFitting = log.entries().filter(({ call }) => test(call)).length;
        log.add(page.calls);
        found = log.entries().filter(({ call }) => test(call)).length - isFitting;
        // The filter may have become another one meanwhile.
        if (older !== asked) break;
        older = { cursor: page.nextCursor, isEnd: !page.nextCursor, isWhole };
        room += found;
        if (found) app.announce(`${count(found)} older ${callWord(found)} loaded.`);
      }
      if (older.isEnd) app.announce("These are all calls that the hub has kept.");
    } catch (problem) {
      put(place, problemNote(problem, loadOlder));
    }
    isLoading = false;
    olderButton.disabled = false;
    soon();
  }

  /** All may have changed. Whoever reads is not disturbed. */
  function outdate() {
    isStale = true;
    log.forget();
    put(place);
    soon();
  }

  return {
    title: "Calls",
    element,
    show(rest, query = {}) {
      isShown = true;
      past.watch();
      if (Object.keys(query).length) filter.set(query);
      soon();
    },
    hide() {
      isShown = false;
      past.unwatch();
      list.closeAll();
    },
    hear({ type, data }) {
      if (type === "hello" && !data.resumed) outdate();
      if (type !== "calls") return;
      // Nobody looks: what is missed is asked for when somebody does.
      if (!isShown) isStale = true;
      else if (!isStale) log.wait(data.calls, data.skipped);
      soon();
    },
  };
}

const callWord = (number) => (number === 1 ? "call" : "calls");

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
