// The dashboard as people find it: who gets in, what they see of whom, and that it stays true while things change.
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { RpcError } from "../../sdk/typescript/client.js";
import { eventually, fits, offer, openBrowser, openPage, screenshot, SCHEMES, see, startHub } from "./support.mjs";

const ADMIN = "mcp:tools hub:admin";
/** What would show if it were read as HTML, leave its place, or push the page aside. */
const HOSTILE = [
  "<img src=x onerror=window.pwned=1>",
  "</script><script>window.pwned=1</script>",
  "\u202Egnp.exe",
  "W".repeat(64),
];
const VIEWS = ["Tools", "Providers", "Plugins", "Calls", "Clients", "Health"];

/** A folder of plugins: one for everybody, one for alice alone, and of each kind one that is faulty. */
const plugins = mkdtempSync(join(tmpdir(), "mcp-hub-browser-plugins-"));
after(() => rmSync(plugins, { recursive: true, force: true }));
const ofAlice = join(plugins, "users", "alice");
mkdirSync(ofAlice, { recursive: true });
const plugin = (name) => fileURLToPath(new URL(`../../plugins/${name}`, import.meta.url));
copyFileSync(plugin("checksum.wasm"), join(plugins, "checksum.wasm"));
copyFileSync(plugin("time.wasm"), join(ofAlice, "clock.wasm"));
writeFileSync(join(plugins, "broken.wasm"), "this is no component");
writeFileSync(join(ofAlice, "torn.wasm"), "neither is this");

const [anybody, guarded, browser] = await Promise.all([
  startHub(),
  startHub({ users: true, plugins, env: { FAILOVER__BREAKER__FAILURES: "2" } }),
  openBrowser(),
]);
/** So old by the time it is shown that the hub does not take it. */
const expired = guarded.token("alice", { ttl: "1s" });
const admin = guarded.token("root", { scope: ADMIN });

const heading = (page, name) => page.getByRole("heading", { name, exact: true, level: 2 });
const provider = (page, name) => page.locator(".provider", { hasText: name });
const card = (page, name) => page.locator(".plugin", { has: page.getByRole("heading", { name, exact: true }) });
const button = (place, name) => place.getByRole("button", { name });
const go = (page, view) => page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: view }).click();
const isLive = (page) => page.getByText("Live", { exact: true }).waitFor();

async function signIn(page, token) {
  await page.getByLabel("Token", { exact: true }).fill(token);
  await button(page, "Sign in").click();
}

/** Opens the dashboard at `view`, as whoever `token` is of. */
async function enter(t, hub, { token, view = "tools", ...options } = {}) {
  const page = await openPage(t, browser, options);
  await page.goto(`${hub.url}/dashboard#/${view}`);
  if (token) await signIn(page, token);
  await isLive(page);
  return page;
}

const withTools = (...names) => names.map((name) => ({ tool: { name } }));

/** Calls a tool as a client does. */
async function call(hub, name, token) {
  const prefix = "io.modelcontextprotocol/";
  const _meta = {
    [`${prefix}protocolVersion`]: "2026-07-28",
    [`${prefix}clientInfo`]: { name: "caller", version: "1" },
    [`${prefix}clientCapabilities`]: {},
  };
  const response = await fetch(`${hub.url}/mcp`, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/json, text/event-stream",
      "MCP-Protocol-Version": "2026-07-28",
      "Mcp-Method": "tools/call",
      "Mcp-Name": name,
      ...(token && { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {}, _meta } }),
  });
  return response.text();
}

test("a hub for anybody lets everybody straight in", async (t) => {
  const page = await enter(t, anybody);
  await heading(page, "Tools").waitFor();
  assert.equal(await page.getByLabel("Token", { exact: true }).count(), 0);
  await page.getByText("No authentication").waitFor();
  for (const view of VIEWS) {
    await go(page, view);
    await heading(page, view).waitFor();
    assert.match(await page.title(), new RegExp(`^${view} · `));
    // Whoever came by keyboard goes on in the view.
    assert.equal(await page.evaluate(() => document.activeElement.textContent), view);
  }
});

