// The form that asks for a token.

import { el, put } from "../dom.js";

/**
 * @param {{ enter: (token: string) => Promise<void> }} options  `enter` throws a Problem when it is not taken.
 */
export function signInForm({ enter }) {
  const field = el("input", {
    id: "token",
    type: "password",
    autocomplete: "off",
    spellcheck: false,
    required: true,
    "aria-describedby": "token-why token-help",
  });
  const reveal = el("button.quiet", { type: "button", "aria-pressed": "false", onclick: toggle }, "Show");
  const why = el("p.sign-in-why", { id: "token-why", role: "alert" });
  const submit = el("button.primary", { type: "submit" }, "Sign in");

  function toggle() {
    const isShown = field.type === "text";
    field.type = isShown ? "password" : "text";
    reveal.textContent = isShown ? "Show" : "Hide";
    reveal.setAttribute("aria-pressed", String(!isShown));
  }

  function complain(text) {
    put(why, text);
    field.setAttribute("aria-invalid", String(text !== ""));
  }

  async function send(event) {
    event.preventDefault();
    // As people copy it: with the word before it, or with line breaks.
    const token = field.value.replace(/^\s*bearer\s+/i, "").replace(/\s/g, "");
    if (!token) return complain("Paste a token first.");
    submit.disabled = true;
    try {
      await enter(token);
      field.value = "";
      complain("");
    } catch (problem) {
      complain(sentence(problem.detail ?? String(problem)));
      field.focus();
    } finally {
      submit.disabled = false;
    }
  }

  const element = el(
    "form.sign-in.card",
    { onsubmit: send, "aria-labelledby": "sign-in-title" },
    el("h2", { id: "sign-in-title" }, "Sign in"),
    el("p.muted", null, "This hub knows its users by tokens."),
    el("label", { htmlFor: "token" }, "Token"),
    el("div.sign-in-field", null, field, reveal),
    why,
    el("div", null, submit),
    el(
      "p.small.muted",
      { id: "token-help" },
      "Who runs the hub makes one with ",
      el("code", null, "mcp-hub token --user NAME"),
      ". It stays in this tab until you sign out or close it, and is sent to this hub only.",
    ),
  );
  return {
    element,
    /** Shows it, with the reason why, if there is one. */
    ask(reason) {
      complain(reason ? sentence(reason) : "");
      field.focus();
    },
  };
}

function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
