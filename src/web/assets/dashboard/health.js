// The Health view: how much goes on, how long it takes, and which limits were in the way.

import { el, put } from "../dom.js";
import { ago, bytes, count, duration, fullTime } from "../format.js";
import { chart } from "./chart.js";
import { kept } from "./kept.js";

/** The hub makes a point this often. */
const REFRESH_MS = 15_000;
/** An older event is not "now" any more: the hub says nothing while nothing happens. */
const FRESH_MS = 5_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const rate = (value) => `${value < 10 ? Number(value.toFixed(1)) : count(Math.round(value))}/s`;

/** @param {import("./tools.js").App} app */
export function healthView(app) {
  let health;
  /** What happened since the last point. */
  let recent = [];
  let isShown = false;
  let frame = 0;

  const traffic = chart({
    title: "Calls",
    about: "Calls that ended, and those of them that failed.",
    lines: [
      { name: "calls", value: "calls", look: "area" },
      { name: "errors", value: "errors", look: "bad" },
    ],
    format: rate,
    least: 1,
  });
  const latency = chart({
    title: "Latency",
    about: "Half of the calls were faster than p50, 99 of 100 faster than p99.",
    lines: [
      { name: "p50", value: "p50", look: "line" },
      { name: "p99", value: "p99", look: "dashed" },
    ],
    format: duration,
  });
  const inFlight = chart({
    title: "In flight",
    about: "Calls that wait for their answer.",
    lines: [{ name: "in flight", value: "inFlight", look: "area" }],
    format: (value) => count(value),
    least: 3,
  });
  const memory = chart({
    title: "Memory",
    about: "What the process of the hub holds (RSS).",
    lines: [{ name: "memory", value: "memory", look: "area" }],
    format: (value) => bytes(value).replace(".0 ", " "),
    kind: "binary",
  });
  const charts = [traffic, latency, inFlight, memory];

  const intro = el("p.muted");
  const place = el("div.note-place");
  const figures = el("dl.health-figures");
  const limits = el("div");
  const body = el("div.health-body", { hidden: true }, [
    figures,
    el("div.health-charts", null, charts.map(({ element }) => element)),
    el("section.health-limits", { "aria-labelledby": "limits-hit" }, [
      el("h3", { id: "limits-hit" }, "Limits hit"),
      limits,
    ]),
  ]);
  memory.element.hidden = true;
  const element = el("section.view.health", null, el("h2", { tabIndex: -1 }, "Health"), intro, place, body);

  const facts = kept({
    ask: (signal) => app.api.get("health", { signal }),
    take(told) {
      health = told;
      const last = Date.parse(health.points.at(-1)?.at ?? health.startedAt);
      recent = recent.filter((point) => point.at > last);
      soon();
      showFacts();
    },
    place,
    every: REFRESH_MS,
  });

  function showFacts() {
    const whose = health.scope === "hub" ? "Of the whole hub, all users together" : `Of ${app.user ?? app.me.user}`;
    write(intro, `${whose}. The charts reach back one hour.`);
    const { tools, providers, users, sessions, streams } = health.figures;
    const told = [
      ["Tools", tools],
      ["Providers", providers],
      ["Users", users],
      ["Sessions", sessions],
      ["Streams", streams],
    ].filter(([, value]) => value !== undefined);
    put(figures, [
      told.map(([name, value]) => figure(name, count(value))),
      figure("Up for", uptime(Date.parse(health.now) - Date.parse(health.startedAt)), fullTime(health.startedAt)),
    ]);
    put(limits, health.limits.length ? limitTable(health) : emptyLimits());
    body.hidden = false;
  }

  function draw() {
    frame = 0;
    if (!isShown || !health) return;
    const points = [...health.points.map((point) => seen(point, health.stepMs)), ...recent];
    // The hub's clock may differ from the one here.
    const now = Math.max(Date.parse(health.now), recent.at(-1)?.at ?? 0);
    const last = recent.at(-1);
    const latest = last && now - last.at < FRESH_MS ? last : points.at(-1);
    memory.element.hidden = !points.some((point) => point.memory !== undefined);
    for (const one of charts) one.show(points, latest, now);
  }

  const soon = () => (frame ||= requestAnimationFrame(draw));

  return {
    title: "Health",
    element,
    show() {
      isShown = true;
      facts.show();
      if (health) soon();
    },
    hide() {
      isShown = false;
      facts.hide();
    },
    hear({ type, data }) {
      if (type === "hello" && !data.resumed) recent = [];
      facts.hear({ type, data });
      if (type !== "health") return;
      // While nobody looks, only the last one is of use.
      recent = [...(isShown ? recent : []), seen(data, data.overMs)];
      if (isShown) soon();
    },
  };
}

/** A point as the charts show it, of what was counted over `overMs`. */
function seen({ at, calls, errors, p50Ms, p99Ms, inFlight, memoryBytes }, overMs) {
  const perSecond = (value) => (1000 * value) / Math.max(1, overMs);
  const [calledPerSecond, failedPerSecond] = [perSecond(calls), perSecond(errors)];
  return {
    at: Date.parse(at),
    calls: calledPerSecond,
    errors: failedPerSecond,
    p50: p50Ms,
    p99: p99Ms,
    inFlight,
    memory: memoryBytes,
  };
}

const figure = (name, value, title) =>
  el("div.card.health-figure", null, el("dt.small.muted", null, name), el("dd", { title }, value));

/** "3 d 4 h", "4 h 12 min", "12 min": nobody counts seconds of hours. */
function uptime(ms) {
  const [minutes, hours, days] = [60_000, HOUR_MS, DAY_MS].map((unit) => Math.floor(ms / unit));
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.max(0, Math.floor(ms / 1000))} s`;
}

const emptyLimits = () => el("p.muted", null, "No limit was in anybody’s way.");

function limitTable({ limits, now }) {
  const head = (name, kind = "") => el(`th${kind}`, { role: "columnheader", scope: "col" }, name);
  const cell = (kind, ...children) => el(`td${kind}`, { role: "cell" }, children);
  const rows = limits.map(({ limit, hits, last }) =>
    el("tr", { role: "row" }, [
      cell(".limit-name", el("code", null, limit)),
      cell(".limit-hits.number", count(hits), el("span.unseen", null, hits === 1 ? " time" : " times")),
      cell(".limit-last", el("time", { dateTime: last, title: fullTime(last) }, ago(last, Date.parse(now)))),
    ]),
  );
  const heads = el("tr", { role: "row" }, head("Limit"), head("Hits", ".number"), head("Last"));
  return [
    el("p.muted", null, [
      "What the hub turned away or cut short to stay within a limit. Each name is a key of the configuration, ",
      "which can be raised there.",
    ]),
    el("div.card", null, [
      el("table.limits-table", { role: "table", "aria-labelledby": "limits-hit" }, [
        el("thead", { role: "rowgroup" }, heads),
        el("tbody", { role: "rowgroup" }, rows),
      ]),
    ]),
  ];
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
