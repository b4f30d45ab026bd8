/**
 * The provider client of MCP Hub: connects to a hub, puts tools on offer and answers calls of them,
 * for as long as it is not closed and whatever happens to the line.
 *
 * One file without dependencies, for Node 22, Deno, Bun and browsers. The types come first, then
 * what a program calls, then the connection, then what happens to one call.
 */

// What travels on the wire: JSON-RPC 2.0 in WebSocket text frames, the contract `mcp-hub.v1`.

/** A JSON Schema, of the dialect 2020-12 unless it says otherwise. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** An MCP tool as the hub takes it and shows it to clients. */
export interface Tool {
  /** Matches `[A-Za-z0-9_.-]{1,128}`; some clients cut names beyond 64 letters. */
  name: string;
  title?: string;
  description?: string;
  inputSchema: JsonSchema;
  outputSchema?: JsonSchema;
  annotations?: ToolAnnotations;
  icons?: readonly { src: string; mimeType?: string; sizes?: readonly string[]; theme?: string }[];
  _meta?: { readonly [key: string]: unknown };
}

/**
 * Hints about a tool. The hub repeats a call whose outcome is unknown at another provider only if
 * the tool says `readOnlyHint` or `idempotentHint`.
 */
export interface ToolAnnotations {
  title?: string;
  readOnlyHint?: boolean;
  destructiveHint?: boolean;
  idempotentHint?: boolean;
  openWorldHint?: boolean;
}

/** The parameters of `providers/register`, which replaces the whole tool set. */
export interface RegisterParams {
  provider: { name: string; version?: string; instanceId?: string };
  tools: readonly Tool[];
}

/** The hub's answer to a tool set that it has taken. */
export interface RegisterResult {
  providerId: string;
  /** The user whose tools these are now. */
  user: string;
  hub: { name: string; version: string };
  limits: { messageBytes: number; callsInFlight: number; tools: number; jsonDepth: number };
  /** Where each tool stands among those of the same name; position 1 is called first. */
  tools: { name: string; position: number; of: number }[];
  warnings?: string[];
}

/** The `data` of the error that refuses a tool set as a whole. */
export interface RefusedTools {
  tools: { index: number; name: string | null; reason: string }[];
}

/** The parameters of `tools/call`. */
export interface CallParams {
  name: string;
  arguments?: { [name: string]: unknown };
  /** The client's answers to what the call before this one asked. */
  inputResponses?: { [key: string]: unknown };
  /** What the call before this one wanted to be told again. */
  requestState?: string;
  _meta: CallMeta;
}

/** What the hub tells of a call besides its arguments. */
export interface CallMeta {
  progressToken: number;
  "io.modelcontextprotocol/clientCapabilities"?: ClientCapabilities;
  "io.modelcontextprotocol/clientInfo"?: ClientInfo;
  "io.modelcontextprotocol/logLevel"?: LogLevel;
  [key: string]: unknown;
}

/** The parameters of `notifications/cancelled`. */
export interface CancelledParams {
  requestId: number;
  reason?: string;
}

/** The parameters of `notifications/progress`. */
export interface ProgressParams {
  progressToken: number;
  progress: number;
  total?: number;
  message?: string;
}

/** The parameters of `notifications/message`. */
export interface LogParams {
  level: LogLevel;
  logger?: string;
  data: unknown;
  _meta: { progressToken: number };
}

/** Severities of RFC 5424, least severe first. */
export type LogLevel =
  "debug" | "info" | "notice" | "warning" | "error" | "critical" | "alert" | "emergency";

/** What the calling client says of itself. */
export interface ClientInfo {
  name: string;
  version: string;
  [member: string]: unknown;
}

/** What the calling client can be asked. */
export interface ClientCapabilities {
  elicitation?: { form?: object; url?: object };
  sampling?: { tools?: object; context?: object };
  roots?: object;
  [capability: string]: unknown;
}

// What a program writes.

/** One part of a result's content. */
export type Content =
  | { type: "text"; text: string; [member: string]: unknown }
  | { type: "image" | "audio"; data: string; mimeType: string; [member: string]: unknown }
  | { type: "resource_link"; uri: string; name: string; [member: string]: unknown }
  | {
      type: "resource";
      resource: { uri: string; [member: string]: unknown };
      [member: string]: unknown;
    };

/** An MCP tool result. */
export interface CallResult {
  content?: Content[];
  structuredContent?: unknown;
  isError?: boolean;
  resultType?: string;
  _meta?: { [key: string]: unknown };
}

/** A schema of a library that speaks Standard Schema, such as Zod, Valibot or ArkType. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Validated<Output> | Promise<Validated<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
    /** The Standard JSON Schema extension. */
    readonly jsonSchema?: {
      input(options: { target: "draft-2020-12" }): Record<string, unknown>;
      output(options: { target: "draft-2020-12" }): Record<string, unknown>;
    };
  };
}

type Validated<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly Issue[] };

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

