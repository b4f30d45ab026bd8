// The page of one tool: what it is, who serves it, what became of it, and *Try it*.

import { el, put } from "../dom.js";
import { count, duration } from "../format.js";
import { definitionView } from "./tools/definition.js";
import { changesView, switchesView } from "./tools/history.js";
import { icon, revealed } from "./tools/pieces.js";
import { changedWords } from "./tools/row.js";
import { stackView } from "./tools/stack.js";
import { badge, hintBadges, refreshTimes, STATES, timeAgo } from "./tools/words.js";
import { tryPanel } from "./try/panel.js";

/** Between two looks at the tool, however much happens. */
const REST_MS = 500;
/** Letters of a description that may not fit into its place. */
const LONG_DESCRIPTION = 600;
/** How often times are brought up to date. */
const TICK_MS = 5_000;

/**
 * @param {import("./tools.js").App} app
 * @param {string} name
 */
export function toolPage(app, name) {
  let isShown = false;
  let isLoading = false;
  let isStale = true;
  let rest;
  let ticker;
  let panel;
  let aboutShown;
  /** The digest that was there when the page was opened. */
  let opened;
  const gone = new AbortController();

  const heading = el("h2.tool-name", { tabIndex: -1 }, name);
  const title = el("p.tool-title");
  const marks = el("div.tool-marks");
  const figures = el("dl.tool-figures");
  const description = el("p.tool-description");
  const alarm = el("div.alarm", { role: "alert" });
  const note = el("div.tool-note", { hidden: true });
  const stack = section("Stack", "Who is asked, first to last");
  const attempt = section("Try it");
  const changes = section("Changes of the definition");
  const switches = section("Switches", "When another came to serve it");
  const definition = section("Definition");
  const all = [stack, attempt, changes, switches, definition];
  const about = el("div.tool-about", null, marks, description, figures);
  const element = el(
    "article.tool",
    { "aria-label": `Tool ${name}` },
    el("a.back", { href: "#/tools" }, icon("back"), "All tools"),
    el("header.tool-header", null, heading, title),
    note,
    alarm,
    about,
    all.map((one) => one.element),
  );

  /** A part of the page, which is written anew only when what it tells has become another. */
  function section(words, hint) {
    const body = el("div.section-body");
    let shown;
    const element = el(
      "section.card.tool-section",
      { hidden: true, "aria-label": words },
      el("header.section-head", null, el("h3", { tabIndex: -1 }, words), hint && el("span.muted.small", null, hint)),
      body,
    );
    return {
      element,
      body,
      show(data, make) {
        const text = JSON.stringify(data);
        if (text === shown) return;
        shown = text;
        element.hidden = !data || (Array.isArray(data) && !data.length);
        if (!element.hidden) put(body, make(data));
      },
      reveal() {
        element.scrollIntoView({ block: "start" });
        element.querySelector("h3").focus({ preventScroll: true });
      },
    };
  }

  async function load() {
    if (isLoading || rest) {
      isStale = true;
      return;
    }
    isLoading = true;
    isStale = false;
    const options = { signal: gone.signal };
    const got = await app.api.get(`tools/${encodeURIComponent(name)}`, options).then(
      (tool) => () => show(tool),
      (problem) => () => failed(problem),
    );
    isLoading = false;
    if (gone.signal.aborted) return;
    rest = setTimeout(() => {
      rest = undefined;
      if (isStale && isShown) load();
    }, REST_MS);
    got();
  }

  function show(tool) {
    note.hidden = true;
    about.hidden = false;
    showAbout(tool);
    stack.show(tool.stack, stackView);
    switches.show(tool.switches, switchesView);
    changes.show(tool.changes, changesView);
    definition.show([tool.digest, tool.definition], () => definitionView(tool, app.announce));
    showTry(tool);
    showAlarm(tool);
  }

  function showAbout({ state, annotations, changed, title: said, description: words, stats }) {
    const text = JSON.stringify([state, annotations, changed, said, words]);
    if (text !== aboutShown) {
      aboutShown = text;
      const { tone, word, says } = STATES[state] ?? { tone: "", word: state };
      put(title, said ? revealed(said) : null);
      title.hidden = !said;
      put(
        marks,
        badge(tone, word, says),
        hintBadges(annotations),
        changed && el("span.badge.warn", null, changedWords(changed)),
      );
      put(description, words ? revealed(words) : el("span.muted", null, "It has no description."));
      // One that scrolls is to be scrolled by keyboard as well.
      description.tabIndex = words?.length > LONG_DESCRIPTION ? 0 : -1;
    }
    showFigures(stats);
  }

  function showFigures({ calls, errors, p50Ms, p99Ms, last }) {
    const figure = (name, value) => el("div", null, el("dt", null, name), el("dd", null, value));
    put(
      figures,
      figure("Calls", count(calls)),
      figure("Errors", count(errors)),
      figure("p50", duration(p50Ms)),
      figure("p99", duration(p99Ms)),
      figure("Last", last ? timeAgo(last) : "never"),
    );
  }

  function showTry(tool) {
    attempt.element.hidden = false;
    if (app.user !== undefined && app.user !== app.me?.user) {
      panel?.stop();
      panel = undefined;
      put(
        attempt.body,
        el(
          "p.muted",
          null,
          `This is a tool of ${app.user}. You would call it as yourself, ${app.me?.user}, so it cannot be tried here.`,
        ),
      );
    } else if (panel) {
      if (panel.become(tool.definition)) app.announce("The input schema has changed. The form is a new one.");
    } else {
      panel = tryPanel(app, tool.definition);
      put(attempt.body, panel.element);
    }
  }

  /** A definition that changes while somebody reads it must not slip by. */
  function showAlarm({ digest, changed }) {
    opened ??= digest;
    if (digest === opened || alarm.dataset.digest === digest) return;
    alarm.dataset.digest = digest;
    const look = el("button", { type: "button", onclick: () => changes.reveal() }, "See what changed");
    put(
      alarm,
      icon("warn"),
      el("p", null, "The definition has changed ", changed ? timeAgo(changed) : "", " while you were here."),
      look,
    );
  }

  function failed(problem) {
    const isGone = problem.status === 404;
    note.hidden = false;
    put(
      note,
      el("h3", null, isGone ? "This tool is not there" : (problem.title ?? "The tool cannot be shown")),
      el(
        "p.muted",
        null,
        isGone
          ? "Nobody offers it now. The page keeps listening, and shows it as soon as somebody does."
          : (problem.detail ?? String(problem.message ?? problem)),
      ),
      !isGone && el("button", { type: "button", onclick: load }, "Try again"),
    );
    if (!isGone) return;
    about.hidden = true;
    // What was typed stays for when the tool comes back.
    for (const one of all) one.element.hidden = true;
    for (const one of [stack, switches, changes, definition]) one.show(null);
  }

  return {
    element,
    name,
    show() {
      isShown = true;
      if (isStale) load();
      clearInterval(ticker);
      ticker = setInterval(() => refreshTimes(element), TICK_MS);
    },
    hide() {
      isShown = false;
      clearInterval(ticker);
    },
    focus: () => heading.focus({ preventScroll: true }),
    hear(event) {
      panel?.hear(event);
      const { type, data } = event;
      const concerns =
        (type === "calls" && Object.hasOwn(data.stats, name)) ||
        (type === "changed" && data.what.includes("tools")) ||
        (type === "hello" && !data.resumed);
      if (!concerns) return;
      if (isShown) load();
      else isStale = true;
    },
    /** Ends what it does: another tool's page takes its place. */
    close() {
      gone.abort();
      clearInterval(ticker);
      clearTimeout(rest);
      panel?.stop();
    },
  };
}
