// What goes on in a hub, as the dashboard shows it: calls as they happen, clients of both eras, and health.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RpcError } from "../../sdk/typescript/client.js";
import { atEnd, eventually, fits, offer, openBrowser, openPage, screenshot, see, startHub } from "./support.mjs";

const STATELESS = "2026-07-28";
const SESSIONS = "2025-11-25";
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const HOSTILE = "<img src=x onerror=alert(1)>";
const JSON_HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };

const browser = await openBrowser();
const hub = await startHub();
/** One with users. */
const guarded = await startHub({ users: true });

/** One request to `/mcp` of the revision without sessions. */
async function ask(hub, method, params, { token, client } = {}) {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": STATELESS,
    "io.modelcontextprotocol/clientCapabilities": {},
    ...(client && { "io.modelcontextprotocol/clientInfo": client }),
    traceparent: `00-${TRACE}-b7ad6b7169203331-01`,
  };
  const headers = {
    ...JSON_HEADERS,
    "mcp-protocol-version": STATELESS,
    "mcp-method": method,
    ...(params.name && { "mcp-name": params.name }),
    ...(token && { authorization: `Bearer ${token}` }),
  };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: meta } });
  const response = await fetch(`${hub.url}/mcp`, { method: "POST", headers, body });
  return response.text();
}

const call = (hub, name, options) => ask(hub, "tools/call", { name, arguments: {} }, options);

/** So many calls, one after the other, as their order is looked at. */
async function calls(hub, name, times) {
  for (let n = 0; n < times; n++) await call(hub, name);
}

/** Opens a session of a client of the era before. */
function openSession(hub, clientInfo) {
  const params = { protocolVersion: SESSIONS, capabilities: {}, clientInfo };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  return fetch(`${hub.url}/mcp`, { method: "POST", headers: JSON_HEADERS, body }).then((answer) => answer.text());
}

/** Opens a view and waits until the page hears of what happens. */
async function visit(page, { url }, hash) {
  await page.goto(`${url}/dashboard${hash}`);
  await page.getByText("Live", { exact: true }).waitFor();
}

async function signIn(page, hub, token, hash) {
  await page.goto(`${hub.url}/dashboard${hash}`);
  await page.locator(".sign-in input").fill(token);
  await page.locator(".sign-in input").press("Enter");
  await page.getByText("Live", { exact: true }).waitFor();
}

/** The rows of calls of a tool. */
const rowsOf = (page, tool) =>
  page.locator(".call").filter({ has: page.getByRole("link", { name: tool, exact: true }) });

const field = (page, name) => page.locator(`.toolbar [name=${name.toLowerCase()}]`);
const waiting = (page) => page.getByRole("button", { name: / – show$/ });

test("without calls and clients the views say how there come to be some", async (t) => {
  const page = await openPage(t, browser);
  const quiet = await startHub();
  atEnd(t, () => quiet.stop());
  await visit(page, quiet, "#/calls");
  await page.getByRole("heading", { name: "No calls yet" }).waitFor();
  await page.getByText("Arguments and results are never kept.").waitFor();
  await page.getByRole("link", { name: "Clients" }).click();
  await page.getByRole("heading", { name: "No client yet" }).waitFor();
  await page.getByRole("link", { name: "Health" }).click();
  await page.getByText("No limit was in anybody’s way.").waitFor();
});

test("a call shows as it ends, with where it has been", async (t) => {
  const tool = { name: "weather" };
  await offer(t, hub, { name: "steady", tools: [{ tool }] });
  const fail = () => {
    throw new RpcError(-32603, "the satellite is out of sight");
  };
  await offer(t, hub, { name: "shaky", tools: [{ tool, handler: fail }] });
  const page = await openPage(t, browser);
  await visit(page, hub, "#/calls");
  await call(hub, "weather");
  const row = rowsOf(page, "weather").first();
  assert.match(await row.innerText(), /answered\s+weather\s+steady\s+2\s+[\d.]+ ms/);
  assert.equal(await row.getByRole("link").getAttribute("href"), "#/tools/weather");

  const toggle = row.getByRole("button");
  await toggle.press("Enter");
  assert.equal(await toggle.getAttribute("aria-expanded"), "true");
  const attempts = row.getByRole("listitem");
  assert.equal(await attempts.count(), 2);
  assert.match(await attempts.nth(0).innerText(), /shaky\s*failed[^]*for [\d.]+ ms[^]*the satellite is out of sight/);
  assert.match(await attempts.nth(1).innerText(), /steady\s*answered\s*at [\d.]+ ms, for [\d.]+ ms/);
  assert.match(await row.innerText(), new RegExp(TRACE));
  const boxes = (all) => all.map((bar) => bar.getBBox()).map(({ x, width }) => ({ x, width }));
  const bars = await row.locator(".trail-bar").evaluateAll(boxes);
  assert.ok(bars[0].x + bars[0].width <= bars[1].x + 1, "the second bar begins where the first ends");

  // What is read is not moved.
  const { y } = await row.boundingBox();
  await calls(hub, "weather", 3);
  await waiting(page).getByText("3 new calls").waitFor();
  assert.equal((await row.boundingBox()).y, y);
  assert.equal(await rowsOf(page, "weather").count(), 1);
  await see(page);
  await screenshot(page, "dashboard-calls-attempts");
  await waiting(page).click();
  await eventually(async () => (await rowsOf(page, "weather").count()) === 4, "the held back calls are shown");
  assert.equal(await page.locator("[aria-expanded=true]").count(), 0);
});

