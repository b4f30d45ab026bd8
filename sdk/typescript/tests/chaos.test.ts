// Many providers behind a network that breaks at random, and a hub that dies again and again.
//
// MCP_HUB_TEST_STORM is how long it lasts, such as 1h; MCP_HUB_TEST_STORM_SEED repeats a run's
// decisions.
import assert from "node:assert/strict";
import { connect as dial, createServer, type Socket } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connectProviderClient, type OfferedTool } from "../client.ts";
import { call, eventually, freePort, type Hub, listed, startHub, text, tool } from "./harness.ts";

const SECONDS = seconds(process.env.MCP_HUB_TEST_STORM ?? "1m");
const SEED = Number(process.env.MCP_HUB_TEST_STORM_SEED ?? Date.now() % 1_000_000);
const PROVIDERS = 50;
const CALLERS = 8;
const KILLS = 5;
/** Milliseconds between two cuts of a socket, on average. */
const CUT_EVERY = 300;
/** How long a call's work takes at most. */
const WORK_MAX = 400;
/** Longer than any call may take, whatever becomes of the hub. */
const HANGS_AFTER = 30_000;

/** How many seconds a time such as `90s`, `1m` or `1h` has. */
function seconds(time: string): number {
  const [, count, unit] = /^(\d+)\s*(s|m|h)$/.exec(time) ?? [];
  assert.ok(unit, `MCP_HUB_TEST_STORM is no time such as 1h: ${time}`);
  return Number(count) * { s: 1, m: 60, h: 3600 }[unit as "s" | "m" | "h"];
}

/** The generator mulberry32: numbers from 0 to 1 that a seed determines. */
function randomFrom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Stands between providers and hub, and can cut what goes through it. */
async function startProxy(target: number) {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = dial(target, "127.0.0.1");
    const cut = () => {
      open.delete(near);
      near.destroy();
      far.destroy();
    };
    open.add(near);
    for (const socket of [near, far]) socket.on("error", cut).on("close", cut);
    near.pipe(far).pipe(near);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { open, server, port: (server.address() as { port: number }).port };
}

/** One run of a handler, and the socket its call came on. */
interface Run {
  socket: object;
  signal: AbortSignal;
  isDone: boolean;
}