export type InputSchema = JsonSchema | StandardSchema<any, any>;

/**
 * What a handler gets for arguments that match the schema. Those of a Standard Schema have been
 * validated and are its output. Those of a plain JSON Schema are as the client sent them: its type
 * is what the schema promises, as far as simple schemas tell, and nobody has checked it.
 */
export type ArgumentsOf<Schema> =
  Schema extends { readonly "~standard": { readonly types?: infer Types } }
    ? NonNullable<Types> extends { readonly output: infer Output } ? Output : unknown
    : Described<Schema> extends infer Value extends object ? Value : Record<string, unknown>;

interface Primitives {
  string: string;
  number: number;
  integer: number;
  boolean: boolean;
  null: null;
}

type Described<Schema> =
  0 extends 1 & Schema ? any
  : Schema extends { const: infer Value } ? Value
  : Schema extends { enum: readonly (infer Value)[] } ? Value
  : Schema extends { type: infer Type extends keyof Primitives } ? Primitives[Type]
  : Schema extends { type: "array"; items: infer Item } ? Described<Item>[]
  : Schema extends { type: "object"; properties: infer Members }
    ? { [Name in Exclude<keyof Members, Demanded<Schema>>]?: Described<Members[Name]> }
      & { [Name in keyof Members & Demanded<Schema>]: Described<Members[Name]> }
  : unknown;

type Demanded<Schema> = Schema extends { required: readonly (infer Name)[] } ? Name : never;

/** A tool together with what answers calls of it. */
export interface OfferedTool<Schema extends InputSchema = any, Arguments = ArgumentsOf<Schema>> {
  tool: Omit<Tool, "inputSchema" | "outputSchema"> & {
    inputSchema: Schema;
    outputSchema?: InputSchema;
  };
  /**
   * Answers a call. What it returns becomes the result: a string its text; an object with
   * `content`, `structuredContent` or `resultType` is an MCP result already; other values are shown
   * as JSON, and an object is the structured content as well. An error it throws becomes a result
   * with `isError` and the error's message; an `RpcError` becomes that JSON-RPC error, and the hub
   * tries the next provider.
   *
   * `signal` aborts when nobody waits any more: what the handler does after that is not sent.
   */
  handler(args: Arguments, signal: AbortSignal, context: CallContext): unknown;
}

/** Gives a tool that is written down by itself the types of its arguments. */
export function defineTool<const Schema extends InputSchema>(
  offered: OfferedTool<Schema>,
): OfferedTool<Schema> {
  return offered;
}

/** What a handler learns of a call, and can say while it works. */
export interface CallContext {
  /** Tells the client how far the work is; `progress` must grow from one time to the next. */
  progress(progress: number, total?: number, message?: string): void;
  /** Tells the client something, if it wants to hear of this level. */
  log(level: LogLevel, data: unknown, logger?: string): void;
  /**
   * Asks the client for input: any number of questions at once, each under a key of its own,
   * answered under the same keys.
   *
   * The handler is **replayed**: unless the answers are known already, this call of it ends here,
   * and once the client has answered, the handler runs again from its beginning, perhaps in another
   * process, where the same `ask` returns at once. So whatever must happen only once belongs after
   * the last `ask`, and what comes before must ask the same questions each time it runs.
   *
   * Rejects with `MissingCapabilityError` if the client has not declared that it can answer.
   */
  ask<const Asked extends Questions>(questions: Asked): Promise<Answers<Asked>>;
  readonly client: { readonly info?: ClientInfo; readonly capabilities: ClientCapabilities };
  /** The call's `_meta`, as it came. */
  readonly meta: CallMeta;
}

/** A question to the client: an MCP request, or, for short, the parameters of a form alone. */
export type Question =
  | Form
  | { readonly method: "elicitation/create"; readonly params: Form | Visit }
  | { readonly method: "sampling/createMessage"; readonly params: Sampling }
  | { readonly method: "roots/list"; readonly params?: object };

/** Asks the person to fill in a form, described by a flat JSON Schema. */
export interface Form {
  readonly mode?: "form";
  readonly message: string;
  readonly requestedSchema: JsonSchema;
}

/** Asks the person to visit a page. */
export interface Visit {
  readonly mode: "url";
  readonly message: string;
  readonly url: string;
  readonly elicitationId?: string;
}

/** Asks the client's model. */
export interface Sampling {
  readonly messages: readonly { readonly role: "user" | "assistant"; readonly content: unknown }[];
  readonly maxTokens: number;
  readonly [member: string]: unknown;
}

export type Questions = { readonly [key: string]: Question };

export type Answers<Asked extends Questions> = {
  -readonly [Key in keyof Asked]: Asked[Key] extends { readonly method: "sampling/createMessage" }
    ? { role: "user" | "assistant"; content: any; model: string; stopReason?: string }
    : Asked[Key] extends { readonly method: "roots/list" }
      ? { roots: { uri: string; name?: string }[] }
      : { action: "accept" | "decline" | "cancel"; content?: Record<string, any> };
};