test("calls are filtered, paused, and older ones fetched", async (t) => {
  await offer(t, hub, { name: "clerk", tools: [{ tool: { name: "file" } }, { tool: { name: "copy" } }] });
  await calls(hub, "copy", 2);
  await calls(hub, "file", 120);
  await call(hub, "nobody_has_it");
  const page = await openPage(t, browser);
  await visit(page, hub, "#/calls");
  await rowsOf(page, "file").first().waitFor();
  assert.equal(await page.locator(".call").count(), 100);
  await field(page, "Outcome").selectOption("no such tool");
  await rowsOf(page, "file").first().waitFor({ state: "detached" });
  assert.equal(await page.locator(".call").count(), 1);
  await field(page, "Outcome").selectOption("Any");

  // None of those is among the newest hundred.
  await field(page, "Tool").fill("COPY");
  await page.getByText("No call that is loaded matches").waitFor();
  await page.getByRole("button", { name: "Load older" }).click();
  await rowsOf(page, "copy").nth(1).waitFor();
  assert.equal(await page.locator(".call").count(), 2);

  await page.getByRole("button", { name: "Pause" }).click();
  await call(hub, "copy");
  await waiting(page).getByText("1 new call").waitFor();
  assert.equal(await rowsOf(page, "copy").count(), 2);
  await page.getByRole("button", { name: "Continue" }).click();
  await rowsOf(page, "copy").nth(2).waitFor();

  await field(page, "Trace").fill("f".repeat(32));
  await page.getByRole("button", { name: "Clear the filter" }).click();
  await field(page, "Provider").fill("cler");
  await rowsOf(page, "nobody_has_it").waitFor({ state: "detached" });
  await page.goto(`${hub.url}/dashboard#/calls?tool=nobody`);
  await rowsOf(page, "copy").first().waitFor({ state: "detached" });
  assert.equal(await field(page, "Tool").inputValue(), "nobody");
});

test("names and reasons are text, whatever they look like", async (t) => {
  const failing = () => {
    throw new RpcError(-32603, `${HOSTILE}${"x".repeat(300)}`);
  };
  await offer(t, hub, { name: HOSTILE, tools: [{ tool: { name: "trap" }, handler: failing }] });
  await call(hub, "trap", { client: { name: HOSTILE, version: HOSTILE } });
  const page = await openPage(t, browser, { width: 360 });
  await visit(page, hub, "#/calls?tool=trap");
  await rowsOf(page, "trap").first().getByRole("button").click();
  await page.locator(".trail-row").getByText(HOSTILE).first().waitFor();
  await fits(page);
  await page.getByRole("link", { name: "Clients" }).click();
  await page.getByRole("cell", { name: HOSTILE }).first().waitFor();
  await fits(page);
  assert.equal(await page.locator("main img").count(), 0);
});

test("users see their own calls, admins those of all", async (t) => {
  const [alice, bob] = ["alice", "bob"].map((user) => guarded.token(user));
  const admin = guarded.token("root", { scope: "mcp:tools hub:admin" });
  for (const [token, name] of [
    [alice, "of_alice"],
    [bob, "of_bob"],
  ]) {
    await offer(t, guarded, { name, token, tools: [{ tool: { name } }] });
    await call(guarded, name, { token, client: { name: `client-${name}`, version: "1" } });
  }
  const hers = await openPage(t, browser);
  await signIn(hers, guarded, alice, "#/calls");
  await rowsOf(hers, "of_alice").first().waitFor();
  const all = await openPage(t, browser);
  await signIn(all, guarded, admin, "#/calls");
  await all.getByRole("heading", { name: "No calls yet" }).waitFor();
  await all.getByLabel("Looking at").selectOption("All users");
  await rowsOf(all, "of_bob").first().waitFor();
  await call(guarded, "of_bob", { token: bob });
  await rowsOf(all, "of_bob").nth(1).waitFor();
  assert.match(await rowsOf(all, "of_bob").first().innerText(), /of_bob\s+bob\s+of_bob/);
  assert.match(await rowsOf(all, "of_alice").first().innerText(), /of_alice\s+alice\s+of_alice/);
  await all.getByRole("link", { name: "Clients" }).click();
  assert.match(await all.getByRole("row", { name: "client-of_bob" }).innerText(), /stateless[^]*bob/);

  await call(guarded, "of_alice", { token: alice });
  await rowsOf(hers, "of_alice").nth(1).waitFor();
  assert.equal(await rowsOf(hers, "of_bob").count(), 0);
  await hers.getByRole("link", { name: "Health" }).click();
  await hers.getByText("Of alice.").waitFor();
  assert.ok(await hers.getByRole("figure", { name: "Memory" }).isHidden());
});

