// The stack of a tool: who serves it now and who stands by, in the order in which the hub asks them.

import { el } from "../../dom.js";
import { count, timeOfDay } from "../../format.js";
import { badge, timeAgo, whoIs } from "./words.js";

/** @param {any[]} stack */
export function stackView(stack) {
  // Whose definition is listed is who serves.
  return el(
    "ol.stack",
    null,
    stack.map((offer) => offerView(offer, offer.listed)),
  );
}

function offerView(offer, serves) {
  const { provider, instance, since, shared, inFlight, calls, failures, lastFailure, fits } = offer;
  const [tone, word] = standing(offer, serves);
  return el(
    "li.offer",
    null,
    el("span.offer-place", { "aria-hidden": "true" }, String(offer.position)),
    el(
      "div.offer-body",
      null,
      el(
        "p.offer-head",
        null,
        el("span.offer-who", null, whoIs(provider)),
        badge(tone, word),
        provider.kind === "plugin" && badge("", "plugin"),
        shared && badge("", "for everybody", "Offered to every user"),
      ),
      el(
        "p.offer-facts.small.muted",
        null,
        el("span", null, "since ", timeAgo(since)),
        // How busy others keep what is everybody's is theirs to know.
        inFlight !== undefined && el("span", null, `${count(inFlight)} in flight`),
        el("span", null, `${count(calls)} ${calls === 1 ? "call" : "calls"}`),
        el(`span${failures ? ".bad" : ""}`, null, `${count(failures)} ${failures === 1 ? "failure" : "failures"}`),
        instance && el("span", { title: instance }, "instance ", el("code", null, shortened(instance))),
      ),
      lastFailure &&
        el("p.offer-note.small", null, "Failed ", timeAgo(lastFailure.at), ": ", el("span.why", null, lastFailure.why)),
      !fits &&
        el(
          "p.offer-note.small.warn",
          null,
          "Does not fit: its input schema differs from the listed one, so it is never a silent substitute.",
        ),
    ),
  );
}

/** Names that processes give themselves are mostly random; the beginning tells one from another. */
const shortened = (instance) => (instance.length > 16 ? `${instance.slice(0, 8)}…` : instance);

/** What the offer does at the moment. */
function standing({ breaker, openUntil, fits }, serves) {
  if (breaker === "open") return ["bad", openUntil ? `left alone until ${timeOfDay(openUntil)}` : "left alone"];
  if (breaker === "probing") return ["warn", "being tried again"];
  if (serves) return ["good", "serves now"];
  return fits ? ["", "stands by"] : ["warn", "does not fit"];
}
