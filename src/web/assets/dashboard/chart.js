// A small chart of the last hour: lines and an area over time, drawn with as many units as it has pixels. What it
// says at a time can be read off with the pointer and with the arrow keys; the row of names above it tells it.

import { el, put, svg } from "../dom.js";
import { ago, timeOfDay } from "../format.js";
import { scale } from "./scale.js";

const HOUR_MS = 3_600_000;
/** The height of the picture, and what lies around the plot. */
const HEIGHT = 132;
const EDGE = { top: 8, bottom: 20, right: 4 };
/** What a letter of the marks needs, and the least they leave to the plot's left. */
const LETTER = 6.6;
const LEFT_LEAST = 28;
/** Steps between round numbers, and minutes between marks of time, on wide and narrow charts. */
const STEPS = 3;
const MINUTES = { wide: 10, narrow: 20 };
const NARROW = 420;
/** Points farther apart than this are not joined: the hub told nothing in between. */
const GAP_MS = 40_000;

/**
 * @typedef {{ at: number, [value: string]: number | undefined }} Point  `at` in milliseconds
 * @param {{
 *   title: string, about: string,
 *   lines: { name: string, value: string, look: "area" | "line" | "dashed" | "bad" }[],
 *   format: (value: number) => string, kind?: "decimal" | "binary", least?: number,
 * }} options  `value`: the member of points that a line shows. `least`: the lowest top the scale may have.
 */