test("a token that is not taken is told why, and each for its own reason", async (t) => {
  const page = await openPage(t, browser, { allow: [/status of 40[13]/] });
  await page.goto(`${guarded.url}/dashboard`);
  const good = guarded.token("alice");
  const forged = good.replace(/[^.]+$/, (signature) => `${signature[0] === "A" ? "B" : "A"}${signature.slice(1)}`);
  const without = guarded.token("alice", { scope: "mcp:provide" });
  const me = (token) => fetch(`${guarded.url}/api/v1/me`, { headers: { Authorization: `Bearer ${token}` } });
  await eventually(async () => (await me(expired)).status === 401, "the token has expired");
  const refused = [
    ["rubbish", /no JSON Web Token/],
    [forged, /signed with another secret/],
    [expired, /expired/],
    [without, /lacks the scope mcp:tools/],
  ];
  for (const [token, why] of refused) {
    await signIn(page, token);
    await page.getByRole("alert").filter({ hasText: why }).waitFor();
    assert.equal(await page.getByLabel("Token", { exact: true }).getAttribute("aria-invalid"), "true");
    assert.equal(await page.evaluate(() => sessionStorage.length), 0, "what is not taken is not kept");
  }
  // As it is copied from a file of settings.
  await signIn(page, `  Bearer ${good}\n`);
  await isLive(page);
  await page.getByText("alice", { exact: true }).waitFor();
});

test("the token is kept in this tab and nowhere else", async (t) => {
  const token = guarded.token("alice");
  const page = await openPage(t, browser);
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(`${guarded.url}/dashboard#/providers`);
  await signIn(page, token);
  await isLive(page);
  const kept = () =>
    page.evaluate(() => ({ tab: Object.values(sessionStorage), rest: JSON.stringify([localStorage, history.state]) }));
  assert.deepEqual(await kept(), { tab: [token], rest: "[{},null]" });
  assert.deepEqual(await page.context().cookies(), []);
  assert.ok(asked.length > 0 && !asked.some((url) => url.includes(token)), "it is in no address");
  assert.ok(!(await page.content()).includes(token), "it is not left in the page");

  await page.reload();
  await isLive(page);
  const other = await page.context().newPage();
  await other.goto(`${guarded.url}/dashboard`);
  await button(other, "Sign in").waitFor();

  await button(page, "Sign out").click();
  await button(page, "Sign in").waitFor();
  assert.deepEqual(await kept(), { tab: [], rest: "[{},null]" });
  assert.equal(await page.getByText("alice").count(), 0);
});

test("a token that expires leads back to the sign-in, and a new one to where one was", async (t) => {
  const page = await enter(t, guarded, {
    token: guarded.token("alice", { ttl: "4s" }),
    view: "providers",
    allow: [/status of 401/],
  });
  await heading(page, "Providers").waitFor();
  await page.getByRole("alert").filter({ hasText: "expired" }).waitFor();
  assert.equal(await page.locator(".provider").count(), 0, "nothing of theirs is left");
  await signIn(page, guarded.token("alice"));
  await heading(page, "Providers").waitFor();
  await provider(page, "clock").waitFor();
});

test("nobody sees what is another's, and an admin whatever they choose", async (t) => {
  const tokens = Object.fromEntries(["alice", "bob"].map((user) => [user, guarded.token(user)]));
  for (const [user, token] of Object.entries(tokens)) {
    await offer(t, guarded, { name: `worker-of-${user}`, token, tools: withTools(`tool_of_${user}`) });
  }
  const bob = await enter(t, guarded, { token: tokens.bob, view: "providers" });
  await provider(bob, "worker-of-bob").waitFor();
  await provider(bob, "checksum").getByText("for everybody").waitFor();
  assert.equal(await bob.getByText("2 providers").count(), 1);
  await go(bob, "Plugins");
  await card(bob, "checksum").waitFor();
  assert.equal(await bob.locator(".plugin").count(), 2);
  assert.equal(await bob.getByText(/alice|clock|torn/).count(), 0);
  assert.equal(await bob.getByLabel("Looking at").count(), 0);
  assert.equal(await button(bob, /Reload|Disable|Enable/).count(), 0);
  const asked = await fetch(`${guarded.url}/api/v1/providers?user=alice`, {
    headers: { Authorization: `Bearer ${tokens.bob}` },
  });
  assert.equal(asked.status, 404);

  const root = await enter(t, guarded, { token: admin, view: "providers" });
  await provider(root, "checksum").waitFor();
  assert.equal(await root.getByText(/worker-of-/).count(), 0);
  const whose = root.getByLabel("Looking at");
  await eventually(async () => (await whose.locator("option").allTextContents()).includes("bob"), "bob can be chosen");
  await whose.selectOption("bob");
  await provider(root, "worker-of-bob").waitFor();
  assert.equal(await provider(root, "worker-of-alice").count(), 0);
  await whose.selectOption("All users");
  await provider(root, "worker-of-alice").getByText("alice", { exact: true }).waitFor();
  await provider(root, "worker-of-bob").getByText("bob", { exact: true }).waitFor();
  await root.getByRole("searchbox").fill("tool_of_BOB");
  await provider(root, "worker-of-alice").waitFor({ state: "detached" });
  await go(root, "Plugins");
  await card(root, "torn").getByText("for alice").waitFor();
});

