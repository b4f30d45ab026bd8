// Holds the client's wire types against the messages that the hub's own code has written down.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Of each message all its members, and only those it must have. */
export type Frames = Record<string, { full: object; least: object }>;

const PACKAGE = join(import.meta.dirname, "..");
const PROJECT = {
  extends: join(PACKAGE, "tsconfig.json"),
  compilerOptions: {
    noEmit: true,
    allowImportingTsExtensions: true,
    declaration: false,
    isolatedDeclarations: false,
  },
  files: ["frames.ts"],
};

/** Members of members of which `full` has to have all as well. */
const INNER: Record<string, string> = {
  RegisterParams: `{ provider: Required<RegisterParams["provider"]> }`,
};

/** What the compiler has against the frames; nothing if they are of the client's types. */
export function faults(frames: Frames): string {
  const names = Object.keys(frames);
  const lines = [
    `import type { ${names.join(", ")} } from ${JSON.stringify(join(PACKAGE, "client.ts"))};`,
  ];
  for (const name of names) {
    const whole = [`Required<${name}>`, INNER[name]].filter(Boolean).join(" & ");
    lines.push(`(${JSON.stringify(frames[name]!.full)}) satisfies ${whole};`);
    lines.push(`(${JSON.stringify(frames[name]!.least)}) satisfies ${name};`);
  }
  const folder = mkdtempSync(join(tmpdir(), "mcp-hub-frames-"));
  try {
    writeFileSync(join(folder, "frames.ts"), lines.join("\n"));
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(PROJECT));
    const tsc = join(PACKAGE, "node_modules/typescript/bin/tsc");
    const args = [tsc, "--project", folder];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    return status === 0 ? "" : `${stdout}${stderr}` || `tsc ended with ${status}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