/** How the client stands with the hub. */
export type State =
  | {
      readonly status: "connecting";
      /** 1 for the first try, and for the first after a connection that was good for a while. */
      readonly attempt: number;
    }
  | { readonly status: "registered"; readonly registration: RegisterResult }
  | {
      readonly status: "waiting";
      /** How many tries have failed; 0 after a connection that was good for a while. */
      readonly attempt: number;
      /** Milliseconds until the next try. */
      readonly delay: number;
      /** Why the last one ended. */
      readonly reason: string;
    }
  | { readonly status: "closed"; /** Absent after `close()`. */ readonly error?: Error };

export interface ConnectOptions {
  /** The hub, as `https://hub.example.com`; its `/mcp` and `/clients/ws` mean the same. */
  url: string | URL;
  /** The bearer token, or what tells it; asked before every connection. */
  token?: string | undefined | (() => string | undefined | Promise<string | undefined>);
  /** What operators see; at most 128 bytes each. */
  name?: string;
  version?: string;
  /**
   * Who this is across connections; a random one unless given. Only one may be connected at a time.
   */
  instanceId?: string;
  /** Gives up connecting for the first time; later `close()` ends the client. */
  signal?: AbortSignal;
  onStateChange?(state: State): void;
  /** Hears what goes wrong and nobody else is told, with stacks; `console.error` unless given. */
  onError?(error: unknown, doing: string): void;
  /** The WebSocket to use where there is none, such as that of the package `ws`. */
  WebSocket?: WebSocketClass;
}

/** As much of a WebSocket as is needed here. */
export interface WebSocketLike {
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(text: string): void;
  close(code?: number): void;
  /** Only some have it. */
  terminate?(): void;
  addEventListener(event: any, listener: (event: any) => void): void;
}

export type WebSocketClass = new (url: string, ...more: any[]) => WebSocketLike;

/** A provider that is on offer at a hub. */
export interface ProviderClient {
  readonly state: State;
  /**
   * Puts these tools in the place of all others at once; calls in flight go on. Resolves when the
   * hub has taken them, which while disconnected is after the next connection. Rejects with
   * `RefusedToolsError` if it has not, and then the old ones stay.
   */
  setTools(tools: readonly OfferedTool[]): Promise<RegisterResult>;
  /** Disconnects for good and aborts the calls in flight. */
  close(): Promise<void>;
}

/**
 * The hub does not let this client in: 401, 403, or the close code 4409 for a twin that came later.
 */
export class ConnectionRefusedError extends Error {
  override name = "ConnectionRefusedError";
  readonly code: number;
  constructor(code: number, reason: string) {
    super(`the hub refuses the connection (${code}): ${reason}`);
    this.code = code;
  }
}

