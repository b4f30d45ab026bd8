import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { transformSync } from "esbuild";
import { type Frames, faults } from "./frames.ts";

const PACKAGE = join(import.meta.dirname, "..");
const MINIFIED_BYTES_MAX = 12 * 1024;

const read = (path: string) => readFileSync(join(PACKAGE, path), "utf8");

test("client.js and client.d.ts are what the build makes of client.ts", () => {
  const folder = mkdtempSync(join(tmpdir(), "mcp-hub-build-"));
  try {
    const tsc = join(PACKAGE, "node_modules/typescript/bin/tsc");
    const args = [tsc, "--project", PACKAGE, "--outDir", folder];
    assert.equal(spawnSync(process.execPath, args, { stdio: "inherit" }).status, 0);
    for (const file of ["client.js", "client.d.ts"]) {
      const made = readFileSync(join(folder, file), "utf8");
      assert.ok(made === read(file), `${file} is not up to date: npm run build`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("it imports nothing", () => {
  for (const file of ["client.ts", "client.js"])
    assert.doesNotMatch(read(file), /^\s*import\b|\bimport\(|\brequire\(/m);
});

test("the example in the README is the one that is tested", () => {
  assert.ok(read("README.md").includes(`\`\`\`js\n${read("example.js")}\`\`\``));
});

test("it is small", (t) => {
  const { code } = transformSync(read("client.ts"), {
    loader: "ts",
    minify: true,
    target: "es2022",
  });
  const bytes = Buffer.byteLength(code);
  t.diagnostic(`${bytes} bytes minified`);
  assert.ok(bytes < MINIFIED_BYTES_MAX, `${bytes}`);
});

test("every dependency is pinned, and the lock file names no host", () => {
  const { devDependencies, dependencies } = JSON.parse(read("package.json"));
  assert.equal(dependencies, undefined);
  for (const [name, version] of Object.entries<string>(devDependencies))
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
  assert.doesNotMatch(read("package-lock.json"), /"resolved"/);
});

test("the package has the files it names", () => {
  const { files, exports } = JSON.parse(read("package.json"));
  const there = readdirSync(PACKAGE);
  const named = [...files, ...Object.values<string>(exports["."]).map((path) => path.slice(2))];
  assert.deepEqual(
    named.filter((file) => !there.includes(file)),
    [],
  );
});

const frames: Frames = JSON.parse(readFileSync(join(PACKAGE, "../frames.json"), "utf8"));

test("the wire types are those of the hub", () => {
  assert.deepEqual(Object.keys(frames).sort(), [
    "CallParams",
    "CancelledParams",
    "LogParams",
    "ProgressParams",
    "RefusedTools",
    "RegisterParams",
    "RegisterResult",
  ]);
  assert.equal(faults(frames), "");
});

test("a member that is new, gone or of another type would be noticed", () => {
  const { RegisterResult, ProgressParams, RegisterParams } = frames as Record<
    string,
    { full: any; least: any }
  >;
  const cases: [reason: RegExp, frames: Frames][] = [
    [
      /'"news"' does not exist/,
      { RegisterResult: { ...RegisterResult!, full: { ...RegisterResult!.full, news: 1 } } },
    ],
    [
      /'message' is missing/,
      {
        ProgressParams: {
          ...ProgressParams!,
          full: { ...ProgressParams!.full, message: undefined },
        },
      },
    ],
    [
      /'progress' is missing/,
      { ProgressParams: { ...ProgressParams!, least: { progressToken: 1 } } },
    ],
    [
      /'string' is not assignable to type 'number'/,
      { ProgressParams: { ...ProgressParams!, least: { progressToken: "1", progress: 1 } } },
    ],
    [
      /'version' is missing/,
      {
        RegisterParams: {
          ...RegisterParams!,
          full: { ...RegisterParams!.full, provider: { name: "", instanceId: "" } },
        },
      },
    ],
  ];
  for (const [reason, changed] of cases) assert.match(faults(changed), reason);
});