test("providers come and go before one's eyes, and nothing that is used moves away", async (t) => {
  const page = await enter(t, anybody, { view: "providers" });
  await page.getByRole("link", { name: "Bring your tools" }).waitFor();
  const names = Array.from({ length: 30 }, (_, at) => `dig_${at}`);
  await offer(t, anybody, { name: "miner", version: "1.2.0", tools: withTools(...names) });
  const row = provider(page, "miner");
  await row.getByText("1.2.0").waitFor();
  const tools = row.getByText("30 tools");
  await tools.click();
  await row.getByText("and 10 more").waitFor();
  assert.equal(await row.getByRole("link", { name: "dig_0" }).getAttribute("href"), "#/tools/dig_0");
  await tools.focus();

  const other = await offer(t, anybody, { name: "passer-by", tools: withTools("pass") });
  await provider(page, "passer-by").waitFor();
  const isKept = () => tools.evaluate((it) => it === document.activeElement && it.parentElement.open);
  assert.ok(await isKept(), "what has the focus keeps it, and what is open stays open");
  await other.close();
  await provider(page, "passer-by").waitFor({ state: "detached" });
  assert.ok(await isKept());
});

test("a provider that fails says when, at what and why, and that it is left alone", async (t) => {
  const handler = () => {
    throw new RpcError(-32000, "the disk is full");
  };
  const token = guarded.token("carol");
  await offer(t, guarded, { name: "flaky", token, tools: [{ tool: { name: "save" }, handler }] });
  const page = await enter(t, guarded, { token, view: "providers" });
  const row = provider(page, "flaky");
  await row.getByText("well").waitFor();
  await call(guarded, "save", token);
  await call(guarded, "save", token);
  await row.locator("div", { has: page.getByText("Failures", { exact: true }) }).last().getByText("2").waitFor();
  await row.getByText(/the disk is full/).waitFor();
  await row.getByRole("link", { name: "save" }).first().waitFor();
  await row.getByText(/left alone until \d/).waitFor();
  await page.getByLabel("State").selectOption("well");
  await row.waitFor({ state: "detached" });
  await page.getByLabel("State").selectOption("left alone");
  await row.waitFor();
});

test("an admin turns plugins off and on and has them read anew; what is faulty says why", async (t) => {
  const bob = await enter(t, guarded, { token: guarded.token("bob") });
  const tool = bob.getByRole("link", { name: "verify_checksum" });
  await tool.waitFor();
  const page = await enter(t, guarded, { token: admin, view: "plugins", allow: [/status of 40[49]/] });
  const told = (text) => eventually(async () => (await page.locator("#said").textContent()) === text, text);
  await card(page, "broken").getByText("kept out").waitFor();
  await card(page, "broken").getByText("this is no WebAssembly").waitFor();

  const one = card(page, "checksum");
  await button(one, "Disable").click();
  const dialog = page.getByRole("dialog", { name: "Disable checksum?" });
  await dialog.getByText("checksum.disabled").waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  await one.getByText("serving").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Disable");

  await button(one, "Disable").click();
  await button(dialog, "Disable").click();
  await one.getByText("disabled", { exact: true }).waitFor();
  await told("checksum is disabled.");
  await tool.waitFor({ state: "detached" });
  assert.ok(existsSync(join(plugins, "checksum.disabled")));
  await button(one, "Enable").click();
  await tool.waitFor();
  await one.getByText("serving").waitFor();

  // A new file that is faulty changes nothing but that it is told of.
  writeFileSync(join(plugins, "checksum.wasm"), "torn in two");
  await button(one, "Reload").click();
  await one.getByText("this is no WebAssembly").waitFor();
  await one.getByText(/version before it goes on serving/).waitFor();
  assert.ok(await tool.isVisible());
  copyFileSync(plugin("checksum.wasm"), join(plugins, "checksum.wasm"));
  await button(one, "Reload").click();
  await one.getByText("this is no WebAssembly").waitFor({ state: "detached" });

  await page.getByLabel("Looking at").selectOption("All users");
  const hers = card(page, "clock");
  await button(hers, "Disable").click();
  await button(page.getByRole("dialog"), "Disable").click();
  await hers.getByText("disabled", { exact: true }).waitFor();
  assert.ok(existsSync(join(ofAlice, "clock.disabled")));
  await button(hers, "Enable").click();
  await hers.getByText("serving").waitFor();
});

