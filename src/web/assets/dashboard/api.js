// Asks the hub's API as whoever is signed in.

/** What the hub says when it does not answer (RFC 9457), or that it cannot be reached (status 0). */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} title
   * @param {string} detail
   */
  constructor(status, title, detail) {
    super(detail);
    this.name = "Problem";
    this.status = status;
    this.title = title;
    this.detail = detail;
  }
}

/** The largest page the API gives. */
const PAGE = 1000;

/**
 * @param {{
 *   token: () => string | null,
 *   user: () => string | undefined,
 *   refused: (problem: Problem) => void,
 * }} who  `user` is added to what is asked for; `refused` hears that the token is not taken any more.
 */
export function createApi({ token, user, refused }) {
  async function ask(path, init = {}) {
    const headers = new Headers(init.headers);
    const shown = token();
    if (shown) headers.set("Authorization", `Bearer ${shown}`);
    let response;
    try {
      response = await fetch(path, { ...init, headers });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new Problem(0, "Not reachable", "The hub cannot be reached. It may be stopped, or the network away.");
    }
    if (response.status === 401) {
      const why = await problem(response.clone());
      // An answer to a token that has been replaced meanwhile says nothing of the one that is there now.
      if (token() === shown) refused(why);
    }
    return response;
  }

  async function facts(method, path, { query = {}, signal } = {}, whose) {
    const asked = new URLSearchParams();
    for (const [name, value] of Object.entries({ user: whose, ...query })) {
      if (value !== undefined && value !== null && value !== "") asked.set(name, String(value));
    }
    const parameters = asked.size ? `?${asked}` : "";
    const response = await ask(`api/v1/${path.replace(/^\//, "")}${parameters}`, { method, signal });
    if (!response.ok) throw await problem(response);
    return response.json();
  }

  const get = (path, options) => facts("GET", path, options, user());
  return {
    /** A request of any kind with the token; for `/mcp` and event streams. */
    fetch: ask,
    /** Facts at `/api/v1/PATH`, of the user who is looked at. */
    get,
    /** Facts of nobody in particular. */
    plainly: (path, options) => facts("GET", path, options),
    /** Has something done. */
    post: (path, options) => facts("POST", path, options),
    /** All items of a list, page by page, until there are `most`. */
    async all(path, key, { query, signal, most = Infinity } = {}) {
      const items = [];
      let cursor;
      do {
        const page = await get(path, { query: { limit: Math.min(PAGE, most), ...query, cursor }, signal });
        items.push(...page[key]);
        cursor = page.nextCursor;
      } while (cursor && items.length < most);
      return items.slice(0, most);
    },
  };
}

/** Reads the problem out of an answer that is none. */
export async function problem(response) {
  const text = await response.text().catch(() => "");
  try {
    const { title, detail } = JSON.parse(text);
    return new Problem(response.status, String(title), String(detail));
  } catch {
    return new Problem(response.status, response.statusText || `Status ${response.status}`, text.trim().slice(0, 500));
  }
}
