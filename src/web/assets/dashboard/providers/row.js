// One provider in the list of them. What of it stays the same is not touched, as figures come every other second.

import { el, put } from "../../dom.js";
import { count, timeOfDay } from "../../format.js";
import { arrange, part } from "../steady.js";
import { revealed } from "../tools/pieces.js";
import { badge, timeAgo } from "../tools/words.js";

/** How the breaker of a provider stands: a tone, a word, and a sentence. */
export const BREAKERS = {
  closed: { tone: "good", word: "well", says: "Calls go to it." },
  open: { tone: "bad", word: "left alone", says: "It failed several times running. Calls pass it over for a while." },
  probing: { tone: "warn", word: "being tried again", says: "One call is under way to see whether it is well." },
};

/** @param {boolean} tellsUser  whether to say whose it is */
export function providerRow(tellsUser) {
  const head = part(el("div.provider-head"), headOf);
  const tools = toolNames();
  const failure = part(el("p.provider-failure.small"), failureOf);
  const since = part(el("dd"), timeAgo);
  const calls = part(el("dd"), count);
  const failures = part(el("dd"), (n) => el(n ? "span.bad" : "span", null, count(n)));
  const load = part(el("dd.provider-load"), loadOf);
  const figure = (name, { element }) => el("div", null, el("dt", null, name), element);
  const element = el(
    "li.card.provider",
    null,
    el("div.provider-who", null, head.element, tools.element, failure.element),
    el("dl.provider-figures.small", null, [
      figure("Since", since),
      figure("Calls", calls),
      figure("Failures", failures),
      figure("In flight", load),
    ]),
  );

  return {
    element,
    show(provider) {
      const { name, version, kind, user, shared, breaker, openUntil, lastFailure } = provider;
      head.tell({ name, version, kind, shared, breaker, openUntil, user: tellsUser ? user : undefined });
      tools.show(provider.tools, provider.toolNames);
      failure.tell(lastFailure);
      failure.element.hidden = !lastFailure;
      since.tell(provider.since);
      calls.tell(provider.calls);
      failures.tell(provider.failures);
      load.tell(provider.inFlight, provider.inFlightMax);
    },
  };
}

function headOf({ name, version, kind, user, shared, breaker, openUntil }) {
  const { tone, word, says } = BREAKERS[breaker] ?? { tone: "", word: breaker };
  const until = breaker === "open" && openUntil ? ` until ${timeOfDay(openUntil)}` : "";
  return [
    el("h3.provider-name", null, revealed(name)),
    version && el("span.provider-version.muted.small", null, revealed(version)),
    badge(tone, word + until, says),
    kind === "plugin" && badge("", "plugin"),
    shared && badge("", "for everybody", "Offered to every user"),
    user !== undefined && el("span.badge.accent.provider-user", { title: "Whose it is" }, user),
  ];
}

const failureOf = (failure) =>
  failure && [
    "Failed ",
    timeAgo(failure.at),
    failure.tool !== undefined && [" at ", toolLink(failure.tool)],
    ": ",
    el("span.why", null, revealed(failure.why)),
  ];

function loadOf(inFlight, most) {
  // How busy others keep what is everybody's is theirs to know.
  if (inFlight === undefined) return el("span.muted", null, "–");
  const meter = el("meter", { min: 0, max: most, high: most * 0.8, value: inFlight, "aria-label": "Calls in flight" });
  return [el("span", null, `${count(inFlight)} of ${count(most)}`), meter];
}

/** The tools of a provider, to open; of very many the hub names the first. */
function toolNames() {
  const words = el("summary");
  const list = el("ul.tool-names");
  const opened = el("details", { ontoggle: fill }, words, list);
  const none = el("p.muted", null, "No tools at the moment.");
  const links = new Map();
  let names = [];
  let total = 0;

  function fill() {
    if (!opened.open) return;
    for (const name of links.keys()) if (!names.includes(name)) links.delete(name);
    for (const name of names) if (!links.has(name)) links.set(name, el("li", null, toolLink(name)));
    const rest = total - names.length;
    const more = rest > 0 ? [el("li.muted", null, `and ${count(rest)} more`)] : [];
    arrange(list, [...names.map((name) => links.get(name)), ...more]);
  }

  return {
    element: el("div.provider-tools.small", null, opened, none),
    show(number, named) {
      const isSame = number === total && named.join("\n") === names.join("\n");
      total = number;
      names = named;
      opened.hidden = !total;
      none.hidden = Boolean(total);
      if (isSame) return;
      put(words, `${count(total)} ${total === 1 ? "tool" : "tools"}`);
      fill();
    },
  };
}

/** A link to the page of the tool `name`. */
export const toolLink = (name) => el("a.tool-link", { href: `#/tools/${encodeURIComponent(name)}` }, revealed(name));
