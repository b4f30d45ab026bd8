// The reader of server-sent events, which comes upon pieces cut anywhere.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const source = readFileSync(new URL("../../src/web/assets/dashboard/events.js", import.meta.url), "utf8");
const { eventReader } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const TEXT = [
  ":\n\n",
  "id: 1\nevent: hello\ndata: {}\n\n",
  "data\r\ndata:  two\r\ndata:é\r\n\r\n",
  "event: nothing without data\n\n",
  "id: not\0one\rdata: x\r\r",
  "unknown: field\ndata: last\n\n",
  "data: cut off",
].join("");

const EVENTS = [
  { id: "1", type: "hello", data: "{}" },
  { id: "1", type: "message", data: "\n two\né" },
  { id: "1", type: "message", data: "x" },
  { id: "1", type: "message", data: "last" },
];

test("events are read whole, however they are cut", () => {
  assert.deepEqual(eventReader()(TEXT), EVENTS);
  for (let cut = 0; cut <= TEXT.length; cut++) {
    const read = eventReader();
    assert.deepEqual([...read(TEXT.slice(0, cut)), ...read(TEXT.slice(cut))], EVENTS, `cut at ${cut}`);
  }
  const read = eventReader();
  assert.deepEqual([...TEXT].flatMap((letter) => read(letter)), EVENTS);
});
