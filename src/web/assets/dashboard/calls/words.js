// What the hub says of a call, in words, with the tone of the badge they stand on.

/** How a call ended. The order is that of the filter. */
export const OUTCOMES = {
  ok: { word: "answered", tone: "good", says: "A provider answered." },
  tool_error: { word: "tool error", tone: "warn", says: "A provider answered that its tool failed." },
  input_required: { word: "asks for input", tone: "accent", says: "The tool asks the client something first." },
  failed: { word: "failed", tone: "bad", says: "No provider answered." },
  refused: { word: "refused", tone: "warn", says: "The call itself was at fault; others would refuse it, too." },
  limited: { word: "over a limit", tone: "warn", says: "A limit of the hub left no room for it." },
  unknown_tool: { word: "no such tool", tone: "warn", says: "Nobody offers a tool of this name." },
  cancelled: { word: "cancelled", tone: "", says: "The client did not wait for the answer." },
};

/** What became of a call at one provider. */
export const ATTEMPTS = {
  answered: { word: "answered", tone: "good" },
  failed: { word: "failed", tone: "bad" },
  passed_over: { word: "passed over", tone: "warn" },
  cancelled: { word: "cancelled", tone: "" },
};

/** Words for `outcome`, also for one that a newer hub may have. */
export const wordsFor = (outcomes, outcome) =>
  Object.hasOwn(outcomes, outcome) ? outcomes[outcome] : { word: String(outcome), tone: "" };
