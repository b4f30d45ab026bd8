// The tools that answer by themselves.
import host from "mcp-hub:plugin/host@0.1.0";
import clock from "wasi:clocks/monotonic-clock@0.2.0";

import { failure, result, text } from "./call.js";

/** Between one notice and the next: the suite wants to see that each arrives when it is sent. */
const BEAT_NANOSECONDS = 50_000_000;

/** One red pixel. */
const PNG = bytes(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC",
);
/** No sound at all: a header, and no samples. */
const WAV = bytes("UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=");

const IMAGE = { tag: "image", val: { data: PNG, mimeType: "image/png" } };
const AUDIO = { tag: "audio", val: { data: WAV, mimeType: "audio/wav" } };

export const telling = {
  about: () => text("These tools are here to be called by witnesses."),
  test_simple_text: () => text("This is a simple text response for testing."),
  test_image_content: () => result(IMAGE),
  test_audio_content: () => result(AUDIO),
  test_embedded_resource: () =>
    result(resource("test://embedded-resource", "text/plain", "An embedded resource.")),
  test_multiple_content_types: () =>
    result(
      { tag: "text", val: "Multiple content types test:" },
      IMAGE,
      resource(
        "test://mixed-content-resource",
        "application/json",
        JSON.stringify({ test: "data", value: 123 }),
      ),
    ),
  test_error_handling: () => failure("This tool intentionally returns an error for testing"),
  test_custom_header: (call) => text(call.argument("value")),
  json_schema_2020_12_tool: () => text("The schema is what matters here."),
  test_tool_with_progress() {
    progress(0, 50, 100);
    return text("The work is done.");
  },
  test_reconnection() {
    progress(...Array(40).keys());
    return text("Still here, and done.");
  },
  test_tool_with_logging() {
    log("Tool execution started", "Tool processing data", "Tool execution completed");
    return text("The log is written.");
  },
  test_logging_tool() {
    log("Did you ask for this?");
    return text("The log is written.");
  },
};

/** Reports these steps on the way to a hundred, a beat after each. */
export function progress(...steps) {
  for (const step of steps) {
    host.progress(step, 100, null);
    rest();
  }
}

function log(...lines) {
  for (const line of lines) {
    host.log("info", line);
    rest();
  }
}

function rest() {
  clock.subscribeDuration(BEAT_NANOSECONDS).block();
}

function resource(uri, mimeType, val) {
  return { tag: "resource", val: { uri, mimeType, body: { tag: "text", val } } };
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
