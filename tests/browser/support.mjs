// What the tests of the pages stand on: a hub, a browser, providers by script, and a look at accessibility.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import WebSocket from "ws";
import { connectProviderClient } from "../../sdk/typescript/client.js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const BINARY = resolve(process.env.MCP_HUB_BIN ?? here("../../target/debug/mcp-hub"));
const SCREENSHOTS = here("../../target/screenshots/");
const SECRET = "a secret of the tests, longer than 32 bytes";
/** How long anything may take to happen. */
const PATIENCE = 15_000;

/** What every page is looked at in. */
export const WIDTHS = [360, 768, 1440];
export const SCHEMES = ["light", "dark"];

/** The environment without what would be settings of a hub. */
const ENVIRONMENT = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MCP_HUB_")));

/** Whatever is still running when the tests end is ended, however they end. */
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** Waits until `condition` gives something true, and gives that. */
export async function eventually(condition, what = String(condition), patience = PATIENCE) {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within ${patience} ms: ${what}`);
    await sleep(20);
  }
}

/**
 * Starts a hub in an empty folder, with a plugin cache of its own. It ends with the test, or with the tests of the
 * file if it is started outside of one.
 *
 * `users`: it asks for tokens. `env`: settings, as `{ LIMITS__CALL_IDLE: "1s" }`. `plugins`: a folder.
 * `port`: for a hub that is to come back where it was.
 */
export async function startHub({ users = false, env = {}, plugins, port = 0 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "mcp-hub-browser-"));
  const cache = join(folder, "cache");
  // Nobody else may write to it, or the hub will not take it.
  mkdirSync(cache, { mode: 0o700 });
  const settings = { PLUGINS__CACHE: cache, ...(users && { AUTH__SECRET: SECRET }), ...env };
  const named = Object.fromEntries(Object.entries(settings).map(([name, value]) => [`MCP_HUB_${name}`, value]));
  const args = ["--listen", `127.0.0.1:${port}`, ...(plugins ? ["--plugins", resolve(plugins)] : [])];
  const child = spawn(BINARY, args, { cwd: folder, env: { ...ENVIRONMENT, ...named } });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  child.on("error", (error) => (output += error));
  const exited = once(child, "exit").then(() => {
    running.delete(child);
    rmSync(folder, { recursive: true, force: true });
  });
  exited.catch(() => {});

  const stop = async (signal = "SIGTERM") => {
    child.kill(signal);
    await exited;
  };
  after(() => running.has(child) && stop("SIGKILL"));
  const [, url] = await eventually(() => {
    assert.ok(child.exitCode === null && child.pid, `the hub ${BINARY} did not start: ${output}`);
    return /clients +(http:\/\/127\.0\.0\.1:\d+)\/mcp/.exec(output);
  }, "the hub says where it listens");

  return {
    url,
    port: Number(new URL(url).port),
    output: () => output,
    /** Signs a token that this hub takes. */
    token(user, { scope, ttl } = {}) {
      const more = [...(scope ? ["--scope", scope] : []), ...(ttl ? ["--ttl", ttl] : [])];
      const signing = { env: { ...ENVIRONMENT, MCP_HUB_AUTH__SECRET: SECRET }, cwd: tmpdir(), encoding: "utf8" };
      return execFileSync(BINARY, ["token", "--user", user, ...more], signing).trim();
    },
    /** Ends it and waits for that. */
    stop,
  };
}

const endings = new WeakMap();

/**
 * Does `undo` when the test `t` is over, after its pages have been closed: `t.after` would let them look on while
 * their provider or their hub goes, and call that an error.
 */
export function atEnd(t, undo, { isPage = false } = {}) {
  if (!endings.has(t)) {
    const undos = [];
    endings.set(t, undos);
    t.after(async () => {
      const failures = [];
      for (const undo of undos) {
        try {
          await undo();
        } catch (failure) {
          failures.push(failure);
        }
      }
      if (failures.length > 0) throw failures[0];
    });
  }
  if (isPage) endings.get(t).unshift(undo);
  else endings.get(t).push(undo);
}

/**
 * Connects a provider until the test `t` ends, and resolves when its tools are on offer.
 * `tools` are `[{ tool, handler }]`; of a tool that only has a name, the rest is made up.
 */
export async function offer(t, hub, { tools, ...options }) {
  const provider = await connectProviderClient({
    url: hub.url,
    onError: () => {},
    // Node 20 has none of its own.
    WebSocket,
    ...options,
    tools: tools.map(({ tool, handler = () => "done" }) => ({
      tool: { inputSchema: { type: "object" }, ...tool },
      handler,
    })),
  });
  atEnd(t, () => provider.close());
  return provider;
}

/** One browser for all tests of a file. */
export async function openBrowser() {
  const places = process.env.PATH.split(delimiter).map((folder) => join(folder, "chromium"));
  const executablePath = places.find((path) => existsSync(path));
  assert.ok(executablePath, "chromium is missing: apt install chromium");
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
  });
  after(() => browser.close());
  return browser;
}

/**
 * A page of its own for the test `t`, which fails if the page throws, logs an error or breaks its policy.
 *
 * `allow`: regular expressions of errors that are expected, such as that of an answer with 401.
 * Everything else is for the browser's context, such as `javaScriptEnabled` and `permissions`.
 */
export async function openPage(t, browser, { scheme = "light", width = 1440, allow = [], ...context } = {}) {
  const opened = await browser.newContext({
    colorScheme: scheme,
    viewport: { width, height: width < 600 ? 740 : 900 },
    reducedMotion: "reduce",
    ...context,
  });
  const page = await opened.newPage();
  page.setDefaultTimeout(PATIENCE);
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.stack ?? String(error)));
  // A breach of the Content Security Policy is told here, too.
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(`${message.text()} (${message.location().url})`);
  });
  const close = async () => {
    await opened.close();
    const unexpected = problems.filter((problem) => !allow.some((pattern) => pattern.test(problem)));
    assert.deepEqual(unexpected, [], "the page has errors");
  };
  atEnd(t, close, { isPage: true });
  return page;
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/**
 * Looks at the page with axe-core and fails on whatever is not accessible to everybody.
 * It runs in a world of its own, so that the page's policy stays as strict as it is.
 */
export async function see(page) {
  const devtools = await page.context().newCDPSession(page);
  const { frameTree } = await devtools.send("Page.getFrameTree");
  const world = { frameId: frameTree.frame.id, worldName: "axe" };
  const { executionContextId: contextId } = await devtools.send("Page.createIsolatedWorld", world);
  const run = async (expression) => {
    const told = { expression, contextId, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await devtools.send("Runtime.evaluate", told);
    assert.ok(!exceptionDetails, `axe-core: ${exceptionDetails?.exception?.description}`);
    return result.value;
  };
  await run(`${axe}; undefined`);
  const violations = await run(`axe.run(document, { resultTypes: ["violations"] }).then((found) => found.violations)`);
  await devtools.detach();
  const told = violations.map(({ id, help, nodes }) => {
    const places = nodes.map((node) => `${node.target.join(" ")}\n${node.failureSummary}`);
    return [`${id}: ${help}`, ...places].join("\n").replaceAll("\n", "\n    ");
  });
  assert.ok(told.length === 0, `axe-core finds:\n${told.join("\n")}`);
}

/** Fails if the page can be scrolled sideways. */
export async function fits(page) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `the page is ${content} px wide in a window of ${window} px`);
}

/** The whole page as `target/screenshots/NAME-WIDTH-SCHEME.png`, for every width and colour scheme. */
export async function screenshot(page, name) {
  const size = page.viewportSize();
  const scheme = await page.evaluate(() => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: width < 600 ? 740 : 900 });
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(SCREENSHOTS, `${name}-${width}-${colorScheme}.png`), fullPage: true });
    }
  }
  await page.setViewportSize(size);
  await page.emulateMedia({ colorScheme: scheme });
}
