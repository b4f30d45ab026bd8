// The question before a plugin is disabled, which says what that does.

import { el, put } from "../../dom.js";

export function disableQuestion() {
  const title = el("h3", { id: "disable-title" });
  const file = el("code");
  const keep = el("button", { type: "button", onclick: () => element.close() }, "Keep it");
  const disable = el("button.danger", { type: "button", onclick: () => element.close("disable") }, "Disable");
  const element = el(
    "dialog.disable",
    { "aria-labelledby": "disable-title", "aria-describedby": "disable-what" },
    title,
    el("ul", { id: "disable-what" }, [
      el("li", null, "Its tools go at once."),
      el("li", null, "Calls in flight go on to their end."),
      el("li", null, "It stays so after a restart: ", file, " is put beside it."),
    ]),
    el("div.disable-buttons", null, keep, disable),
  );

  return {
    element,
    /**
     * Whether the plugin `name` is to be disabled. Escape means no.
     *
     * @param {string} name
     * @returns {Promise<boolean>}
     */
    ask(name) {
      put(title, `Disable ${name}?`);
      put(file, `${name}.disabled`);
      element.returnValue = "";
      element.showModal();
      return new Promise((decided) => {
        const told = () => decided(element.returnValue === "disable");
        element.addEventListener("close", told, { once: true });
      });
    },
    /** Answers no, if it is asked at the moment. */
    close() {
      if (element.open) element.close("");
    },
  };
}