export function chart({ title, about, lines, format, kind, least = 0 }) {
  const values = lines.map(() => el("strong.chart-value", null, "–"));
  const names = lines.map(({ name, look }, index) =>
    el("li", null, swatch(look), el("span.muted", null, name), values[index]),
  );
  const when = el("span.chart-when.small.muted", null, "now");
  const picture = svg("svg.chart-picture", { height: HEIGHT, role: "img", "aria-label": title });
  const cursor = el("div.chart-cursor", {
    tabIndex: 0,
    role: "slider",
    "aria-label": `${title}: time`,
    "aria-valuemin": "-60",
    "aria-valuemax": "0",
    "aria-valuenow": "0",
  });
  const stage = el("div.chart-stage", null, picture, cursor);
  const element = el(
    "figure.chart.card",
    { "aria-label": title },
    el("div.chart-head", null, el("h3", null, title), when),
    el("p.small.muted", null, about),
    el("ul.chart-names.small", null, names),
    stage,
  );

  const hair = svg("line.chart-hair", { y1: EDGE.top, y2: HEIGHT - EDGE.bottom });
  const dots = lines.map(({ look }) => svg(`circle.chart-dot.${look}`, { r: 3.5 }));
  const marks = svg("g.chart-marks", { visibility: "hidden" }, hair, dots);

  /** @type {Point[]} */
  let points = [];
  let now = Date.now();
  /** What is told as "now". */
  let latest;
  let width = 0;
  let place;
  /** The time that is read off, if one is. */
  let chosen;

  function draw() {
    if (!width) return;
    const highest = Math.max(least, ...lines.flatMap(({ value }) => points.map((point) => point[value] ?? 0)));
    const { top, ticks } = scale(highest, STEPS, kind);
    const words = ticks.map((tick) => (tick ? format(tick) : "0"));
    const left = Math.max(LEFT_LEAST, Math.max(...words.map((text) => text.length)) * LETTER + 8);
    const [from, to] = [left, width - EDGE.right];
    place = {
      x: (at) => from + (to - from) * (1 - (now - at) / HOUR_MS),
      y: (value) => HEIGHT - EDGE.bottom - (HEIGHT - EDGE.top - EDGE.bottom) * (value / top),
      timeAt: (x) => now - HOUR_MS * (1 - (x - from) / (to - from)),
    };
    picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    put(
      picture,
      ticks.map((tick, index) => [
        svg(tick ? "line.chart-grid" : "line.chart-ground", { x1: from, x2: to, y1: place.y(tick), y2: place.y(tick) }),
        svg("text.chart-word", { x: from - 8, y: place.y(tick) + 4, "text-anchor": "end" }, words[index]),
      ]),
      times(to),
      lines.map((line) => drawLine(line)),
      marks,
    );
    picture.setAttribute("aria-label", summary());
    read();
  }

  function times(to) {
    const every = width < NARROW ? MINUTES.narrow : MINUTES.wide;
    const minutes = Array.from({ length: 60 / every + 1 }, (_, index) => 60 - index * every);
    return minutes.map((minute) => {
      const x = place.x(now - minute * 60_000);
      const anchor = minute ? "middle" : "end";
      const word = minute ? `−${minute} min` : "now";
      return svg("text.chart-word", { x: minute ? x : to, y: HEIGHT - 4, "text-anchor": anchor }, word);
    });
  }

  /** Pieces of the line: where there is no value, there is no line. */
  function pieces(value) {
    const found = [];
    let before;
    for (const point of points) {
      if (point[value] === undefined) {
        before = undefined;
        continue;
      }
      if (before && point.at - before.at <= GAP_MS) found.at(-1).push(point);
      else found.push([point]);
      before = point;
    }
    return found;
  }

  function drawLine({ value, look }) {
    return pieces(value).map((piece) => {
      const [first, last] = [place.x(piece[0].at), place.x(piece.at(-1).at)];
      const steps = piece.map((point) => `${place.x(point.at).toFixed(1)} ${place.y(point[value]).toFixed(1)}`);
      const ground = place.y(0);
      return [
        look === "area" && svg("path.chart-fill", { d: `M${first} ${ground}L${steps.join("L")}L${last} ${ground}Z` }),
        piece.length > 1 && svg(`path.chart-line.${look}`, { d: `M${steps.join("L")}` }),
        piece.length === 1 && svg(`circle.chart-lone.${look}`, { cx: first, cy: place.y(piece[0][value]), r: 2 }),
      ];
    });
  }

  /** What the picture shows, for those who do not see it. */
  function summary() {
    const said = lines.map(({ name, value }) => {
      const known = points.map((point) => point[value]).filter((one) => one !== undefined);
      if (!known.length) return `${name}: nothing in the last hour`;
      const last = latest?.[value];
      const extremes = `highest ${format(Math.max(...known))}, lowest ${format(Math.min(...known))} in the last hour`;
      return `${name}: ${last === undefined ? "nothing" : format(last)} now, ${extremes}`;
    });
    return `${title}. ${said.join(". ")}.`;
  }

  /** Tells the values of the chosen time, or those of now. */
  function read() {
    const point = chosen === undefined ? undefined : nearest(chosen);
    const told = point ?? latest;
    const texts = lines.map(({ value }) => (told?.[value] === undefined ? "–" : format(told[value])));
    texts.forEach((text, index) => write(values[index], text));
    write(when, point ? `${timeOfDay(point.at)}, ${ago(new Date(point.at), now)}` : "now");
    marks.setAttribute("visibility", point ? "visible" : "hidden");
    const said = lines.map(({ name }, index) => `${name} ${texts[index]}`).join(", ");
    const minutes = point ? Math.round((point.at - now) / 60_000) : 0;
    cursor.setAttribute("aria-valuenow", String(Math.max(-60, minutes)));
    cursor.setAttribute("aria-valuetext", point ? `${timeOfDay(point.at)}: ${said}` : `now: ${said}`);
    if (!point || !place) return;
    const x = place.x(point.at);
    hair.setAttribute("x1", x);
    hair.setAttribute("x2", x);
    lines.forEach(({ value }, index) => {
      const isThere = point[value] !== undefined;
      dots[index].setAttribute("visibility", isThere ? "inherit" : "hidden");
      if (isThere) dots[index].setAttribute("cx", x);
      if (isThere) dots[index].setAttribute("cy", place.y(point[value]));
    });
  }

  function nearest(at) {
    const distance = (point) => Math.abs(point.at - at);
    return points.reduce((best, point) => (!best || distance(point) < distance(best) ? point : best), undefined);
  }

  function choose(at) {
    chosen = at;
    read();
  }

  function step(key) {
    const at = chosen === undefined ? points.length : points.indexOf(nearest(chosen));
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -20, PageUp: 20 }[key];
    if (key === "Home") return choose(points[0]?.at);
    if (key === "End" || key === "Escape") return choose(undefined);
    if (by === undefined) return false;
    const next = points[Math.max(0, at + by)];
    return choose(next?.at);
  }

  cursor.addEventListener("pointermove", ({ offsetX }) => place && choose(place.timeAt(offsetX)));
  cursor.addEventListener("pointerdown", ({ offsetX }) => place && choose(place.timeAt(offsetX)));
  cursor.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && choose(undefined));
  cursor.addEventListener("blur", () => choose(undefined));
  cursor.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (step(event.key) !== false) event.preventDefault();
  });
  new ResizeObserver(([{ contentRect }]) => {
    if (Math.round(contentRect.width) === width) return;
    width = Math.round(contentRect.width);
    draw();
  }).observe(stage);

  return {
    element,
    /**
     * @param {Point[]} all oldest first
     * @param {Point | undefined} last what is told as "now"
     * @param {number} time when "now" is, in milliseconds
     */
    show(all, last, time) {
      points = all.filter((point) => point.at >= time - HOUR_MS);
      latest = last;
      now = time;
      draw();
    },
  };
}

/** How a line looks, beside its name. */
function swatch(look) {
  const line = svg(`line.chart-line.${look}`, { x1: 1, x2: 17, y1: 6, y2: 6 });
  return svg("svg.chart-swatch", { width: 18, height: 12, "aria-hidden": "true" }, line);
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