/** The hub has not taken a tool set; `tools` says what is wrong with which. */
export class RefusedToolsError extends Error {
  override name = "RefusedToolsError";
  readonly tools: RefusedTools["tools"];
  constructor(reason: string, tools: RefusedTools["tools"] = []) {
    super(
      [reason, ...tools.map((tool) => `${tool.name ?? `#${tool.index}`}: ${tool.reason}`)].join(
        "; ",
      ),
    );
    this.tools = tools;
  }
}

/**
 * Thrown by a handler, it answers the call with a JSON-RPC error, so that the hub tries another
 * provider.
 */
export class RpcError extends Error {
  override name = "RpcError";
  readonly code: number;
  readonly data: unknown;
  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** The client cannot be asked this; a handler that does not mind may catch it. */
export class MissingCapabilityError extends RpcError {
  override name = "MissingCapabilityError";
  readonly requiredCapabilities: ClientCapabilities;
  constructor(requiredCapabilities: ClientCapabilities) {
    const what = Object.keys(requiredCapabilities).join(", ");
    super(MISSING_CAPABILITY, `the client cannot be asked for ${what}`, { requiredCapabilities });
    this.requiredCapabilities = requiredCapabilities;
  }
}

const SUBPROTOCOL = "mcp-hub.v1";
const META = "io.modelcontextprotocol/";

// JSON-RPC 2.0 §5.1 and MCP 2026-07-28.
const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;
const MISSING_CAPABILITY = -32021;

// Close codes: RFC 6455 §7.4.1 and the hub's own.
const NORMAL = 1000;
const TOO_LARGE = 1009;
const SUPERSEDED = 4409;

// The ready states of a WebSocket.
const OPEN = 1;
const CLOSING = 2;

// Times in milliseconds.

/** The longest pause after a first failure; it doubles with each further one … */
const PAUSE_BASE = 500;
/** … up to this. */
const PAUSE_MAX = 30_000;
/** A connection that lasted this long was a good one: the next pause is short again. */
const STABLE_TIME = 5_000;
/** The longest the hub may send us away for with `Retry-After`. */
const RETRY_AFTER_MAX = 300_000;
/** How long the hub may take to open a socket, to register, or to answer a ping. */
const REPLY_TIME = 20_000;
/** How long the hub may say nothing before it is pinged. */
const SILENCE_TIME = 30_000;
/** How long finding out why a connection was refused may take. */
const PROBE_TIME = 5_000;
/** How long a closing handshake may take. */
const CLOSING_TIME = 2_000;

// Sizes.

/**
 * Bytes that wait for the network beyond which progress and logs are dropped; results never are.
 */
const UNSENT_BYTES_MAX = 4 * 1024 * 1024;
/** Letters of a refusal that are passed on. */
const REASON_LENGTH_MAX = 500;
/** Faults of one call's arguments that are told. */
const ISSUES_MAX = 20;

/**
 * Connects to a hub and puts `tools` on offer. Resolves when the hub has taken them.
 *
 * It goes on trying while the hub cannot be reached, and connects again whenever the line breaks.
 * Rejects with `ConnectionRefusedError` if the hub does not let it in, and with `RefusedToolsError`
 * if it does not take the tools.
 */
export async function connectProviderClient<const Schemas extends readonly InputSchema[]>(
  options: ConnectOptions & { tools: { [Index in keyof Schemas]: OfferedTool<Schemas[Index]> } },
): Promise<ProviderClient> {
  const url = endpoint(options.url);
  const Socket = options.WebSocket ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket;
  if (!Socket) throw new TypeError("there is no WebSocket here; pass one as `WebSocket`");
  const provider = {
    name: options.name ?? "provider",
    version: options.version,
    instanceId: options.instanceId ?? randomId(),
  };
  /** Aborts when the client ends, whatever ends it; all that runs hangs on it. */
  const life = new AbortController();
  const isOver = () => life.signal.aborted;
  let state: State = { status: "connecting", attempt: 1 };
  /** What the hub has taken. */
  let taken: Offer | undefined;
  /** What it shall take next, and who waits for that. */
  let wanted: (Settle<RegisterResult> & { offer: Offer }) | undefined;
  /** Registers what is wanted, when there is a connection that can. */
  let advance = () => {};
  /** Settles when the last socket is gone. */
  let gone: Promise<void> | undefined;
  /** Changes of the tool set take turns. */
  let turn: Promise<unknown> = Promise.resolve();

  function report(error: unknown, doing: string) {
    try {
      if (options.onError) options.onError(error, doing);
      else console.error(`mcp-hub, ${doing}:`, error);
    } catch {
      // There is nobody left to tell.
    }
  }

  function change(next: State) {
    state = next;
    try {
      options.onStateChange?.(next);
    } catch (error) {
      report(error, "onStateChange");
    }
  }

  function end(error?: Error) {
    if (isOver()) return;
    const reason = error ?? new Error("the client is closed");
    life.abort(reason);
    wanted?.reject(reason);
    change(error ? { status: "closed", error } : { status: "closed" });
  }

  async function keepConnected() {
    let attempt = 0;
    while (!isOver()) {
      change({ status: "connecting", attempt: ++attempt });
      const ending = await connect();
      if (isOver()) return;
      if (ending.refusal) {
        // Whoever waits for the first connection hears it; later nobody does.
        if (taken) report(ending.refusal, "connecting");
        return end(ending.refusal);
      }
      if (ending.wasStable) attempt = 0;
      const bound = Math.min(PAUSE_MAX, PAUSE_BASE * 2 ** Math.max(0, attempt - 1));
      // Anywhere below the bound, so that many providers do not come back all at once.
      const delay = Math.random() * bound + (ending.retryAfter ?? 0);
      change({ status: "waiting", attempt, delay, reason: ending.reason ?? "" });
      await pause(delay, life.signal);
    }
  }

  /** One connection, from asking for the token to its end. Never rejects. */
  async function connect(): Promise<Ending> {
    let token;
    try {
      token = typeof options.token === "function" ? await options.token() : options.token;
    } catch (error) {
      report(error, "asking for the token");
      return { reason: `no token: ${messageOf(error)}` };
    }
    if (isOver()) return {};
    let socket;
    try {
      socket = open(Socket!, url, token);
    } catch (error) {
      // No network is needed to find fault with a URL or a token, and none may be told the token.
      const said = messageOf(error);
      return { refusal: new TypeError(token ? said.replaceAll(token, "…") : said) };
    }
    const ending = await converse(socket);
    return ending.wasOpen || isOver() ? ending : probe(url, token, life.signal);
  }

  /** Speaks with the hub until the connection ends, for whatever reason. */
  function converse(socket: WebSocketLike): Promise<Ending> {
    const { promise, resolve } = deferred<Ending>();
    const calls = callsOf({
      send,
      report,
      toolNamed: (name) => taken?.tools.get(name),
      isCrowded: () => socket.bufferedAmount > UNSENT_BYTES_MAX,
    });
    let wasOpen = false;
    let hasEnded = false;
    /** When it was registered first. */
    let registeredAt: number | undefined;
    let limits: RegisterResult["limits"] | undefined;
    let lastId = 0;
    /** The registration in flight. */
    let asked: { id: number; offer: Offer } | undefined;
    let timer: ReturnType<typeof setTimeout>;

    /** Something is due: the connection, or an answer. */
    function expect() {
      clearTimeout(timer);
      timer = setTimeout(() => hangUp({ reason: "the hub does not answer" }), REPLY_TIME);
    }

    function heard() {
      clearTimeout(timer);
      timer = setTimeout(() => {
        send({ id: ++lastId, method: "ping" });
        expect();
      }, SILENCE_TIME);
    }

    /** Fails if the message is no JSON or beyond the hub's limits, for which it would hang up. */
    function send(message: object) {
      const text = JSON.stringify({ jsonrpc: "2.0", ...message });
      if (limits) check(text, limits);
      if (socket.readyState === OPEN) socket.send(text);
    }

    function hangUp(ending: Ending) {
      if (hasEnded) return;
      hasEnded = true;
      clearTimeout(timer);
      advance = () => {};
      life.signal.removeEventListener("abort", leave);
      calls.abandon(`the hub is gone: ${ending.reason}`);
      gone = dispose(socket);
      const wasStable = Date.now() - registeredAt! >= STABLE_TIME;
      resolve({ ...ending, wasOpen, wasStable });
    }

    function leave() {
      hangUp({ reason: messageOf(life.signal.reason) });
    }

    function register() {
      const offer = wanted?.offer ?? (registeredAt ? undefined : taken);
      if (asked || !offer) return;
      asked = { id: ++lastId, offer };
      try {
        const params: RegisterParams = { provider, tools: offer.definitions };
        send({ id: lastId, method: "providers/register", params });
        expect();
      } catch (error) {
        refused(`the tools cannot be sent: ${messageOf(error)}`);
      }
    }

    function registered(registration: RegisterResult) {
      const { offer } = asked!;
      asked = undefined;
      taken = offer;
      registeredAt ??= Date.now();
      limits = registration.limits;
      change({ status: "registered", registration });
      if (wanted?.offer === offer) {
        wanted.resolve(registration);
        wanted = undefined;
      }
      register();
    }

    function refused(reason: string, data?: RefusedTools) {
      const { offer } = asked!;
      asked = undefined;
      const refusal = new RefusedToolsError(reason, data?.tools);
      if (wanted?.offer !== offer) {
        // The hub has taken these before, and may again when something has changed there.
        return hangUp({ reason: refusal.message });
      }
      wanted.reject(refusal);
      wanted = undefined;
      if (taken) register();
      else hangUp({ refusal });
    }

    function received(text: unknown) {
      const { id, method, params, result, error } = JSON.parse(text as string);
      if (method === "tools/call") {
        calls.serve(id, params).catch((error) => report(error, "answering a call"));
      } else if (method === "notifications/cancelled") {
        calls.cancel(params.requestId, `the call was cancelled: ${params.reason}`);
      } else if (method === "ping") {
        send({ id, result: {} });
      } else if (method && id !== undefined) {
        const message = `there is no method ${method} here`;
        send({ id, error: { code: METHOD_NOT_FOUND, message } });
      } else if (asked && id === asked.id) {
        if (result) registered(result);
        else refused(error.message, error.data);
      }
      if (registeredAt && !asked && !hasEnded) heard();
    }

    socket.addEventListener("open", () => {
      if (hasEnded) return;
      wasOpen = true;
      advance = register;
      register();
    });
    socket.addEventListener("message", ({ data }) => {
      // What was still on its way when the line was given up concerns nobody any more.
      if (hasEnded) return;
      try {
        received(data);
      } catch (error) {
        report(error, "reading what the hub said");
      }
    });
    socket.addEventListener("error", () => {
      // After a refused handshake Node's WebSocket says no more than this; later "close" follows.
      if (!wasOpen) hangUp({});
    });
    socket.addEventListener("close", ({ code, reason }) => {
      if (hasEnded) return;
      if (asked && code === TOO_LARGE) refused(reason);
      const refusal = code === SUPERSEDED ? new ConnectionRefusedError(code, reason) : undefined;
      hangUp({ reason: reason ? `${code} ${reason}` : `the connection broke (${code})`, refusal });
    });
    life.signal.addEventListener("abort", leave);
    expect();
    return promise;
  }

  async function setTools(tools: readonly OfferedTool[]): Promise<RegisterResult> {
    const offer = prepare(tools);
    const result = turn.then(() => {
      life.signal.throwIfAborted();
      const { promise, ...settle } = deferred<RegisterResult>();
      wanted = { offer, ...settle };
      advance();
      return promise;
    });
    turn = result.catch(() => {});
    return result;
  }

  async function close() {
    end();
    await gone;
  }

  const giveUp = () => end(options.signal!.reason);
  options.signal?.throwIfAborted();
  options.signal?.addEventListener("abort", giveUp);
  try {
    const first = setTools(options.tools);
    void keepConnected();
    await first;
  } catch (error) {
    end(error as Error);
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", giveUp);
  }
  return {
    get state() {
      return state;
    },
    setTools,
    close,
  };
}

/** How a connection ended. */
interface Ending {
  reason?: string;
  /** It shall not be tried again. */
  refusal?: Error;
  /** Milliseconds the hub asks us to stay away. */
  retryAfter?: number;
  wasOpen?: boolean;
  wasStable?: boolean;
}

/** A tool set, as it is declared and as it is called. */
interface Offer {
  definitions: Tool[];
  tools: Map<string, OfferedTool>;
}

interface Settle<Value> {
  resolve(value: Value): void;
  reject(error: unknown): void;
}

// The connection.

function endpoint(url: string | URL): string {
  const hub = new URL(url);
  if (!/^(http|ws)s?:$/.test(hub.protocol)) {
    throw new TypeError(`a hub is at an address of http, https, ws or wss, not of ${hub.protocol}`);
  }
  hub.protocol = hub.protocol.replace("http", "ws");
  hub.pathname = hub.pathname.replace(/\/*(\/mcp|\/clients\/ws)?\/*$/, "/clients/ws");
  hub.hash = "";
  return hub.href;
}

/**
 * Opens a socket with the token in the `Authorization` header where that can be done, else, as in
 * browsers, in the name of a subprotocol.
 */
function open(Socket: WebSocketClass, url: string, token: string | undefined): WebSocketLike {
  if (!token) return new Socket(url, [SUBPROTOCOL]);
  const headers = { authorization: `Bearer ${token}` };
  // The package `ws`, an event emitter of Node's kind, has a third parameter for it.
  if (Socket.prototype?.on) return new Socket(url, [SUBPROTOCOL], { headers });
  try {
    return new Socket(url, { protocols: [SUBPROTOCOL], headers });
  } catch {
    // Whoever takes only names of protocols takes that object for a bad one.
    return new Socket(url, [SUBPROTOCOL, `bearer.${token}`]);
  }
}

/** A WebSocket does not tell why its handshake was refused; an ordinary request does. */
async function probe(url: string, token: string | undefined, life: AbortSignal): Promise<Ending> {
  try {
    const response = await fetch(url.replace("ws", "http"), {
      headers: token ? { authorization: `Bearer ${token}` } : {},
      signal: AbortSignal.any([life, AbortSignal.timeout(PROBE_TIME)]),
    });
    const { status } = response;
    const said = (await response.text()).trim().slice(0, REASON_LENGTH_MAX);
    if (status === 401 || status === 403) {
      return { refusal: new ConnectionRefusedError(status, said) };
    }
    const seconds = status === 429 ? Number(response.headers.get("retry-after")) || 0 : 0;
    return { reason: `${status} ${said}`, retryAfter: Math.min(seconds * 1000, RETRY_AFTER_MAX) };
  } catch (error) {
    return { reason: `the hub cannot be reached: ${messageOf(error)}` };
  }
}

/** Closes a socket that is no longer listened to, and waits a little for it to be gone. */
function dispose(socket: WebSocketLike): Promise<void> {
  const { promise, resolve } = deferred<void>();
  const done = () => {
    clearTimeout(timer);
    // Whoever does not answer a farewell is left without one, where that can be done.
    socket.terminate?.();
    resolve();
  };
  const timer = setTimeout(done, CLOSING_TIME);
  const isOpen = socket.readyState === OPEN || socket.readyState === CLOSING;
  socket.addEventListener("close", done);
  socket.close(NORMAL);
  if (!isOpen) done();
  return promise;
}

/** Waits, but no longer once the network is back or the client has ended. */
async function pause(delay: number, life: AbortSignal): Promise<void> {
  const { promise, resolve } = deferred<unknown>();
  const timer = setTimeout(resolve, delay);
  life.addEventListener("abort", resolve);
  globalThis.addEventListener?.("online", resolve);
  if (!life.aborted) await promise;
  globalThis.removeEventListener?.("online", resolve);
  life.removeEventListener("abort", resolve);
  clearTimeout(timer);
}

function deferred<Value>(): { promise: Promise<Value> } & Settle<Value> {
  let settle: Settle<Value>;
  const promise = new Promise<Value>((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle! };
}

/** Not `crypto.randomUUID()`, which pages served over plain HTTP do not have. */
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(36)).join("");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}

/** Fails if a message is larger than the hub takes, or nests more deeply. */
function check(text: string, { messageBytes, jsonDepth }: RegisterResult["limits"]) {
  const refuse = (amount: number, unit: string, max: number) => {
    if (amount > max) throw new RangeError(`${amount} ${unit} are more than the hub's ${max}`);
  };
  // Most texts are short: a letter takes three bytes at most, and a level two letters at least.
  if (text.length * 3 > messageBytes) {
    refuse(new TextEncoder().encode(text).length, "bytes", messageBytes);
  }
  if (text.length > jsonDepth * 2) refuse(depthOf(text), "levels", jsonDepth);
}

function depthOf(json: string): number {
  let [depth, deepest, isQuoted] = [0, 0, false];
  for (let at = 0; at < json.length; at++) {
    const letter = json[at];
    // Only texts have these, so that what follows is one of a text.
    if (letter === "\\") at++;
    else if (letter === '"') isQuoted = !isQuoted;
    else if (isQuoted) continue;
    else if (letter === "[" || letter === "{") deepest = Math.max(deepest, ++depth);
    else if (letter === "]" || letter === "}") depth--;
  }
  return deepest;
}

// The calls.

/**
 * The calls that came on one connection, as many as the hub lets in flight. One that is not among
 * them any more, because it was answered, cancelled or lost, has nothing to say.
 */
function callsOf(line: {
  send(message: object): void;
  report(error: unknown, doing: string): void;
  toolNamed(name: string): OfferedTool | undefined;
  /** Whether the network does not keep up. */
  isCrowded(): boolean;
}) {
  const calls = new Map<number, AbortController>();

  function cancel(id: number, reason: string) {
    const call = calls.get(id);
    calls.delete(id);
    call?.abort(new Error(reason));
  }

  function abandon(reason: string) {
    for (const id of [...calls.keys()]) cancel(id, reason);
  }

  async function serve(id: number, params: CallParams) {
    const { name } = params;
    const call = new AbortController();
    const isLive = () => calls.get(id) === call;

    /** Speaks the last word about the call. */
    function answer(words: object) {
      if (!isLive()) return;
      calls.delete(id);
      try {
        line.send({ id, ...words });
      } catch (error) {
        line.report(error, `the result of ${name}`);
        line.send({ id, result: failure(`The result cannot be sent: ${messageOf(error)}`) });
      }
    }

    function tell(method: string, params: ProgressParams | LogParams) {
      if (!isLive() || line.isCrowded()) return;
      try {
        line.send({ method, params });
      } catch (error) {
        line.report(error, `a notice of ${name}`);
      }
    }

    function suspend(result: object) {
      answer({ result });
      // The handler may catch this and go on; then it shall know that nobody listens.
      call.abort(new Error("the client is asked first; then the handler runs again"));
    }

    calls.set(id, call);
    try {
      const offered = line.toolNamed(name);
      // Not the caller's mistake: the tool went while the call was on its way.
      if (!offered) throw new RpcError(METHOD_NOT_FOUND, `there is no tool ${name} here`);
      answer({ result: await run(offered, params, call.signal, tell, suspend) });
    } catch (error) {
      if (error instanceof RpcError) {
        const { code, message, data } = error;
        answer({ error: { code, message, data } });
      } else if (isLive()) {
        line.report(error, `the tool ${name}`);
        answer({ result: failure(messageOf(error)) });
      }
    }
  }

  return { serve, cancel, abandon };
}

/** Turns what a program offers into what the hub is told; fails naming the tool. */
function prepare(offered: readonly OfferedTool[]): Offer {
  const tools = new Map<string, OfferedTool>();
  const definitions = offered.map((one) => {
    const { tool } = one;
    tools.set(tool.name, one);
    const inputSchema = jsonSchema(tool.name, tool.inputSchema, "input");
    return tool.outputSchema
      ? { ...tool, inputSchema, outputSchema: jsonSchema(tool.name, tool.outputSchema, "output") }
      : { ...(tool as Tool), inputSchema };
  });
  return { definitions, tools };
}

function jsonSchema(name: string, schema: InputSchema, direction: "input" | "output"): JsonSchema {
  if (!isStandard(schema)) return schema as JsonSchema;
  try {
    return schema["~standard"].jsonSchema![direction]({ target: "draft-2020-12" });
  } catch (cause) {
    throw new TypeError(
      `the ${direction}Schema of the tool ${name} cannot be made JSON Schema: ${messageOf(cause)}; ` +
        "use Zod 4.2 or newer, ArkType, Valibot's toStandardJsonSchema, or JSON Schema itself",
      { cause },
    );
  }
}

function isStandard(schema: InputSchema): schema is StandardSchema {
  return schema?.["~standard" as never] !== undefined;
}

/** Runs the handler and makes the result. Rejects as the handler does. */
async function run(
  offered: OfferedTool,
  params: CallParams,
  signal: AbortSignal,
  tell: (method: string, notice: ProgressParams | LogParams) => void,
  suspend: (result: object) => void,
): Promise<object> {
  const { _meta: meta, requestState, inputResponses } = params;
  const { progressToken } = meta;
  const capabilities = meta[`${META}clientCapabilities`] ?? {};
  const context: CallContext = {
    progress(progress, total, message) {
      tell("notifications/progress", { progressToken, progress, total, message });
    },
    log(level, data, logger) {
      tell("notifications/message", { level, logger, data, _meta: { progressToken } });
    },
    ask: asking(recall(requestState), inputResponses, capabilities, signal, suspend),
    client: { info: meta[`${META}clientInfo`], capabilities },
    meta,
  };
  let args: unknown = params.arguments ?? {};
  const schema = offered.tool.inputSchema;
  if (isStandard(schema)) {
    const validated = await schema["~standard"].validate(args);
    if (validated.issues) return failure(faults(validated.issues));
    args = validated.value;
  }
  return resultOf(await offered.handler(args, signal, context));
}

function faults(issues: readonly Issue[]): string {
  const told = issues.slice(0, ISSUES_MAX).map(({ path = [], message }) => {
    const keys = path.map((key) => String(typeof key === "object" ? key.key : key));
    return keys.length ? `${keys.join(".")}: ${message}` : message;
  });
  return `Invalid arguments: ${told.join("; ")}`;
}

type Remembered = { [key: string]: unknown };

/** The answers to each `ask` so far, in the order in which they were asked for. */
function recall(requestState = "[]"): Remembered[] {
  try {
    const remembered: unknown = JSON.parse(requestState);
    if (Array.isArray(remembered) && remembered.every(isObject)) return remembered;
  } catch {
    // It is not ours, as below.
  }
  throw new RpcError(INVALID_PARAMS, "`requestState` is none that this provider gave out");
}

/** Makes the `ask` of one run; `fresh` answers the first of the questions not yet `remembered`. */
function asking(
  remembered: Remembered[],
  fresh: Remembered | undefined,
  capabilities: ClientCapabilities,
  signal: AbortSignal,
  suspend: (result: object) => void,
): CallContext["ask"] {
  let next = 0;

  async function ask(questions: Questions): Promise<any> {
    signal.throwIfAborted();
    const asked = Object.entries(questions);
    const requests = asked.map(([key, question]) => [key, requestOf(question)] as const);
    refuseBeyond(capabilities, requests);
    const place = next++;
    if (place === remembered.length) {
      remembered.push(fresh ?? {});
      fresh = undefined;
    }
    const known = remembered[place]!;
    const answers = Object.fromEntries(asked.map(([key]) => [key, known[key]]));
    if (Object.values(answers).every(isObject)) return (remembered[place] = answers);
    suspend({
      resultType: "input_required",
      inputRequests: Object.fromEntries(requests),
      requestState: JSON.stringify(remembered.slice(0, place)),
    });
    throw signal.reason;
  }

  return (questions) => {
    const answers = ask(questions);
    // A handler that does not wait for its answers is not to end the process.
    answers.catch(() => {});
    return answers;
  };
}

type InputRequest = Exclude<Question, Form>;

function requestOf(question: Question): InputRequest {
  if ("method" in question) return question;
  return { method: "elicitation/create", params: { mode: "form", ...question } };
}

/** Fails if a client that `can` do no more cannot be asked all of the requests. */
function refuseBeyond(can: ClientCapabilities, requests: (readonly [string, InputRequest])[]) {
  const { elicitation, sampling, roots } = can;
  const required: ClientCapabilities = {};
  for (const [, { method, params }] of requests) {
    if (method === "elicitation/create") {
      const mode = params.mode ?? "form";
      // Who says nothing of modes means forms.
      const isImplied = mode === "form" && elicitation && !elicitation.url;
      if (elicitation?.[mode] || isImplied) continue;
      required.elicitation = { ...required.elicitation, [mode]: {} };
    } else if (method === "sampling/createMessage") {
      if (params.tools && !sampling?.tools) required.sampling = { tools: {} };
      if (!sampling) required.sampling ??= {};
    } else if (method === "roots/list" && !roots) {
      required.roots = {};
    }
  }
  if (Object.keys(required).length) throw new MissingCapabilityError(required);
}

/** What a handler returned, as an MCP result. Fails if it is no JSON. */
function resultOf(value: unknown): object {
  if (value === undefined) return { content: [] };
  if (typeof value === "string") return { content: [{ type: "text", text: value }] };
  const { content, resultType, structuredContent }: CallResult = value ?? {};
  if (Array.isArray(content) || resultType) return value as object;
  let text;
  try {
    text = JSON.stringify(structuredContent ?? value);
  } catch (error) {
    throw new TypeError(`The result cannot be sent: ${messageOf(error)}`);
  }
  if (!text) throw new TypeError(`The result cannot be sent: a ${typeof value} is no JSON`);
  const shown = { content: [{ type: "text", text }] };
  if (structuredContent !== undefined) return { ...shown, ...(value as object) };
  return text.startsWith("{") ? { ...shown, structuredContent: value } : shown;
}

function failure(text: string): CallResult {
  return { content: [{ type: "text", text }], isError: true };
}

function isObject(value: unknown): value is Remembered {
  return typeof value === "object" && value !== null;
}
