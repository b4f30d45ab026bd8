// What a tool asks back in the middle of a call (`input_required`): a form to fill in or a page to visit. The person
// answers here, and the call is made again with the answers.

import { el, put } from "../../dom.js";
import { addressText, revealed, webAddress } from "../tools/pieces.js";
import { createForm } from "./form.js";
import { isObject, write } from "./json.js";

/** Questions of one round that are shown. */
const QUESTIONS_MAX = 20;
/** Letters of a question. */
const MESSAGE_MAX = 4_000;

/**
 * Shows the questions and waits for all answers. `answers` rejects when the person ends the call instead.
 *
 * @param {Record<string, any>} requests
 * @returns {{ element: HTMLElement, answers: Promise<Record<string, any>>, focus: () => void }}
 */
export function askAll(requests) {
  const asked = Object.entries(requests);
  const answers = Object.create(null);
  let settle;
  const settled = new Promise((resolve, reject) => (settle = { resolve, reject }));
  // The call may have been ended elsewhere by then.
  settled.catch(() => {});
  const end = (why) => settle.reject(new Error(why));

  if (asked.length > QUESTIONS_MAX) {
    end(`The tool asks ${asked.length} questions at once, more than this page shows.`);
  }
  const cards = asked.slice(0, QUESTIONS_MAX).map(([key, request]) =>
    questionCard(request, end, (answer) => {
      answers[key] = answer;
      if (Object.keys(answers).length === asked.length) settle.resolve(answers);
    }),
  );
  return {
    element: el(
      "div.questions",
      null,
      cards.map((card) => card.element),
    ),
    answers: settled,
    focus: () => cards[0]?.focus(),
  };
}

function questionCard(request, end, answer) {
  const { method, params } = isObject(request) ? request : {};
  const about = isObject(params) ? params : {};
  const body = el("div.question-body");
  const heading = el("h4", { tabIndex: -1 }, "The tool asks");
  const message = typeof about.message === "string" && about.message.slice(0, MESSAGE_MAX);
  const element = el(
    "section.question",
    { "aria-label": "A question from the tool" },
    heading,
    message && el("p.question-message", null, revealed(message)),
    body,
  );
  const done = (given, words) => {
    put(body, el("p.muted", null, words));
    answer(given);
  };
  const decline = button("Decline", () => done({ action: "decline" }, "Declined."));
  const cancel = button("Cancel", () => done({ action: "cancel" }, "Cancelled."));
  if (method !== "elicitation/create") {
    const what = typeof method === "string" ? method.slice(0, 60) : "something unknown";
    put(
      body,
      el("p", null, "It asks for ", el("code", null, what), ", which a page cannot answer. The call ends here."),
      el(
        "div.buttons",
        null,
        button("End the call", () => end(`The tool asked for ${what}, which a page cannot answer.`)),
      ),
    );
  } else if (about.mode === "url") put(body, addressBody(about.url, done, [decline, cancel]));
  else put(body, formBody(about.requestedSchema, done, [decline, cancel]));
  return { element, focus: () => heading.focus() };
}

const button = (label, onclick) => el("button", { type: "button", onclick }, label);

function formBody(schema, done, others) {
  let insists = false;
  const form = createForm(isObject(schema) ? schema : { type: "object" }, () => {
    insists = false;
    send.textContent = "Send";
    form.faults(false);
  });
  const hint = el("p.fault", { role: "alert", hidden: true });
  const send = el("button.primary", { type: "submit" }, "Send");
  return el(
    "form",
    {
      noValidate: true,
      onsubmit(event) {
        event.preventDefault();
        const faults = form.faults(true);
        hint.hidden = !faults.length || insists;
        if (faults.length && !insists) {
          hint.textContent = `${faults[0].label}: ${faults[0].fault}`;
          insists = true;
          send.textContent = "Send anyway";
          faults[0].focus();
          return;
        }
        done({ action: "accept", content: form.get() ?? {} }, `Sent: ${write(form.get() ?? {}, true).slice(0, 500)}`);
      },
    },
    form.element,
    hint,
    el("div.buttons", null, send, others),
  );
}

/** The whole address for the person to judge; it is opened only by a click, and only if it is a web page. */
function addressBody(address, done, others) {
  const url = webAddress(address);
  if (!url) {
    return [
      el("p", null, "It wants this address to be opened, which is no web page and is not opened from here:"),
      el("p.address-line", null, el("code.address", null, addressText(address))),
      el("div.buttons", null, others),
    ];
  }
  const [before, after] = aroundHost(url);
  const proceed = button("I have done it", () => done({ action: "accept" }, "Went on."));
  proceed.hidden = true;
  const open = el(
    "a.button.primary",
    { href: url.href, target: "_blank", rel: "noopener noreferrer" },
    `Open ${url.host}`,
  );
  open.addEventListener("click", () => {
    proceed.hidden = false;
    open.classList.remove("primary");
    proceed.classList.add("primary");
  });
  return [
    el("p", null, "It wants you to visit this address. Open it only if you know where it leads."),
    el("p.address-line", null, el("code.address", null, before, el("strong", null, url.host), after)),
    el("div.buttons", null, open, proceed, others),
  ];
}

/** An address before and after its host, which may follow a user name that looks like another host. */
function aroundHost({ href, host }) {
  const start = href.indexOf("//") + 2;
  const end = start + href.slice(start).search(/[/?#]|$/);
  return [href.slice(0, end - host.length), href.slice(end)];
}
