// *Try it*: the tool is called from the page as any MCP client would call it, with what it tells on the way, what it
// asks, what it answers, and what the hub did meanwhile.

import { el, put } from "../../dom.js";
import { attemptsView } from "./attempts.js";
import { createEditor } from "./editor.js";
import { isObject, write } from "./json.js";
import { liveView } from "./live.js";
import { callTool, randomHex } from "./mcp.js";
import { askAll } from "./questions.js";
import { showAnswer } from "./result.js";

/** Times that a tool may ask back in one call. */
const ROUNDS_MAX = 20;

/**
 * @param {import("../tools.js").App} app
 * @param {any} definition the MCP tool object
 */
export function tryPanel(app, definition) {
  let running;
  let insists = false;
  let shown;
  let trace;

  const run = el("button.primary", { type: "submit" }, "Run");
  const cancel = el("button.danger", { type: "button", hidden: true, onclick: () => running?.abort() }, "Cancel");
  const hint = el("p.fault", { role: "alert", hidden: true });
  const live = liveView();
  const state = el("span.run-state", { role: "status" });
  const asking = el("div");
  const answer = el("div");
  const attempts = el("div");
  const editor = createEditor(definition.inputSchema, () => {
    insists = false;
    hint.hidden = true;
    run.textContent = "Run";
  });
  const form = el(
    "form.try-form",
    {
      noValidate: true,
      onsubmit(event) {
        event.preventDefault();
        start();
      },
      onkeydown(event) {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
      },
    },
    editor.element,
    hint,
    el("div.run-bar", null, run, cancel, live.elapsed, state),
  );
  const element = el("div.try", null, form, live.element, asking, answer, attempts);

  function start() {
    if (running) {
      app.announce("The call before is still running. Cancel it first.");
      return;
    }
    const { text, fault } = editor.current();
    if (fault) {
      say(fault);
      editor.focusRaw();
      return;
    }
    const faults = editor.faults();
    if (faults.length && !insists) {
      insists = true;
      run.textContent = "Run anyway";
      say(`${faults.length === 1 ? "One value does" : `${faults.length} values do`} not fit the schema.`);
      faults[0].focus();
      return;
    }
    go(text);
  }

  function say(text) {
    hint.textContent = text;
    hint.hidden = false;
  }

  /** Calls, and calls again with the answers for as long as the tool asks something. */
  async function go(text) {
    const controller = (running = new AbortController());
    const { signal } = controller;
    trace = randomHex(16);
    begin();
    const call = {
      name: definition.name,
      arguments: text,
      schema: definition.inputSchema,
      trace,
      version: app.hub?.version ?? "0",
    };
    try {
      for (let round = 1; ; round++) {
        const got = await callTool(app.api.fetch, call, { signal, progress: live.progress, log: live.log });
        const { result } = got;
        if (result?.resultType !== "input_required") {
          show(got);
          return;
        }
        if (round > ROUNDS_MAX) throw new Error(`The tool has asked ${ROUNDS_MAX} times. The call ends here.`);
        const answers = await answersTo(result, signal);
        state.textContent = "Running";
        call.inputResponses = write(answers, true);
        call.requestState = typeof result.requestState === "string" ? result.requestState : undefined;
      }
    } catch (error) {
      if (signal.aborted) ended("Cancelled. The hub tells the provider, which may have begun already.");
      else show({ kind: "lost", why: error.message, text: "" });
    } finally {
      finish();
    }
  }

  async function answersTo(result, signal) {
    // With nothing to answer, the tool only wants to be called again with its state.
    if (!isObject(result.inputRequests)) return {};
    const questions = askAll(result.inputRequests);
    put(asking, questions.element);
    state.textContent = "Waiting for your answer";
    questions.focus();
    const aborted = new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
    );
    try {
      return await Promise.race([questions.answers, aborted]);
    } finally {
      put(asking);
    }
  }

  function begin() {
    shown?.dispose();
    shown = undefined;
    hint.hidden = true;
    insists = false;
    run.textContent = "Run";
    run.setAttribute("aria-disabled", "true");
    cancel.hidden = false;
    state.textContent = "Running";
    put(answer);
    put(attempts);
    live.begin();
  }

  function show(got) {
    shown = showAnswer(got, app.announce);
    put(answer, shown.element);
    shown.element.scrollIntoView({ block: "nearest" });
    state.textContent = shown.heading;
  }

  function ended(words) {
    put(answer, el("p.muted.cancelled", null, words));
    state.textContent = "Cancelled";
  }

  function finish() {
    running = undefined;
    live.end();
    run.removeAttribute("aria-disabled");
    if (document.activeElement === cancel) run.focus();
    cancel.hidden = true;
    lookUp();
  }

  /** Asks the hub what it did. It may know a moment later only; then its event asks again. */
  async function lookUp() {
    const asked = trace;
    try {
      const { calls } = await app.api.get("calls", { query: { trace: asked } });
      if (asked === trace && !running && calls.length) put(attempts, attemptsView(calls));
    } catch {
      // The answer is there; what the hub did is an extra.
    }
  }

  return {
    element,
    /** Another definition has come to serve under the same name. */
    become(next) {
      const isOther = write(next.inputSchema) !== write(definition.inputSchema);
      definition = next;
      if (isOther) editor.become(next.inputSchema);
      return isOther;
    },
    hear({ type, data }) {
      if (type === "calls" && trace && !running && data.calls.some((call) => call.trace === trace)) lookUp();
    },
    /** The page goes: so does the call, as with any client that leaves. */
    stop() {
      running?.abort();
      shown?.dispose();
    },
  };
}
