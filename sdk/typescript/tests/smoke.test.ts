// The example and the client in every runtime they are made for, each with its own WebSocket.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, extname, join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { type Browser, chromium } from "playwright-core";
import {
  call,
  caller,
  eventually,
  type Hub,
  listed,
  SECRET,
  sharedHub,
  sign,
  start,
  text,
} from "./harness.ts";

const PACKAGE = join(import.meta.dirname, "..");
const BIN = join(PACKAGE, "node_modules/.bin");
const PATH = (process.env.PATH ?? "").split(delimiter);
const CHROMIUM = PATH.map((place) => join(place, "chromium")).find((path) => existsSync(path));
const USER = "smoke";

// A browser says where a page comes from, and a hub answers only to pages that it knows.
const pages = createServer().listen(0, "127.0.0.1");
await once(pages, "listening");
after(() => pages.close());
const origin = `http://127.0.0.1:${(pages.address() as { port: number }).port}`;
const settings = { ALLOWED_ORIGINS: `["${origin}"]` };

const open = await sharedHub(settings);
const closed = await sharedHub({ ...settings, AUTH__SECRET: SECRET });
const token = sign(USER);

/** The example, word for word but for the hub's address. */
function example(): string {
  const code = readFileSync(join(PACKAGE, "example.js"), "utf8");
  assert.ok(code.includes("http://127.0.0.1:8080"));
  return code.replace("http://127.0.0.1:8080", open.url);
}

/** Waits for a tool of `hub` while what offers it is still alive. */
async function offered(hub: Hub, name: string, alive: () => void) {
  const mine = hub === closed ? token : undefined;
  await eventually(
    async () => {
      alive();
      return (await listed(hub, mine)).includes(name);
    },
    `${name} is on offer`,
    30_000,
  );
}

/** What the example's tool answers. */
async function checkExample(alive: () => void) {
  await offered(open, "greet", alive);
  assert.equal(text(await call(open, "greet", { name: "Ada" })), "Hello, Ada!");
}

/** Progress and abortion, with a token. */
async function checkProvider(t: TestContext, alive: () => void) {
  await offered(closed, "seen", alive);
  const client = await caller(t, closed, { token });
  const steps: number[] = [];
  const result = await client.callTool(
    { name: "count", arguments: {} },
    { onprogress: ({ progress }) => void steps.push(progress) },
  );
  assert.deepEqual([text(result), steps], ["counted", [1, 2, 3]]);

  const seen = async () => (await call(closed, "seen", {}, { token })).result.structuredContent;
  const leaving = new AbortController();
  const left = assert.rejects(call(closed, "hang", {}, { token, signal: leaving.signal }));
  await eventually(async () => (await seen()).started === 1);
  leaving.abort();
  await left;
  await eventually(async () => (await seen()).aborted === 1);
}

/** Whether a program that has left its hub, or was refused, has nothing more to do. */
async function checkEnds(command: (token: string) => string[]) {
  const [program, ...args] = command("nonsense");
  const refused = start(program!, args);
  await once(refused, "exit");
  assert.equal(refused.output(), "ConnectionRefusedError 401\n");

  const [again, ...more] = command(token);
  const leaving = start(again!, more);
  const alive = () => assert.equal(leaving.exitCode, null, leaving.output());
  await offered(closed, "leave", alive);
  await Promise.all([call(closed, "leave", {}, { token }), once(leaving, "exit")]);
  assert.equal(leaving.output(), "");
}

