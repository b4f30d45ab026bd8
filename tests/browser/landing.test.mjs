// The landing page: it says how to connect, for this very hub, to everybody and on every screen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, fits, offer, openBrowser, openPage, screenshot, SCHEMES, see, startHub } from "./support.mjs";

const MAX_BYTES = 60 * 1024;
const MAX_FIRST_PAINT_MS = 200;
/** A token of the right kind that nothing else on the page could contain. */
const TOKEN = "eyJhbGciOiJIUzI1NiJ9.dHJhY2UtbWU.x-_9";

const [anybody, users] = await Promise.all([startHub(), startHub({ users: true })]);
const HUBS = [
  ["a hub for anybody", anybody],
  ["a hub with users", users],
];
const browser = await openBrowser();

async function open(t, hub, { at = "", ...options } = {}) {
  const page = await openPage(t, browser, options);
  await page.goto(`${hub.url}/${at}`);
  return page;
}

/** What the page does every few seconds it does at once; what is shown follows when the hub has answered. */
const letTimePass = (page) => page.clock.runFor(3000);

/** Every snippet with a file name or a purpose: `[{ panel, caption, text }]`. */
const snippets = (page) =>
  page.locator("figure.snippet").evaluateAll((figures) =>
    figures.map((figure) => ({
      panel: figure.closest(".panel")?.id,
      caption: figure.querySelector("figcaption").firstChild.textContent,
      text: figure.querySelector("code").textContent,
    })),
  );

/** The ids of the panels, group by group. */
const panels = (page) =>
  page.locator(".tabs").evaluateAll((groups) => {
    const idsOf = (group) => [...group.querySelectorAll(".panel")].map((panel) => panel.id);
    return groups.map(idsOf);
  });

/** The ids of those that can be seen. */
const shown = (page) =>
  page.locator(".panel").evaluateAll((all) => all.filter((panel) => panel.checkVisibility()).map((panel) => panel.id));

test("every tab shows its panel alone, by mouse", async (t) => {
  const page = await open(t, anybody);
  const [clients, providers] = await panels(page);
  assert.deepEqual([clients.length, providers.length], [8, 4]);
  for (const id of clients) {
    await page.click(`#${id}-tab`);
    assert.deepEqual(await shown(page), [id, providers[0]]);
    assert.equal(new URL(page.url()).hash, `#${id}`);
  }
  for (const id of providers) {
    await page.click(`#${id}-tab`);
    assert.deepEqual(await shown(page), [clients.at(-1), id]);
  }
  assert.equal(await page.getByRole("tab", { selected: true }).count(), 2);
});

test("every tab shows its panel by keyboard, and only the chosen one is in the tab order", async (t) => {
  const page = await open(t, anybody);
  for (const ids of await panels(page)) {
    await page.focus(`#${ids[0]}-tab`);
    const press = async (key, expected) => {
      await page.keyboard.press(key);
      assert.equal(await page.evaluate(() => document.activeElement.id), `${expected}-tab`, key);
      assert.ok((await shown(page)).includes(expected));
      assert.equal(await page.locator(`#${expected}-tab`).getAttribute("tabindex"), "0");
    };
    for (const id of ids.slice(1)) await press("ArrowRight", id);
    await press("ArrowRight", ids[0]);
    await press("ArrowLeft", ids.at(-1));
    await press("Home", ids[0]);
    await press("End", ids.at(-1));
    const group = page.locator(".tabs", { has: page.locator(`#${ids[0]}`) });
    assert.equal(await group.locator("[role=tab][tabindex='0']").count(), 1);
  }
});

test("a link to a panel opens it", async (t) => {
  const page = await open(t, anybody, { at: "#codex" });
  assert.deepEqual(await shown(page), ["codex", "javascript"]);
  await page.evaluate(() => (location.hash = "#plugin"));
  await eventually(async () => (await shown(page)).includes("plugin"), "the panel of the new fragment is shown");
});

