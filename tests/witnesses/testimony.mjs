// What the scripts of the TypeScript SDKs have in common: they see things, check them, and say so.

/** Calls the fixture tools, and gives what was seen. */
export async function look({ list, call, changed }) {
  const { tools } = await list();
  const names = tools.map((tool) => tool.name);
  check(names.includes("test_simple_text"), `no test_simple_text among ${names}`);

  const simple = await call("test_simple_text");
  const text = simple.content[0]?.text;
  check(text, `test_simple_text answered without a text: ${JSON.stringify(simple)}`);

  const progress = [];
  await call("test_tool_with_progress", ({ progress: step }) => progress.push(step));
  check(progress.length >= 3, `progress arrived ${progress.length} times instead of 3`);

  await call("test_trigger_tool_change");
  await within(10_000, changed, "notifications/tools/list_changed");
  const after = (await list()).tools;
  check(description(after) !== description(tools), "list_changed came, but the list is the same");

  return { tools: names, text, progress, listChanged: true };
}

export function check(holds, complaint) {
  if (!holds) throw new Error(complaint);
}

async function within(milliseconds, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come`)), milliseconds);
  });
  await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The trigger's description counts the changes. */
function description(tools) {
  return tools.find((tool) => tool.name === "test_trigger_tool_change")?.description;
}

/** What a client that can be asked says that it can. */
export const capabilities = { elicitation: {}, sampling: {} };

/** How it answers. */
export const answers = {
  elicitation: async () => ({
    action: "accept",
    content: { name: "Ada", username: "ada", email: "ada@example.com" },
  }),
  sampling: async () => ({
    role: "assistant",
    content: { type: "text", text: "words of a model" },
    model: "m",
    stopReason: "endTurn",
  }),
};

/** The first text of each call's result. */
export async function texts(calls, call) {
  const said = [];
  for (const one of calls) said.push((await call(one)).content[0].text);
  return said;
}