test("what the hub refuses is said where it was asked for, with a way to try again", async (t) => {
  const page = await openPage(t, browser, { allow: [/status of (409|503)/] });
  const refuse = (path, status, detail) =>
    page.route(path, (route) => route.fulfill({ status, json: { title: "Refused", status, detail } }), { times: 1 });
  await refuse("**/api/v1/plugins?*", 503, "the hub is too busy");
  await page.goto(`${guarded.url}/dashboard#/plugins`);
  await signIn(page, admin);
  await page.getByRole("alert").getByText("the hub is too busy").waitFor();
  await button(page, "Try again").click();
  const one = card(page, "checksum");
  await refuse("**/plugins/checksum/reload", 409, "it is being reloaded already");
  await button(one, "Reload").click();
  await one.getByRole("alert").getByText("it is being reloaded already").waitFor();
  await button(one, "Try again").click();
  await one.getByRole("alert").waitFor({ state: "detached" });
  await eventually(async () => (await page.locator("#said").textContent()) === "checksum is read anew.");
});

test("a hub that dies and comes back is found again, without a reload", async (t) => {
  const first = await startHub();
  const gone = /ERR_(CONNECTION_(REFUSED|RESET)|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE|SOCKET_NOT_CONNECTED)/;
  const page = await enter(t, first, { view: "providers", allow: [gone] });
  await offer(t, first, { name: "faithful", tools: withTools("stay") });
  await provider(page, "faithful").waitFor();
  await page.evaluate(() => (window.isSamePage = true));
  await first.stop("SIGKILL");
  await page.getByText("Reconnecting").waitFor();
  assert.ok(await provider(page, "faithful").isVisible(), "what was known stays");

  const second = await startHub({ port: first.port });
  await isLive(page);
  await provider(page, "faithful").waitFor();
  await offer(t, second, { name: "newcomer", tools: withTools("come") });
  await provider(page, "newcomer").waitFor();
  assert.ok(await page.evaluate(() => window.isSamePage));
});

test("whatever strangers write is text, in every view", async (t) => {
  for (const [at, text] of HOSTILE.entries()) {
    const handler = () => {
      throw new RpcError(-32000, `${text} ${"W".repeat(300)}`);
    };
    // What turns a text round the hub does not take in what it lists.
    const listed = text.replace("\u202E", "");
    const tool = { name: `hostile_${at}`, title: listed, description: listed };
    await offer(t, anybody, { name: text, version: text, tools: [{ tool, handler }] });
    await call(anybody, `hostile_${at}`);
  }
  const page = await enter(t, anybody, { view: "providers", width: 360, allow: [/status of 404/] });
  for (const text of HOSTILE) {
    // What could turn the text round is shown for what it is.
    await page.getByRole("heading", { name: text.replace("\u202E", "U+202E"), exact: true, level: 3 }).waitFor();
  }
  const inside = { Tools: /hostile_3/, Calls: /hostile_3/, Clients: /caller/, Plugins: /No plugins yet/ };
  for (const view of VIEWS) {
    await go(page, view);
    await heading(page, view).waitFor();
    await page.locator("main").getByText(inside[view] ?? /./).first().waitFor();
    await fits(page);
    assert.equal(await page.locator("main script, main img[src='x']").count(), 0);
  }
  await page.goto(`${anybody.url}/dashboard#/tools/${encodeURIComponent(HOSTILE[0])}`);
  await heading(page, HOSTILE[0]).waitFor();
  assert.equal(await page.evaluate(() => window.pwned), undefined);
});

/** Looks at the page on small and large screens in both colour schemes. */
async function look(page, name) {
  for (const width of [360, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme });
      await see(page);
      await fits(page);
    }
  }
  await screenshot(page, name);
}

test("everybody can use it, on any screen and in both colour schemes", async (t) => {
  const token = guarded.token("alice");
  const handler = () => {
    throw new RpcError(-32000, "the printer is out of paper");
  };
  for (const name of ["printer", "scanner"]) {
    const tools = [{ tool: { name: `${name}_start` }, handler }, ...withTools(`${name}_stop`)];
    await offer(t, guarded, { name, version: "2.1.0", token, tools });
  }
  await call(guarded, "printer_start", token);
  const page = await openPage(t, browser, { allow: [/status of 401/] });
  await page.goto(`${guarded.url}/dashboard#/providers`);
  await signIn(page, "rubbish");
  await page.getByRole("alert").filter({ hasText: "no JSON Web Token" }).waitFor();
  await look(page, "sign-in");

  await signIn(page, admin);
  await isLive(page);
  await page.getByLabel("Looking at").selectOption("All users");
  await provider(page, "printer").getByText("out of paper").waitFor();
  await provider(page, "printer").getByText("2 tools").click();
  await look(page, "providers");
  await go(page, "Plugins");
  await card(page, "torn").waitFor();
  await look(page, "plugins");
  await button(card(page, "checksum"), "Disable").click();
  await look(page, "plugins-disable");
});
