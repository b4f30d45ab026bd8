// What surrounds the views of the dashboard: the way between them, and the line to the hub that keeps them live.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, fits, offer, openBrowser, openPage, see, startHub } from "./support.mjs";

const VIEWS = ["Tools", "Providers", "Plugins", "Calls", "Clients", "Health"];

const browser = await openBrowser();
/** One for anybody, one with users, and one where nobody else looks. */
const [hub, guarded, quiet] = await Promise.all([startHub(), startHub({ users: true }), startHub()]);

/** The dashboard of `hub` at a view, for a page of its own. */
async function visit(t, { of = hub, at = "", ...options } = {}) {
  const page = await openPage(t, browser, options);
  await page.goto(`${of.url}/dashboard${at}`);
  return page;
}

const state = (page) => page.locator("#live");
const live = (page) => state(page).getByText("Live", { exact: true });
const view = (page, name) => page.getByRole("heading", { name, exact: true, level: 2 });
const main = (page) => page.getByRole("main");
const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);

/** A provider with one tool that is gone with the test. */
function provide(t, hub, name, options) {
  return offer(t, hub, { name, tools: [{ tool: { name: `tool_of_${name}` } }], ...options });
}

/** Makes the page believe that its tab has come out of sight, or back into it. */
const turnAway = (page, isHidden) =>
  page.evaluate((isHidden) => {
    Object.defineProperty(document, "visibilityState", {
      configurable: true,
      get: () => (isHidden ? "hidden" : "visible"),
    });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);

test("every view is one link away, and tells so", async (t) => {
  const page = await visit(t);
  await live(page).waitFor();
  await view(page, "Tools").waitFor();
  for (const name of [...VIEWS.slice(1), VIEWS[0]]) {
    await page.getByRole("navigation", { name: "Views" }).getByRole("link", { name, exact: true }).click();
    await view(page, name).waitFor();
    assert.equal(await page.title(), `${name} · MCP Hub`);
    assert.equal(new URL(page.url()).hash, `#/${name.toLowerCase()}`);
    assert.equal(await page.locator("nav [aria-current=page]").innerText(), name);
    // Whoever came by keyboard goes on in the view.
    assert.equal(await focused(page), name);
  }
  await page.goBack();
  await view(page, "Health").waitFor();
  await page.goto(`${hub.url}/dashboard#/nothing-like-this`);
  await view(page, "Tools").waitFor();
});

test("the link past the navigation leads into the view that is shown", async (t) => {
  const page = await visit(t, { at: "#/calls" });
  await view(page, "Calls").waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "Skip to the view");
  await page.keyboard.press("Enter");
  assert.equal(await focused(page), "main");
  assert.equal(new URL(page.url()).hash, "#/calls");
  assert.equal(await view(page, "Calls").count(), 1);
});

test("the clients' URL can be copied", async (t) => {
  const page = await visit(t, { permissions: ["clipboard-read", "clipboard-write"] });
  await page.getByRole("button", { name: "Copy the clients’ URL" }).click();
  await eventually(async () => (await page.evaluate(() => navigator.clipboard.readText())) === `${hub.url}/mcp`);
});

test("without JavaScript it says where the same facts are", async (t) => {
  const page = await visit(t, { javaScriptEnabled: false });
  assert.ok(await page.locator("noscript h2").isVisible());
  const places = await page.locator("noscript a").evaluateAll((links) => links.map((link) => link.href));
  assert.ok(places.length > 0);
  for (const place of places) assert.equal((await fetch(place)).status, 200, place);
});

test("a token is hidden until it is asked to be shown", async (t) => {
  const page = await visit(t, { of: guarded });
  const field = page.getByLabel("Token", { exact: true });
  await field.fill("a.b.c");
  assert.equal(await field.getAttribute("type"), "password");
  await page.getByRole("button", { name: "Show" }).click();
  assert.equal(await field.getAttribute("type"), "text");
  await page.getByRole("button", { name: "Hide" }).click();
  assert.equal(await field.getAttribute("type"), "password");
});

test("a tab out of sight gives up its line, and knows what it missed when it is back", async (t) => {
  const streams = async () => (await (await fetch(`${quiet.url}/api/v1/health`)).json()).figures.streams;
  const page = await openPage(t, browser);
  await page.clock.install();
  await page.goto(`${quiet.url}/dashboard#/providers`);
  await live(page).waitFor();
  assert.equal(await streams(), 1);
  await turnAway(page, true);
  await page.clock.runFor(11_000);
  await eventually(async () => (await streams()) === 0, "the line is given up");
  await provide(t, quiet, "missed");
  await turnAway(page, false);
  await live(page).waitFor();
  const missed = main(page).getByText("missed", { exact: true });
  await eventually(() => page.clock.runFor(500).then(() => missed.isVisible()), "what was missed is shown");
  assert.equal(await streams(), 1);
});

test("a hub that does not let one follow says why, until it does", async (t) => {
  const token = (user, scope) => guarded.token(user, { scope });
  const first = await startHub({ users: true });
  const hers = await provide(t, first, "before", { token: token("alice") });
  const page = await visit(t, { of: first, at: "#/providers", allow: [/ERR_/, /status of 404/], width: 360 });
  await page.getByLabel("Token", { exact: true }).fill(token("root", "mcp:tools hub:admin"));
  await page.getByRole("button", { name: "Sign in" }).click();
  await live(page).waitFor();
  const whose = page.getByLabel("Looking at");
  await eventually(async () => (await whose.locator("option").allInnerTexts()).includes("alice"), "alice is known");
  await whose.selectOption("alice");
  await main(page).getByText("before", { exact: true }).waitFor();
  await hers.close();
  await first.stop();
  await state(page).getByText("Connection lost. Reconnecting …").waitFor();

  // Who has not been there since it was started is nobody to a hub.
  const second = await startHub({ users: true, port: first.port });
  await state(page).getByText('Not live: no user "alice" is here').waitFor();
  await see(page);
  await fits(page);
  await provide(t, second, "after", { token: token("alice") });
  await live(page).waitFor();
  await main(page).getByText("after", { exact: true }).waitFor();
  assert.equal(await main(page).getByText("before", { exact: true }).count(), 0);
});