test(
  `${PROVIDERS} providers, a network that breaks, a hub that dies ${KILLS} times`,
  { timeout: (SECONDS + 150) * 1000 },
  async (t) => {
    t.diagnostic(`seed ${SEED}`);
    console.log(`chaos: MCP_HUB_TEST_STORM_SEED=${SEED}, ${SECONDS} s`);
    const random = randomFrom(SEED);
    const violations: string[] = [];
    const counts = {
      connections: 0,
      cuts: 0,
      runs: 0,
      aborted: 0,
      results: 0,
      toolErrors: 0,
      errors: 0,
      broken: 0,
    };

    const port = await freePort();
    const settings = { GRACE: "500ms", LIMITS__CALL_IDLE: "5s" };
    let hub: Hub = await startHub(settings, port);
    const kills: number[] = [];
    const proxy = await startProxy(port);
    t.after(() => {
      proxy.server.close();
      for (const socket of proxy.open) socket.destroy();
      return hub.kill("SIGKILL");
    });

    /** A WebSocket that watches what the provider `who` says on it. */
    const calledOn = new Map<string, object>();
    const runs = new Set<Run>();
    const watched = (who: number) =>
      class Watched extends WebSocket {
        #isDead = false;
        /** Calls that came on this socket and are neither answered nor cancelled. */
        readonly #pending = new Map<number, string>();

        constructor(url: string, protocols: any) {
          super(url, protocols);
          counts.connections++;
          this.addEventListener("message", ({ data }) => {
            const { id, method, params } = JSON.parse(data);
            if (method === "tools/call") {
              const key = `${who}/${params.arguments.nonce}`;
              this.#pending.set(id, key);
              calledOn.set(key, this);
            } else if (method === "notifications/cancelled") {
              this.#pending.delete(params.requestId);
            }
          });
          this.addEventListener("close", () => {
            this.#isDead = true;
            // By then the client has heard of it as well.
            setImmediate(() => {
              for (const run of runs) {
                if (run.socket !== this) continue;
                runs.delete(run);
                if (!run.isDone && !run.signal.aborted)
                  violations.push("a handler was not told that its connection is gone");
                counts.aborted++;
              }
            });
          });
        }

        override send(data: any) {
          const { id, method, params, result } = JSON.parse(data);
          if (this.#isDead || this.readyState !== WebSocket.OPEN)
            violations.push(`sent after the end: ${data}`);
          if (method === "notifications/progress" && !this.#pending.has(params.progressToken)) {
            violations.push(`progress of a call that is over: ${data}`);
          }
          if (!method) {
            const key = this.#pending.get(id);
            if (!key)
              violations.push(
                `an answer to a call that is over, or came on another socket: ${data}`,
              );
            else if (result && !result.isError && result.content[0].text !== key)
              violations.push(`${key} was answered with ${data}`);
            this.#pending.delete(id);
          }
          super.send(data);
        }
      };

    const handle =
      (who: number): OfferedTool["handler"] =>
      async ({ nonce }, signal, { progress }) => {
        const key = `${who}/${nonce}`;
        const run: Run = { socket: calledOn.get(key)!, signal, isDone: false };
        calledOn.delete(key);
        runs.add(run);
        counts.runs++;
        // Some obey the signal; others go on and try to answer all the same.
        const obeys = random() < 0.5;
        await sleep(random() * WORK_MAX, undefined, obeys ? { signal } : {});
        progress(1);
        await sleep(random() * WORK_MAX, undefined, obeys ? { signal } : {});
        if (!signal.aborted) {
          run.isDone = true;
          runs.delete(run);
        }
        return key;
      };

    const clients = await Promise.all(
      Array.from({ length: PROVIDERS }, (_, who) =>
        connectProviderClient({
          url: `http://127.0.0.1:${proxy.port}`,
          name: `provider-${who}`,
          WebSocket: watched(who),
          onError: (error, doing) => violations.push(`${doing}: ${error}`),
          tools: [
            tool(`own-${who}`, handle(who)),
            tool("shared", handle(who), { annotations: { readOnlyHint: true } }),
          ],
        }),
      ),
    );
    t.after(() => Promise.all(clients.map((client) => client.close())));
    assert.equal((await listed(hub)).length, PROVIDERS + 1);

    const end = Date.now() + SECONDS * 1000;
    const isOver = () => Date.now() > end;

    async function cutAtRandom() {
      while (!isOver()) {
        await sleep(random() * 2 * CUT_EVERY);
        const sockets = [...proxy.open];
        const victim = sockets[Math.floor(random() * sockets.length)];
        if (!victim) continue;
        counts.cuts++;
        // One end hears of it by a reset, or by an orderly end without a farewell.
        if (random() < 0.5) victim.resetAndDestroy();
        else victim.destroy();
      }
    }

    async function killAtRandom() {
      const slot = (SECONDS * 1000) / (KILLS + 1);
      for (let kill = 0; kill < KILLS; kill++) {
        await sleep(slot * (0.5 + random() / 2));
        kills.push(Date.now());
        await hub.kill(kill % 2 ? "SIGTERM" : "SIGKILL");
        await sleep(random() * 1000);
        hub = await startHub(settings, port);
        kills.push(Date.now());
      }
    }

    let nonces = 0;
    async function callAtRandom() {
      while (!isOver()) {
        const name = random() < 0.3 ? "shared" : `own-${Math.floor(random() * PROVIDERS)}`;
        const begun = Date.now();
        const nonce = ++nonces;
        try {
          const { result, error } = await call(
            { url: `http://127.0.0.1:${port}` },
            name,
            { nonce },
            { signal: AbortSignal.timeout(HANGS_AFTER) },
          );
          if (error) counts.errors++;
          else if (result.isError) counts.toolErrors++;
          else {
            counts.results++;
            if (!text({ result }).endsWith(`/${nonce}`))
              violations.push(`call ${nonce} was answered with ${text({ result })}`);
          }
        } catch (error) {
          counts.broken++;
          if ((error as Error).name === "TimeoutError") violations.push(`a call of ${name} hung`);
          const last = Date.now();
          // The hub is down between a kill and the start that follows it; only then may HTTP break.
          const isExcused = kills.some(
            (killed, n) =>
              n % 2 === 0 && killed - 100 <= last && begun <= (kills[n + 1] ?? Infinity),
          );
          if (!isExcused)
            violations.push(
              `HTTP broke although the hub was up: ${(error as Error).cause ?? error}`,
            );
          await sleep(200);
        }
        await sleep(random() * 20);
      }
    }

    await Promise.all([
      cutAtRandom(),
      killAtRandom(),
      ...Array.from({ length: CALLERS }, callAtRandom),
    ]);

    // Then the storm is over, and everything is as it was.
    const restored = Date.now();
    await eventually(
      async () => (await listed(hub)).length === PROVIDERS + 1,
      "every tool is listed again",
      60_000,
    );
    const recovery = Date.now() - restored;
    for (let who = 0; who < PROVIDERS; who++) {
      const nonce = ++nonces;
      assert.equal(text(await call(hub, `own-${who}`, { nonce })), `${who}/${nonce}`);
    }
    await Promise.all(clients.map((client) => client.close()));
    await eventually(() => runs.size === 0, "every run has ended or was aborted");
    assert.equal((await listed(hub)).length, 0);
    console.log(`chaos: ${JSON.stringify({ ...counts, kills: kills.length / 2, recovery })}`);
    assert.deepEqual(violations, []);
    assert.ok(counts.results > 0 && counts.cuts > 0 && counts.aborted > 0);
  },
);
