// Puts the token that is typed in where the snippets have their placeholders. It goes nowhere else.

/** What a bearer token is made of (RFC 6750 §2.1): none of it means anything to a shell or in a string. */
const TOKEN = /^[\w.~+/-]+=*$/;

/** Follows the field, where there is one. A placeholder's `data-token` says how the token is written there. */
export function fillTokens() {
  const field = document.getElementById("token");
  if (!field) return;
  // Some browsers put back what was there before a reload.
  field.value = "";
  document.getElementById("token-field").hidden = false;
  const places = [...document.querySelectorAll("[data-token]")].map((place) => {
    const written = place.dataset.token;
    const empty = place.textContent;
    return (token) => (place.textContent = token ? written.replace("…", () => token) : empty);
  });
  field.addEventListener("input", () => {
    const said = field.value.trim().replace(/^Bearer\s+/i, "");
    const isFaulty = said !== "" && !TOKEN.test(said);
    field.setAttribute("aria-invalid", isFaulty);
    document.getElementById("token-fault").textContent = isFaulty
      ? "A token has letters, digits and the signs . _ ~ + / - only."
      : "";
    for (const put of places) put(isFaulty ? "" : said);
  });
}
