// A call as the hub hands it over, as far as the tools read it, and what they may answer.

const CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";

export class Call {
  constructor({ arguments: given, inputResponses, requestState, meta }) {
    this.given = JSON.parse(given);
    this.responses = JSON.parse(inputResponses ?? "{}");
    /** What the tool said in the round before. The hub has seen to it that nobody changed it. */
    this.state = requestState ?? undefined;
    this.meta = JSON.parse(meta);
  }

  argument(name) {
    const value = this.given[name];
    return typeof value === "string" ? value : "nothing";
  }

  /** What the client answered under this key, if it is an answer at all. */
  response(key) {
    const response = this.responses[key];
    return typeof response === "object" && response !== null ? response : undefined;
  }

  /** What the user filled in, if the form came back accepted. */
  accepted(key, field) {
    const answer = this.response(key);
    const value = answer?.action === "accept" ? answer.content?.[field] : undefined;
    return typeof value === "string" ? value : undefined;
  }

  /** Whether the client said it can serve requests of this kind. */
  clientCan(capability) {
    return this.meta[CAPABILITIES]?.[capability] !== undefined;
  }
}

/** A result of one text. */
export function text(val) {
  return result({ tag: "text", val });
}

export function result(...content) {
  return { tag: "complete", val: { content, isError: false } };
}

/** A result that says why there is none. */
export function failure(val) {
  return { tag: "complete", val: { content: [{ tag: "text", val }], isError: true } };
}

/** Asks the client. Whether it can answer at all is looked after by the hub. */
export function ask(requests, requestState) {
  return {
    tag: "input-required",
    val: { inputRequests: JSON.stringify(requests), requestState },
  };
}
