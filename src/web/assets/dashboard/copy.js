// A button that puts a text on the clipboard.

import { el } from "../dom.js";

/**
 * @param {string} text
 * @param {string} name  what it is, for whoever does not see what it stands beside
 * @param {(said: string) => void} announce
 */
export function copyButton(text, name, announce) {
  const button = el("button.quiet.copy", { type: "button", "aria-label": `Copy ${name}`, onclick: copy }, "Copy");

  async function copy() {
    const done = await put(text);
    button.textContent = done ? "Copied" : "Not copied";
    announce(done ? `Copied ${name}.` : "The browser does not let this page copy.");
    setTimeout(() => (button.textContent = "Copy"), 1500);
  }
  return button;
}

/** Whether it worked. Browsers have a clipboard for pages from this machine or over https only. */
async function put(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = el("textarea.unseen", { value: text });
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
