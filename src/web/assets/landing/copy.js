// A button at each snippet that copies what is shown.

import { el } from "../dom.js";

/** How long a button says that it has copied. */
const SAID_MS = 2000;

/** Gives every `.snippet` its button. */
export function offerCopies() {
  for (const snippet of document.querySelectorAll(".snippet")) {
    const code = snippet.querySelector("pre code") ?? snippet.querySelector("code");
    const caption = snippet.querySelector("figcaption");
    const name = snippet.dataset.name ?? caption.textContent.trim();
    const button = el("button.copy.quiet", { type: "button", "aria-label": `Copy: ${name}` }, "Copy");
    button.addEventListener("click", () => copy(code, name, button));
    if (caption) caption.replaceChildren(el("span", null, ...caption.childNodes), button);
    else snippet.append(button);
  }
}

async function copy(code, name, button) {
  const isCopied = await toClipboard(code);
  button.textContent = isCopied ? "Copied" : "Selected";
  document.getElementById("said").textContent = isCopied
    ? `Copied: ${name}`
    : "The browser does not permit copying. The text is selected: copy it with the keyboard.";
  clearTimeout(button.saying);
  button.saying = setTimeout(() => (button.textContent = "Copy"), SAID_MS);
}

/** Over plain http from another machine there is no clipboard to write to: there the old way does it. */
async function toClipboard(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return document.execCommand("copy");
  }
}
