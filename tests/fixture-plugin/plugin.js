// The conformance suite's tools as a plugin: what tests/it/support/fixtures offers over WebSocket, by
// the contract of wit/plugin.wit. `./build` makes a component of it.
import host from "mcp-hub:plugin/host@0.1.0";
import preopens from "wasi:filesystem/preopens@0.2.0";

import { asking } from "./asking.js";
import definitions from "./built/tools.js";
import { Call, text } from "./call.js";
import { telling } from "./telling.js";

const TRIGGER = "test_trigger_tool_change";

const answers = new Map(Object.entries({ ...telling, ...asking, [TRIGGER]: changeTools }));

export const tools = {
  listTools() {
    const lacking = definitions.find(({ name }) => !answers.has(name));
    if (lacking) throw `nothing answers ${lacking.name}`;
    return [...definitions, trigger()].map(({ inputSchema, ...tool }) => ({
      ...tool,
      inputSchema: JSON.stringify(inputSchema),
    }));
  },

  callTool(request) {
    const answer = answers.get(request.name);
    if (!answer) throw { tag: "unknown-tool", val: request.name };
    return answer(new Call(request));
  },
};

/** The tool that changes the list: its own description counts the changes. */
function trigger() {
  return {
    name: TRIGGER,
    description: `Changes this list, as it did ${host.config("changes") ?? 0} times before`,
    inputSchema: { type: "object" },
  };
}

/** A plugin's list changes when its files do. So it leaves word for whoever owns them. */
function changeTools() {
  const [[wishes]] = preopens.getDirectories();
  wishes.openAt({}, "change", { create: true }, { write: true });
  return text("The list has changed.");
}