test("clients of both eras are told apart, and come as they come", async (t) => {
  const page = await openPage(t, browser);
  await visit(page, hub, "#/clients");
  await openSession(hub, { name: "old-code", title: "Old Code", version: "2.1" });
  const old = page.getByRole("row", { name: "Old Code" });
  assert.match(await old.innerText(), /Old Code old-code 2\.1\s+sessions \(2025-11-25\)[^]*0 in flight/);
  await ask(hub, "tools/list", {}, { client: { name: "new-code", version: "3.0" } });
  const young = page.getByRole("row", { name: "new-code" });
  assert.match(await young.innerText(), /new-code 3\.0\s+stateless \(2026-07-28\)[^]*1 request/);
  await screenshot(page, "dashboard-clients");
});

test("health tells what goes on now, to eyes, keys and ears", async (t) => {
  await offer(t, hub, { name: "pulse", tools: [{ tool: { name: "beat" } }] });
  const page = await openPage(t, browser);
  await visit(page, hub, "#/health");
  const chart = page.getByRole("figure", { name: "Calls" });
  await chart.waitFor();
  await calls(hub, "beat", 20);
  await eventually(async () => /calls\s*[\d.]*[1-9]/.test(await chart.getByRole("list").innerText()), "calls are told");
  const cursor = chart.getByRole("slider");
  await cursor.press("ArrowLeft");
  const told = await cursor.getAttribute("aria-valuetext");
  assert.match(told, /: calls [\d.]+\/s, errors [\d.]+\/s$/);
  assert.match(await chart.getByRole("img").getAttribute("aria-label"), /Calls\. calls: .* now, highest .*, lowest/);
  assert.ok(await chart.locator(".chart-marks").isVisible());
  assert.match(await page.getByRole("figure", { name: "Memory" }).getByRole("list").innerText(), /MiB/);
  await page.setViewportSize({ width: 320, height: 700 });
  await fits(page);
  await screenshot(page, "dashboard-health");
});

test("limits that were in the way are told by their keys", async (t) => {
  const page = await openPage(t, browser);
  const tight = await startHub({ env: { LIMITS__CALLS_PER_USER: "1" } });
  atEnd(t, () => tight.stop());
  let finish;
  const handler = () => new Promise((resolve) => (finish = () => resolve("done")));
  await offer(t, tight, { name: "slow", tools: [{ tool: { name: "wait" }, handler }] });
  const first = call(tight, "wait");
  await eventually(() => finish, "the provider has the call");
  await call(tight, "wait");
  finish();
  await first;
  await visit(page, tight, "#/health");
  await page.getByRole("row", { name: /^limits\.calls_per_user/ }).waitFor();
  await page.getByRole("link", { name: "Calls" }).click();
  await rowsOf(page, "wait").nth(1).waitFor();
  assert.match(await page.locator(".call").allInnerTexts().then(String), /over a limit/);
});

test("a hub that says nothing is told of, and asked again", async (t) => {
  const page = await openPage(t, browser, { allow: [/status of 503/] });
  let isDown = true;
  await page.route("**/api/v1/calls?*", (route) => {
    const problem = { title: "Busy", status: 503, detail: "The hub is busy. Try again." };
    const answer = { status: 503, contentType: "application/problem+json", body: JSON.stringify(problem) };
    return isDown ? route.fulfill(answer) : route.continue();
  });
  await visit(page, hub, "#/calls");
  await page.getByRole("alert").getByText("The hub is busy.").waitFor();
  isDown = false;
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator(".call, .empty").first().waitFor();
  await page.getByRole("alert").waitFor({ state: "detached" });
});

for (const scheme of ["light", "dark"]) {
  test(`accessible in ${scheme} on every screen, and not wider than it`, async (t) => {
    await openSession(hub, { name: "old-code", version: "2.1" });
    await calls(hub, "nobody_has_it", 2);
    const page = await openPage(t, browser, { scheme });
    await visit(page, hub, "#/calls");
    const look = async () => {
      for (const width of [360, 1440]) {
        await page.setViewportSize({ width, height: 900 });
        await see(page);
        await fits(page);
      }
    };
    await page.locator(".call").first().getByRole("button").click();
    await look();
    await page.getByRole("link", { name: "Clients" }).click();
    await page.getByRole("row", { name: "old-code" }).first().waitFor();
    await look();
    await page.getByRole("link", { name: "Health" }).click();
    await page.getByRole("figure", { name: "Calls" }).waitFor();
    await look();
  });
}
