// The Clients view: who asks the hub, and in which way.

import { el, put } from "../dom.js";
import { ago, count, fullTime } from "../format.js";
import { kept } from "./kept.js";
import { emptyNote } from "./notes.js";
import { revealed } from "./tools/pieces.js";

/** How often "3 min ago" is made true again: that a client comes once more is no change that the hub tells of. */
const TICK_MS = 10_000;
/** Clients that are shown; those that came last. */
const MOST = 500;

/** @param {import("./tools.js").App} app */
export function clientsView(app) {
  const hasUser = app.user === "*";
  const place = el("div.note-place");
  const total = el("p.small.muted", { hidden: true });
  const body = el("tbody", { role: "rowgroup" });
  const heads = ["Client", "Speaks", hasUser && "User", "Since", "Last seen", "Streams", "Work"].filter(Boolean);
  const head = (name) => el(name === "Streams" ? "th.number" : "th", { role: "columnheader", scope: "col" }, name);
  const table = el("table.ledger.clients-table", { role: "table", "aria-label": "Clients, last come first" }, [
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads.map(head))),
    body,
  ]);
  const card = el("div.card", { hidden: true }, table);
  const empty = el("div", { hidden: true });
  const element = el("section.view.clients", null, [
    el("h2", { tabIndex: -1 }, "Clients"),
    el("p.muted", null, [
      "Programs that use tools through the hub. One that speaks a revision with sessions is here while its session ",
      "lasts; a stateless one, by its name, for half an hour after its last request.",
    ]),
    place,
    total,
    card,
    empty,
  ]);

  const facts = kept({
    ask: (signal) => app.api.all("clients", "clients", { signal, most: MOST }),
    take: draw,
    place,
    matter: "clients",
    every: TICK_MS,
  });

  function draw(clients) {
    card.hidden = clients.length === 0;
    empty.hidden = clients.length > 0;
    put(empty, clients.length === 0 && nobody());
    const all = `${count(clients.length)} ${clients.length === 1 ? "client" : "clients"}.`;
    put(total, clients.length === MOST ? `The ${count(MOST)} clients that came last.` : all);
    total.hidden = clients.length === 0;
    put(body, clients.map(row));
  }

  function row(client) {
    const cell = (kind, name, ...children) => el(`td${kind}`, { role: "cell", dataset: { name } }, children);
    const title = client.title ?? client.name;
    return el("tr", { role: "row" }, [
      cell(".client-name", "Client", [
        title ? el("strong", null, revealed(title)) : el("span.muted", null, "Gives no name"),
        client.name && client.name !== title && el("span.muted.small", null, " ", revealed(client.name)),
        client.version && el("span.muted.small", null, " ", revealed(client.version)),
      ]),
      cell(".client-era", "Speaks", era(client)),
      hasUser && cell("", "User", client.user),
      cell("", "Since", time(client.since)),
      cell("", "Last seen", time(client.lastSeen)),
      cell(".number", "Streams", count(client.streams)),
      cell("", "Work", work(client)),
    ]);
  }

  const nobody = () =>
    emptyNote(
      "No client yet",
      el("p", null, "A client is here from its first request to ", el("code", null, app.hub.endpoint), " on."),
      el("p", null, el("a", { href: "./#use" }, "How to connect one")),
    );

  return { title: "Clients", element, show: facts.show, hide: facts.hide, hear: facts.hear };
}

/** "sessions (2025-11-25)". */
function era({ era, protocol }) {
  const word = era === "legacy" ? "sessions" : "stateless";
  return protocol ? `${word} (${protocol})` : word;
}

function work({ inFlight, requests }) {
  if (inFlight !== undefined) return `${count(inFlight)} in flight`;
  if (requests !== undefined) return `${count(requests)} ${requests === 1 ? "request" : "requests"}`;
  return "–";
}

const time = (at) => el("time", { dateTime: at, title: fullTime(at) }, ago(at));
