// The token of whoever is signed in: kept as long as this tab is open, and nowhere else.

const KEY = "mcp-hub-token";

/** What a tab keeps it in; where that is not allowed, memory. */
let memory = null;

/** @returns {string | null} */
export function readToken() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return memory;
  }
}

/** @param {string | null} token */
export function keepToken(token) {
  memory = token;
  try {
    if (token === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  } catch {
    // Then it is forgotten with the page.
  }
}
