// The dashboard: who is signed in, which view is shown, and that it is live.

import { el, put } from "../dom.js";
import { createApi } from "./api.js";
import { callsView } from "./calls.js";
import { clientsView } from "./clients.js";
import { copyButton } from "./copy.js";
import { healthView } from "./health.js";
import { pluginsView } from "./plugins.js";
import { providersView } from "./providers.js";
import { signInForm } from "./sign-in.js";
import { follow } from "./stream.js";
import { keepToken, readToken } from "./token.js";
import { toolsView } from "./tools.js";
import { userChoice } from "./users.js";

/** In the order of the navigation; the first is where one begins. */
const VIEWS = {
  tools: toolsView,
  providers: providersView,
  plugins: pluginsView,
  calls: callsView,
  clients: clientsView,
  health: healthView,
};

/** What the state of the stream is called. */
const STATES = { connecting: "Connecting …", live: "Live", lost: "Connection lost. Reconnecting …" };

const place = (id) => document.getElementById(id);
const main = place("main");
const signIn = signInForm({ enter });

/** Where an admin looks, if not at themselves. */
let looksAt;
/** Everything that is there while somebody is signed in. */
let stay;

const api = createApi({ token: readToken, user: () => looksAt, refused: (problem) => leave(problem.detail) });

/** Signs in with `token`, if the hub takes it. */
async function enter(token) {
  keepToken(token);
  try {
    await begin();
    // Whoever typed goes on in the view.
    stay?.focus();
  } catch (problem) {
    keepToken(null);
    throw problem;
  }
}

/** Ends what was there for whoever was signed in, and asks who comes next. */
function leave(why) {
  keepToken(null);
  end();
  looksAt = undefined;
  put(main, signIn.element);
  document.body.classList.add("is-outside");
  signIn.ask(why);
}

function end() {
  stay?.stop();
  stay = undefined;
}

async function begin() {
  // A token that is not taken must not lead back here: the form tells why, if it was the form.
  const asked = createApi({ token: readToken, user: () => undefined, refused: () => {} });
  const hub = await asked.get("hub");
  if (hub.authentication && readToken() === null) return leave("");
  const me = await asked.get("me");
  end();
  document.body.classList.remove("is-outside");
  stay = live(me, hub);
}

/** Shows the views to `me` until stopped. */
function live(me, hub) {
  const app = {
    api,
    me,
    hub,
    get user() {
      return looksAt;
    },
    token: readToken,
    go: (hash) => (location.hash = hash),
    announce: (text) => put(place("said"), text),
  };
  let views = {};
  let shown;
  let unfollow = () => {};

  function route() {
    const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
    const [name, ...rest] = path.split("/").map(decoded);
    const known = Object.hasOwn(VIEWS, name) ? name : Object.keys(VIEWS)[0];
    views[known] ??= VIEWS[known](app);
    const view = views[known];
    for (const link of place("views").querySelectorAll("a")) {
      if (link.hash === `#/${known}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = [rest[0], view.title, "MCP Hub"].filter(Boolean).join(" · ");
    const isOther = shown !== view;
    if (isOther) {
      shown?.hide();
      put(main, view.element);
    }
    shown = view;
    view.show(rest, Object.fromEntries(new URLSearchParams(query)));
    return isOther;
  }

  /** Whoever came by keyboard goes on in the view. */
  function focus() {
    const heading = shown.element.querySelector("h2");
    heading?.setAttribute("tabindex", "-1");
    heading?.focus({ preventScroll: true });
  }

  function turn() {
    if (!route()) return;
    focus();
    scrollTo(0, 0);
  }

  function hear(event) {
    if (event.type === "bye" && event.data.why === "token_expired") {
      return leave("Your token has expired. Sign in with a new one.");
    }
    for (const view of Object.values(views)) view.hear(event);
  }

  /** Begins anew, for another user's facts are other facts. */
  function look(user) {
    shown?.hide();
    unfollow();
    looksAt = user;
    views = {};
    shown = undefined;
    start();
  }

  function start() {
    route();
    unfollow = follow({
      open(headers, signal) {
        const whose = looksAt === undefined ? "" : `?user=${encodeURIComponent(looksAt)}`;
        return api.fetch(`api/v1/events${whose}`, { headers, signal });
      },
      hear,
      state(state, why) {
        place("live").dataset.state = state;
        put(place("live"), why === undefined ? STATES[state] : `Not live: ${why}`);
      },
    });
  }

  const choice = me.admin && me.authentication ? userChoice({ api, me, choose: look }) : undefined;
  const signOut = el("button", { type: "button", onclick: () => leave("") }, "Sign out");
  const who = me.authentication && [choice ?? el("span.who", null, me.user), signOut];
  put(place("whoami"), who || el("span.who.muted", null, "No authentication"));
  put(place("endpoint"), el("code", null, hub.endpoint), copyButton(hub.endpoint, "the clients’ URL", app.announce));
  addEventListener("hashchange", turn);
  start();
  return {
    focus,
    stop() {
      removeEventListener("hashchange", turn);
      unfollow();
      shown?.hide();
      put(place("whoami"));
      put(place("endpoint"));
      put(place("live"));
    },
  };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

// It would be taken for a view otherwise, as every place after the "#" is.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

begin().catch((problem) => {
  if (problem.status === 401 || problem.status === 403) return leave(readToken() ? problem.detail : "");
  const retry = el("button", { type: "button", onclick: () => location.reload() }, "Try again");
  put(main, el("div.problem", { role: "alert" }, el("p", null, problem.detail ?? String(problem)), retry));
});