/** Runs a program until `check` is done with it. */
async function during(
  command: string[],
  check: (alive: () => void) => Promise<void>,
  cwd?: string,
) {
  const [program, ...args] = command;
  const child = start(program!, args, { cwd, env: { DENO_NO_UPDATE_CHECK: "1" } });
  try {
    await check(() =>
      assert.equal(child.exitCode, null, `${command.join(" ")} has ended: ${child.output()}`),
    );
    assert.equal(child.output(), "");
  } finally {
    if (child.exitCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await eventually(
      async () => (await listed(open)).length + (await listed(closed, token)).length === 0,
    );
  }
}

/** A folder with nothing but the example and the client in it, as a reader of the README has it. */
async function inFolder(check: (folder: string) => Promise<void>) {
  const folder = mkdtempSync(join(tmpdir(), "mcp-hub-example-"));
  try {
    copyFileSync(join(PACKAGE, "client.js"), join(folder, "client.js"));
    writeFileSync(join(folder, "example.mjs"), example());
    await check(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const provider = join(PACKAGE, "tests/smoke-provider.js");
const client = (extension: string) => pathToFileURL(join(PACKAGE, `client.${extension}`)).href;

const RUNTIMES = {
  node: ["--no-warnings"],
  deno: ["run", "--allow-net", `--allow-read=${PACKAGE}`, "--no-lock"],
  bun: ["run"],
};

for (const [name, flags] of Object.entries(RUNTIMES)) {
  const run = (...args: string[]) => [join(BIN, name), ...flags, ...args];

  test(`${name}: the example`, () =>
    inFolder((folder) => during(run("example.mjs"), checkExample, folder)));

  for (const extension of ["js", "ts"]) {
    const command = (token: string) => run(provider, client(extension), closed.url, token);

    test(`${name}: client.${extension}, with a token`, (t) =>
      during(command(token), (alive) => checkProvider(t, alive)));

    test(`${name}: client.${extension} leaves nothing running`, () => checkEnds(command));
  }
}

/** A Node older than the one of the tests, if the machine has one. */
function olderNode(): string | undefined {
  return PATH.filter((place) => !place.includes("node_modules"))
    .map((place) => join(place, "node"))
    .find((node) => {
      if (!existsSync(node)) return false;
      const version = Number(
        /^v(\d+)/.exec(execFileSync(node, ["--version"], { encoding: "utf8" }))?.[1],
      );
      return version >= 20 && version < 22;
    });
}

test("node without a WebSocket: client.js with the package ws, with a token", async (t) => {
  const older = olderNode();
  t.diagnostic(older ?? "no Node 20 here: Node 22 without its WebSocket");
  const node = older ? [older] : [join(BIN, "node"), "--no-experimental-websocket"];
  const command = (token: string) => [...node, provider, client("js"), closed.url, token, "ws"];
  await during(command(token), (alive) => checkProvider(t, alive));
  await checkEnds(command);
});

pages.on("request", ({ url }, response) => {
  if (url === "/page") {
    response
      .writeHead(200, { "content-type": "text/html" })
      .end("<!doctype html><title>A provider</title>");
  } else if (url === "/example.js") {
    response.writeHead(200, { "content-type": "text/javascript" }).end(example());
  } else if (url && existsSync(join(PACKAGE, url)) && extname(url) === ".js") {
    response
      .writeHead(200, { "content-type": "text/javascript" })
      .end(readFileSync(join(PACKAGE, url)));
  } else {
    response.writeHead(404).end();
  }
});

test("chromium: the example, and client.js with a token", async (t) => {
  assert.ok(CHROMIUM, "chromium is missing: apt install chromium");
  const browser: Browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  t.diagnostic(`chromium ${browser.version()}`);
  t.after(() => browser.close());
  const faults: string[] = [];
  const visit = async (load: string) => {
    const page = await browser.newPage();
    page.on("pageerror", (error) => faults.push(error.message));
    await page.goto(`${origin}/page`);
    await page.addScriptTag({ type: "module", content: load });
    return page;
  };
  const alive = () => assert.deepEqual(faults, []);

  const page = await visit('import "/example.js";');
  await checkExample(alive);
  await page.close();

  await visit(`
    import * as client from "/client.js";
    import { provide } from "/tests/smoke-provider.js";
    await provide(client, ${JSON.stringify(closed.url)}, ${JSON.stringify(token)});
  `);
  await checkProvider(t, alive);

  // What a WebSocket keeps to itself, the page learns by an ordinary request.
  const refused = await visit(`
    import { connectProviderClient } from "/client.js";
    const options = { url: ${JSON.stringify(closed.url)}, token: "nonsense", tools: [] };
    connectProviderClient(options).catch((error) => (document.title = error.name + " " + error.code));
  `);
  await eventually(async () => (await refused.title()) === "ConnectionRefusedError 401");
});
