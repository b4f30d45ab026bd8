// What a running call tells: how long it takes, how far it is, what it logs. Tools may tell far more than anybody
// can read; the page is written to once per frame, and keeps the last lines only.

import { el, put } from "../../dom.js";
import { count, duration } from "../../format.js";
import { isObject, Numeral, write } from "./json.js";

/** Lines of log kept. */
const LINES_MAX = 300;
/** Letters of one line, and of what is said about the progress. */
const LINE_MAX = 2_000;
const MESSAGE_MAX = 300;

const TONES = { warning: "warn", error: "bad", critical: "bad", alert: "bad", emergency: "bad" };

export function liveView() {
  let began = 0;
  let clock;
  let frame = 0;
  let last;
  let dropped = 0;
  let waiting = [];

  const elapsed = el("span.elapsed", { role: "timer", "aria-label": "Elapsed time" });
  const bar = el("progress", { "aria-label": "Progress", max: 1, hidden: true });
  const far = el("span.how-far");
  const message = el("p.progress-message", { role: "status" });
  const lines = el("ol");
  const pane = el("div.log", { role: "log", "aria-label": "What the tool logs", tabIndex: 0 }, lines);
  const more = el("p.muted.small", { hidden: true });
  const log = el("div.log-box", { hidden: true }, el("h4", null, "Log"), pane, more);
  const track = el("div.track", { hidden: true }, bar, far);
  const element = el("div.live", { hidden: true }, track, message, log);

  const soon = () => (frame ||= requestAnimationFrame(draw));

  function draw() {
    frame = 0;
    if (last) drawProgress(last);
    last = undefined;
    if (!waiting.length) return;
    const isAtEnd = pane.scrollHeight - pane.scrollTop - pane.clientHeight < 24;
    const fresh = waiting.slice(-LINES_MAX);
    dropped += waiting.length - fresh.length;
    waiting = [];
    lines.append(...fresh.map(line));
    while (lines.childElementCount > LINES_MAX) {
      lines.firstElementChild.remove();
      dropped++;
    }
    log.hidden = element.hidden = false;
    more.hidden = !dropped;
    more.textContent = `${count(dropped)} earlier lines are not kept.`;
    // Whoever reads further up is left there.
    if (isAtEnd) pane.scrollTop = pane.scrollHeight;
  }

  function drawProgress({ progress, total, message: said }) {
    const [done, all] = [numeric(progress), numeric(total)];
    const isKnown = all > 0 && done >= 0;
    element.hidden = track.hidden = false;
    bar.hidden = !isKnown;
    if (isKnown) bar.value = Math.min(1, done / all);
    far.textContent = isKnown ? `${count(done)} of ${count(all)}` : done === undefined ? "" : `${count(done)} so far`;
    if (typeof said === "string") message.textContent = said.slice(0, MESSAGE_MAX);
  }

  function line({ at, params }) {
    const { level, logger, data } = params;
    const name = typeof level === "string" ? level.slice(0, 20) : "log";
    const text = typeof data === "string" ? data : write(data ?? null, true);
    return el(
      "li",
      null,
      el("span.log-time", null, `+${(at / 1000).toFixed(2)} s`),
      el(`span.log-level${Object.hasOwn(TONES, name) ? `.${TONES[name]}` : ""}`, null, name),
      el(
        "span.log-text",
        null,
        typeof logger === "string" && el("b", null, `${logger.slice(0, 80)}: `),
        text.slice(0, LINE_MAX),
      ),
    );
  }

  const tick = () => (elapsed.textContent = duration(Math.round(performance.now() - began)));

  return {
    element,
    elapsed,
    begin() {
      began = performance.now();
      [last, waiting, dropped] = [undefined, [], 0];
      put(lines);
      put(message);
      element.hidden = log.hidden = track.hidden = true;
      clearInterval(clock);
      clock = setInterval(tick, 100);
      tick();
    },
    progress(params) {
      if (!isObject(params)) return;
      last = params;
      soon();
    },
    log(params) {
      if (!isObject(params)) return;
      waiting.push({ at: performance.now() - began, params });
      // A frame may be long in coming, as in a tab that nobody looks at.
      if (waiting.length > 2 * LINES_MAX) dropped += waiting.splice(0, LINES_MAX).length;
      soon();
    },
    end() {
      clearInterval(clock);
      tick();
      draw();
    },
  };
}

function numeric(value) {
  const number = value instanceof Numeral ? Number(value.text) : value;
  return Number.isFinite(number) ? number : undefined;
}