for (const [name, hub] of HUBS) {
  test(`${name}: snippets name this hub, parse, and show a token exactly if one is wanted`, async (t) => {
    const page = await open(t, hub);
    const found = await snippets(page);
    const addresses = found.flatMap(({ text }) => text.match(/\b(http|ws)s?:\/\/[^\s"',\\]+/g) ?? []);
    const elsewhere = ["https://opencode.ai/config.json", "https://example.com/mcp"];
    const foreign = addresses.filter((url) => !url.startsWith(`${hub.url}/`) && url !== hub.url);
    assert.deepEqual([...new Set(foreign)].sort(), elsewhere.sort());

    const files = found.filter(({ caption }) => /^\S+\.json\b/.test(caption));
    assert.equal(files.length, 6);
    for (const { panel, text } of files) {
      const { hub: server } = Object.values(JSON.parse(text)).find((member) => member.hub);
      const url = server.url ?? server.httpUrl ?? server.args[2];
      assert.equal(url, `${hub.url}/mcp`, panel);
      assert.equal(/Authorization/.test(JSON.stringify(server)), hub === users, panel);
    }
    const all = found.map(({ text }) => text).join("\n");
    assert.equal(/token/i.test(all.replace('--server-token "$TOKEN"', "")), hub === users);
    assert.equal(await page.getByLabel("Your token").count(), hub === users ? 1 : 0);
  });

  test(`${name}: without scripts everything is there, and no button that does nothing`, async (t) => {
    const page = await open(t, hub, { javaScriptEnabled: false, width: 360 });
    const all = await page.locator(".panel").all();
    assert.equal(all.length, 12);
    for (const panel of all) {
      assert.ok(await panel.isVisible());
      assert.ok(await panel.getByRole("heading").first().isVisible());
    }
    assert.equal(await page.locator("button, [role=tab], input:visible").count(), 0);
    await page.getByRole("navigation", { name: "Clients" }).getByRole("link", { name: "Cursor" }).click();
    assert.equal(new URL(page.url()).hash, "#cursor");
    assert.ok((await page.locator("body").boundingBox()).width <= 360);
  });
}

// The page of a hub with users has all that the other has, and more.
for (const scheme of SCHEMES) {
  for (const width of [360, 1440]) {
    test(`accessible in ${scheme} at ${width} px, and not wider than the screen`, async (t) => {
      const page = await open(t, users, { scheme, width });
      for (const id of (await panels(page)).flat()) {
        await page.click(`#${id}-tab`);
        await fits(page);
      }
      await page.locator(".panel").evaluateAll((all) => all.forEach((panel) => (panel.hidden = false)));
      await see(page);
    });
  }
}

test("every copy button copies exactly what is shown, and says so", async (t) => {
  const page = await open(t, users, { permissions: ["clipboard-read", "clipboard-write"] });
  const copyAll = async (buttons) => {
    for (const button of await buttons.all()) {
      const text = await button.evaluate((it) => it.closest(".snippet").querySelector("code").textContent);
      await button.click();
      await eventually(async () => (await button.textContent()) === "Copied", "the button says that it has copied");
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
      const what = (await button.getAttribute("aria-label")).replace("Copy: ", "");
      assert.equal(await page.locator("#said").textContent(), `Copied: ${what}`);
    }
    return buttons.count();
  };
  let copied = await copyAll(page.locator(".copy:not(.panel .copy)"));
  for (const id of (await panels(page)).flat()) {
    await page.click(`#${id}-tab`);
    copied += await copyAll(page.locator(`#${id} .copy`));
  }
  assert.equal(copied, await page.locator(".snippet").count());
});

test("where the clipboard is out of reach the old way of copying does it", async (t) => {
  const page = await openPage(t, browser, { permissions: ["clipboard-read"] });
  await page.addInitScript(() => Object.defineProperty(Navigator.prototype, "clipboard", { value: undefined }));
  await page.goto(anybody.url);
  await page.getByRole("button", { name: "Copy: the clients’ URL" }).click();
  const reader = await page.context().newPage();
  await reader.goto(anybody.url);
  assert.equal(await reader.evaluate(() => navigator.clipboard.readText()), `${anybody.url}/mcp`);
});

test("a token fills the snippets, those that must not have it excepted, and leaves no trace", async (t) => {
  const page = await openPage(t, browser);
  const sent = [];
  page.on("request", (request) => sent.push(request.url(), request.postData(), JSON.stringify(request.headers())));
  await page.clock.install();
  await page.goto(users.url);
  const before = await snippets(page);
  const field = page.getByLabel("Your token");
  await field.fill(` Bearer ${TOKEN}\n`);

  const after = await snippets(page);
  assert.deepEqual(after.filter(({ text }) => /PASTE_TOKEN_HERE|\$HUB_TOKEN/.test(text)), []);
  const filled = after.filter(({ text }) => text.includes(TOKEN)).map(({ panel }) => panel);
  // Codex takes none but from a variable, VS Code asks for it.
  const having = ["any-client", "claude-code", "claude-desktop", "codex", "cursor", "gemini", "javascript", "opencode"];
  assert.deepEqual([...new Set(filled)].filter(Boolean).sort(), [...having, "python", "server"]);
  for (const { caption, text } of after) if (/^\S+\.json\b/.test(caption)) JSON.parse(text);
  const textOf = (panel, word) => after.find((it) => it.panel === panel && it.text.includes(word)).text;
  assert.match(textOf("javascript", "connectProviderClient"), new RegExp(`token: "${TOKEN}",`));
  assert.match(textOf("python", "provider.run"), new RegExp(`token="${TOKEN}"\\)`));

  const asked = sent.length;
  await letTimePass(page);
  await eventually(() => sent.length > asked, "the page asks for the figures once more");
  assert.ok(!sent.some((part) => part?.includes(TOKEN)), "a request carries the token");
  assert.ok(!page.url().includes(TOKEN));
  const kept = () => JSON.stringify([localStorage, sessionStorage, document.cookie, history.state]);
  assert.equal(await page.evaluate(kept), '[{},{},"",null]');

  for (const [typed, isFaulty] of [["$(reboot)", true], ['a"b', true], ["", false]]) {
    await field.fill(typed);
    assert.equal(await field.getAttribute("aria-invalid"), String(isFaulty), typed);
    assert.equal(await page.getByRole("alert").isVisible(), isFaulty);
    assert.deepEqual(await snippets(page), before);
  }
  await field.fill(TOKEN);
  await page.reload();
  assert.equal(await field.inputValue(), "");
});

test("the figures follow a provider, and stay when the hub is gone", async (t) => {
  const hub = await startHub();
  const page = await openPage(t, browser, { allow: [/ERR_CONNECTION_REFUSED/] });
  await page.clock.install();
  await page.goto(hub.url);
  const figures = async () => (await page.locator("[data-figure]").allTextContents()).join();
  const follow = (expected) =>
    eventually(async () => {
      await letTimePass(page);
      return (await figures()) === expected;
    }, `the page shows ${expected}`);

  assert.equal(await figures(), "0,0");
  const tools = ["one", "two"].map((name) => ({ tool: { name } }));
  const provider = await offer(t, hub, { name: "figures", tools });
  await follow("2,1");
  const html = await (await fetch(hub.url)).text();
  const written = [...html.matchAll(/data-figure="\w+">(\d+)</g)].map(([, figure]) => figure);
  assert.equal(written.join(), "2,1", "the hub writes them into the page");
  await provider.close();
  await follow("0,0");
  await hub.stop("SIGKILL");
  await letTimePass(page);
  await page.getByText("The hub is not reachable.").waitFor();
  assert.equal(await figures(), "0,0");
});

const firstPaint = () =>
  new Promise((resolve) => {
    const observer = new PerformanceObserver((list) => resolve(list.getEntries()[0].startTime));
    observer.observe({ type: "paint", buffered: true });
  });

test(`the page weighs less than ${MAX_BYTES} bytes and shows within ${MAX_FIRST_PAINT_MS} ms`, async (t) => {
  const page = await openPage(t, browser);
  const bodies = [];
  const weigh = (response) => bodies.push(response.body());
  page.on("response", weigh);
  await page.goto(users.url, { waitUntil: "networkidle" });
  page.off("response", weigh);
  const bytes = (await Promise.all(bodies)).reduce((sum, body) => sum + body.length, 0);
  assert.ok(bytes < MAX_BYTES, `${bytes} bytes`);

  const paints = [];
  for (let load = 0; load < 7; load++) {
    await page.goto(users.url);
    paints.push(await page.evaluate(firstPaint));
  }
  const median = paints.sort((a, b) => a - b)[3];
  t.diagnostic(`${bytes} bytes; first paint after ${Math.round(median)} ms (${paints.map(Math.round).join(", ")})`);
  assert.ok(median < MAX_FIRST_PAINT_MS, `first paint after ${median} ms`);
});

test("screenshots for people", async (t) => {
  await screenshot(await open(t, users), "landing");
});
