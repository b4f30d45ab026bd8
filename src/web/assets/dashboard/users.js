// Whom an admin looks at: themselves, another user, or all.

import { el, put } from "../dom.js";

/** More than this many users are not offered in a list; their names can be typed. */
const MOST = 1000;

/**
 * @param {{
 *   api: { plainly: (path: string, options?: object) => Promise<any> },
 *   me: { user: string },
 *   choose: (user: string | undefined) => void,
 * }} options
 */
export function userChoice({ api, me, choose }) {
  const select = el("select", { id: "whose", onchange: () => choose(select.value || undefined), onfocus: refresh });

  async function refresh() {
    const told = await api.plainly("users", { query: { limit: MOST } }).catch(() => undefined);
    if (told) show(told.users.map(({ user }) => user));
  }

  function show(names) {
    const chosen = select.value;
    const isOther = chosen && chosen !== "*";
    const users = [...new Set([...names, ...(isOther ? [chosen] : [])])].filter((name) => name !== me.user);
    const option = (value, text) => el("option", { value }, text);
    const others = users.map((name) => option(name, name));
    put(select, option("", `${me.user} (you)`), option("*", "All users"), others);
    select.value = chosen;
  }

  show([]);
  refresh();
  return el("div.whose", null, el("label.small.muted", { htmlFor: "whose" }, "Looking at"), select);
}
