// Keeps the figures as they are now, while somebody looks.

import { count } from "../format.js";

const EVERY_MS = 3000;
/** Less than the time between two questions, so that answers come in their order. */
const PATIENCE_MS = 2500;

/** Asks the hub every few seconds. What it said last stays when it cannot be reached. */
export function followFigures() {
  const ask = () => document.hidden || refresh(document.getElementById("figures"));
  setInterval(ask, EVERY_MS);
  document.addEventListener("visibilitychange", ask);
  ask();
}

async function refresh(figures) {
  const news = figures.querySelector("[data-news]");
  try {
    const response = await fetch("api/v1/hub", { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!response.ok) throw new Error(`the hub answered with ${response.status}`);
    const hub = await response.json();
    for (const place of figures.querySelectorAll("[data-figure]")) {
      place.textContent = count(hub.figures[place.dataset.figure]);
    }
    news.textContent = "";
  } catch {
    news.textContent = "The hub is not reachable.";
  }
}
