/**
 * The provider client of MCP Hub: connects to a hub, puts tools on offer and answers calls of them,
 * for as long as it is not closed and whatever happens to the line.
 *
 * One file without dependencies, for Node 22, Deno, Bun and browsers. The types come first, then
 * what a program calls, then the connection, then what happens to one call.
 */
/** Gives a tool that is written down by itself the types of its arguments. */
export function defineTool(offered) {
    return offered;
}
/**
 * The hub does not let this client in: 401, 403, or the close code 4409 for a twin that came later.
 */
export class ConnectionRefusedError extends Error {
    name = "ConnectionRefusedError";
    code;
    constructor(code, reason) {
        super(`the hub refuses the connection (${code}): ${reason}`);
        this.code = code;
    }
}
/** The hub has not taken a tool set; `tools` says what is wrong with which. */
export class RefusedToolsError extends Error {
    name = "RefusedToolsError";
    tools;
    constructor(reason, tools = []) {
        super([reason, ...tools.map((tool) => `${tool.name ?? `#${tool.index}`}: ${tool.reason}`)].join("; "));
        this.tools = tools;
    }
}
/**
 * Thrown by a handler, it answers the call with a JSON-RPC error, so that the hub tries another
 * provider.
 */
export class RpcError extends Error {
    name = "RpcError";
    code;
    data;
    constructor(code, message, data) {
        super(message);
        this.code = code;
        this.data = data;
    }
}
/** The client cannot be asked this; a handler that does not mind may catch it. */
export class MissingCapabilityError extends RpcError {
    name = "MissingCapabilityError";
    requiredCapabilities;
    constructor(requiredCapabilities) {
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
export async function connectProviderClient(options) {
    const url = endpoint(options.url);
    const Socket = options.WebSocket ?? globalThis.WebSocket;
    if (!Socket)
        throw new TypeError("there is no WebSocket here; pass one as `WebSocket`");
    const provider = {
        name: options.name ?? "provider",
        version: options.version,
        instanceId: options.instanceId ?? randomId(),
    };
    /** Aborts when the client ends, whatever ends it; all that runs hangs on it. */
    const life = new AbortController();
    const isOver = () => life.signal.aborted;
    let state = { status: "connecting", attempt: 1 };
    /** What the hub has taken. */
    let taken;
    /** What it shall take next, and who waits for that. */
    let wanted;
    /** Registers what is wanted, when there is a connection that can. */
    let advance = () => { };
    /** Settles when the last socket is gone. */
    let gone;
    /** Changes of the tool set take turns. */
    let turn = Promise.resolve();
    function report(error, doing) {
        try {
            if (options.onError)
                options.onError(error, doing);
            else
                console.error(`mcp-hub, ${doing}:`, error);
        }
        catch {
            // There is nobody left to tell.
        }
    }
    function change(next) {
        state = next;
        try {
            options.onStateChange?.(next);
        }
        catch (error) {
            report(error, "onStateChange");
        }
    }
    function end(error) {
        if (isOver())
            return;
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
            if (isOver())
                return;
            if (ending.refusal) {
                // Whoever waits for the first connection hears it; later nobody does.
                if (taken)
                    report(ending.refusal, "connecting");
                return end(ending.refusal);
            }
            if (ending.wasStable)
                attempt = 0;
            const bound = Math.min(PAUSE_MAX, PAUSE_BASE * 2 ** Math.max(0, attempt - 1));
            // Anywhere below the bound, so that many providers do not come back all at once.
            const delay = Math.random() * bound + (ending.retryAfter ?? 0);
            change({ status: "waiting", attempt, delay, reason: ending.reason ?? "" });
            await pause(delay, life.signal);
        }
    }
    /** One connection, from asking for the token to its end. Never rejects. */
    async function connect() {
        let token;
        try {
            token = typeof options.token === "function" ? await options.token() : options.token;
        }
        catch (error) {
            report(error, "asking for the token");
            return { reason: `no token: ${messageOf(error)}` };
        }
        if (isOver())
            return {};
        let socket;
        try {
            socket = open(Socket, url, token);
        }
        catch (error) {
            // No network is needed to find fault with a URL or a token, and none may be told the token.
            const said = messageOf(error);
            return { refusal: new TypeError(token ? said.replaceAll(token, "…") : said) };
        }
        const ending = await converse(socket);
        return ending.wasOpen || isOver() ? ending : probe(url, token, life.signal);
    }
    /** Speaks with the hub until the connection ends, for whatever reason. */
    function converse(socket) {
        const { promise, resolve } = deferred();
        const calls = callsOf({
            send,
            report,
            toolNamed: (name) => taken?.tools.get(name),
            isCrowded: () => socket.bufferedAmount > UNSENT_BYTES_MAX,
        });
        let wasOpen = false;
        let hasEnded = false;
        /** When it was registered first. */
        let registeredAt;
        let limits;
        let lastId = 0;
        /** The registration in flight. */
        let asked;
        let timer;
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
        function send(message) {
            const text = JSON.stringify({ jsonrpc: "2.0", ...message });
            if (limits)
                check(text, limits);
            if (socket.readyState === OPEN)
                socket.send(text);
        }
        function hangUp(ending) {
            if (hasEnded)
                return;
            hasEnded = true;
            clearTimeout(timer);
            advance = () => { };
            life.signal.removeEventListener("abort", leave);
            calls.abandon(`the hub is gone: ${ending.reason}`);
            gone = dispose(socket);
            const wasStable = Date.now() - registeredAt >= STABLE_TIME;
            resolve({ ...ending, wasOpen, wasStable });
        }
        function leave() {
            hangUp({ reason: messageOf(life.signal.reason) });
        }
        function register() {
            const offer = wanted?.offer ?? (registeredAt ? undefined : taken);
            if (asked || !offer)
                return;
            asked = { id: ++lastId, offer };
            try {
                const params = { provider, tools: offer.definitions };
                send({ id: lastId, method: "providers/register", params });
                expect();
            }
            catch (error) {
                refused(`the tools cannot be sent: ${messageOf(error)}`);
            }
        }
        function registered(registration) {
            const { offer } = asked;
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
        function refused(reason, data) {
            const { offer } = asked;
            asked = undefined;
            const refusal = new RefusedToolsError(reason, data?.tools);
            if (wanted?.offer !== offer) {
                // The hub has taken these before, and may again when something has changed there.
                return hangUp({ reason: refusal.message });
            }
            wanted.reject(refusal);
            wanted = undefined;
            if (taken)
                register();
            else
                hangUp({ refusal });
        }
        function received(text) {
            const { id, method, params, result, error } = JSON.parse(text);
            if (method === "tools/call") {
                calls.serve(id, params).catch((error) => report(error, "answering a call"));
            }
            else if (method === "notifications/cancelled") {
                calls.cancel(params.requestId, `the call was cancelled: ${params.reason}`);
            }
            else if (method === "ping") {
                send({ id, result: {} });
            }
            else if (method && id !== undefined) {
                const message = `there is no method ${method} here`;
                send({ id, error: { code: METHOD_NOT_FOUND, message } });
            }
            else if (asked && id === asked.id) {
                if (result)
                    registered(result);
                else
                    refused(error.message, error.data);
            }
            if (registeredAt && !asked && !hasEnded)
                heard();
        }
        socket.addEventListener("open", () => {
            if (hasEnded)
                return;
            wasOpen = true;
            advance = register;
            register();
        });
        socket.addEventListener("message", ({ data }) => {
            // What was still on its way when the line was given up concerns nobody any more.
            if (hasEnded)
                return;
            try {
                received(data);
            }
            catch (error) {
                report(error, "reading what the hub said");
            }
        });
        socket.addEventListener("error", () => {
            // After a refused handshake Node's WebSocket says no more than this; later "close" follows.
            if (!wasOpen)
                hangUp({});
        });
        socket.addEventListener("close", ({ code, reason }) => {
            if (hasEnded)
                return;
            if (asked && code === TOO_LARGE)
                refused(reason);
            const refusal = code === SUPERSEDED ? new ConnectionRefusedError(code, reason) : undefined;
            hangUp({ reason: reason ? `${code} ${reason}` : `the connection broke (${code})`, refusal });
        });
        life.signal.addEventListener("abort", leave);
        expect();
        return promise;
    }
    async function setTools(tools) {
        const offer = prepare(tools);
        const result = turn.then(() => {
            life.signal.throwIfAborted();
            const { promise, ...settle } = deferred();
            wanted = { offer, ...settle };
            advance();
            return promise;
        });
        turn = result.catch(() => { });
        return result;
    }
    async function close() {
        end();
        await gone;
    }
    const giveUp = () => end(options.signal.reason);
    options.signal?.throwIfAborted();
    options.signal?.addEventListener("abort", giveUp);
    try {
        const first = setTools(options.tools);
        void keepConnected();
        await first;
    }
    catch (error) {
        end(error);
        throw error;
    }
    finally {
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
// The connection.
function endpoint(url) {
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
function open(Socket, url, token) {
    if (!token)
        return new Socket(url, [SUBPROTOCOL]);
    const headers = { authorization: `Bearer ${token}` };
    // The package `ws`, an event emitter of Node's kind, has a third parameter for it.
    if (Socket.prototype?.on)
        return new Socket(url, [SUBPROTOCOL], { headers });
    try {
        return new Socket(url, { protocols: [SUBPROTOCOL], headers });
    }
    catch {
        // Whoever takes only names of protocols takes that object for a bad one.
        return new Socket(url, [SUBPROTOCOL, `bearer.${token}`]);
    }
}
/** A WebSocket does not tell why its handshake was refused; an ordinary request does. */
async function probe(url, token, life) {
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
    }
    catch (error) {
        return { reason: `the hub cannot be reached: ${messageOf(error)}` };
    }
}
/** Closes a socket that is no longer listened to, and waits a little for it to be gone. */
function dispose(socket) {
    const { promise, resolve } = deferred();
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
    if (!isOpen)
        done();
    return promise;
}
/** Waits, but no longer once the network is back or the client has ended. */
async function pause(delay, life) {
    const { promise, resolve } = deferred();
    const timer = setTimeout(resolve, delay);
    life.addEventListener("abort", resolve);
    globalThis.addEventListener?.("online", resolve);
    if (!life.aborted)
        await promise;
    globalThis.removeEventListener?.("online", resolve);
    life.removeEventListener("abort", resolve);
    clearTimeout(timer);
}
function deferred() {
    let settle;
    const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
    return { promise, ...settle };
}
/** Not `crypto.randomUUID()`, which pages served over plain HTTP do not have. */
function randomId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(36)).join("");
}
function messageOf(error) {
    return error instanceof Error ? error.message || error.name : String(error);
}
/** Fails if a message is larger than the hub takes, or nests more deeply. */
function check(text, { messageBytes, jsonDepth }) {
    const refuse = (amount, unit, max) => {
        if (amount > max)
            throw new RangeError(`${amount} ${unit} are more than the hub's ${max}`);
    };
    // Most texts are short: a letter takes three bytes at most, and a level two letters at least.
    if (text.length * 3 > messageBytes) {
        refuse(new TextEncoder().encode(text).length, "bytes", messageBytes);
    }
    if (text.length > jsonDepth * 2)
        refuse(depthOf(text), "levels", jsonDepth);
}
function depthOf(json) {
    let [depth, deepest, isQuoted] = [0, 0, false];
    for (let at = 0; at < json.length; at++) {
        const letter = json[at];
        // Only texts have these, so that what follows is one of a text.
        if (letter === "\\")
            at++;
        else if (letter === '"')
            isQuoted = !isQuoted;
        else if (isQuoted)
            continue;
        else if (letter === "[" || letter === "{")
            deepest = Math.max(deepest, ++depth);
        else if (letter === "]" || letter === "}")
            depth--;
    }
    return deepest;
}
// The calls.
/**
 * The calls that came on one connection, as many as the hub lets in flight. One that is not among
 * them any more, because it was answered, cancelled or lost, has nothing to say.
 */
function callsOf(line) {
    const calls = new Map();
    function cancel(id, reason) {
        const call = calls.get(id);
        calls.delete(id);
        call?.abort(new Error(reason));
    }
    function abandon(reason) {
        for (const id of [...calls.keys()])
            cancel(id, reason);
    }
    async function serve(id, params) {
        const { name } = params;
        const call = new AbortController();
        const isLive = () => calls.get(id) === call;
        /** Speaks the last word about the call. */
        function answer(words) {
            if (!isLive())
                return;
            calls.delete(id);
            try {
                line.send({ id, ...words });
            }
            catch (error) {
                line.report(error, `the result of ${name}`);
                line.send({ id, result: failure(`The result cannot be sent: ${messageOf(error)}`) });
            }
        }
        function tell(method, params) {
            if (!isLive() || line.isCrowded())
                return;
            try {
                line.send({ method, params });
            }
            catch (error) {
                line.report(error, `a notice of ${name}`);
            }
        }
        function suspend(result) {
            answer({ result });
            // The handler may catch this and go on; then it shall know that nobody listens.
            call.abort(new Error("the client is asked first; then the handler runs again"));
        }
        calls.set(id, call);
        try {
            const offered = line.toolNamed(name);
            // Not the caller's mistake: the tool went while the call was on its way.
            if (!offered)
                throw new RpcError(METHOD_NOT_FOUND, `there is no tool ${name} here`);
            answer({ result: await run(offered, params, call.signal, tell, suspend) });
        }
        catch (error) {
            if (error instanceof RpcError) {
                const { code, message, data } = error;
                answer({ error: { code, message, data } });
            }
            else if (isLive()) {
                line.report(error, `the tool ${name}`);
                answer({ result: failure(messageOf(error)) });
            }
        }
    }
    return { serve, cancel, abandon };
}
/** Turns what a program offers into what the hub is told; fails naming the tool. */
function prepare(offered) {
    const tools = new Map();
    const definitions = offered.map((one) => {
        const { tool } = one;
        tools.set(tool.name, one);
        const inputSchema = jsonSchema(tool.name, tool.inputSchema, "input");
        return tool.outputSchema
            ? { ...tool, inputSchema, outputSchema: jsonSchema(tool.name, tool.outputSchema, "output") }
            : { ...tool, inputSchema };
    });
    return { definitions, tools };
}
function jsonSchema(name, schema, direction) {
    if (!isStandard(schema))
        return schema;
    try {
        return schema["~standard"].jsonSchema[direction]({ target: "draft-2020-12" });
    }
    catch (cause) {
        throw new TypeError(`the ${direction}Schema of the tool ${name} cannot be made JSON Schema: ${messageOf(cause)}; ` +
            "use Zod 4.2 or newer, ArkType, Valibot's toStandardJsonSchema, or JSON Schema itself", { cause });
    }
}
function isStandard(schema) {
    return schema?.["~standard"] !== undefined;
}
/** Runs the handler and makes the result. Rejects as the handler does. */
async function run(offered, params, signal, tell, suspend) {
    const { _meta: meta, requestState, inputResponses } = params;
    const { progressToken } = meta;
    const capabilities = meta[`${META}clientCapabilities`] ?? {};
    const context = {
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
    let args = params.arguments ?? {};
    const schema = offered.tool.inputSchema;
    if (isStandard(schema)) {
        const validated = await schema["~standard"].validate(args);
        if (validated.issues)
            return failure(faults(validated.issues));
        args = validated.value;
    }
    return resultOf(await offered.handler(args, signal, context));
}
function faults(issues) {
    const told = issues.slice(0, ISSUES_MAX).map(({ path = [], message }) => {
        const keys = path.map((key) => String(typeof key === "object" ? key.key : key));
        return keys.length ? `${keys.join(".")}: ${message}` : message;
    });
    return `Invalid arguments: ${told.join("; ")}`;
}
/** The answers to each `ask` so far, in the order in which they were asked for. */
function recall(requestState = "[]") {
    try {
        const remembered = JSON.parse(requestState);
        if (Array.isArray(remembered) && remembered.every(isObject))
            return remembered;
    }
    catch {
        // It is not ours, as below.
    }
    throw new RpcError(INVALID_PARAMS, "`requestState` is none that this provider gave out");
}
/** Makes the `ask` of one run; `fresh` answers the first of the questions not yet `remembered`. */
function asking(remembered, fresh, capabilities, signal, suspend) {
    let next = 0;
    async function ask(questions) {
        signal.throwIfAborted();
        const asked = Object.entries(questions);
        const requests = asked.map(([key, question]) => [key, requestOf(question)]);
        refuseBeyond(capabilities, requests);
        const place = next++;
        if (place === remembered.length) {
            remembered.push(fresh ?? {});
            fresh = undefined;
        }
        const known = remembered[place];
        const answers = Object.fromEntries(asked.map(([key]) => [key, known[key]]));
        if (Object.values(answers).every(isObject))
            return (remembered[place] = answers);
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
        answers.catch(() => { });
        return answers;
    };
}
function requestOf(question) {
    if ("method" in question)
        return question;
    return { method: "elicitation/create", params: { mode: "form", ...question } };
}
/** Fails if a client that `can` do no more cannot be asked all of the requests. */
function refuseBeyond(can, requests) {
    const { elicitation, sampling, roots } = can;
    const required = {};
    for (const [, { method, params }] of requests) {
        if (method === "elicitation/create") {
            const mode = params.mode ?? "form";
            // Who says nothing of modes means forms.
            const isImplied = mode === "form" && elicitation && !elicitation.url;
            if (elicitation?.[mode] || isImplied)
                continue;
            required.elicitation = { ...required.elicitation, [mode]: {} };
        }
        else if (method === "sampling/createMessage") {
            if (params.tools && !sampling?.tools)
                required.sampling = { tools: {} };
            if (!sampling)
                required.sampling ??= {};
        }
        else if (method === "roots/list" && !roots) {
            required.roots = {};
        }
    }
    if (Object.keys(required).length)
        throw new MissingCapabilityError(required);
}
/** What a handler returned, as an MCP result. Fails if it is no JSON. */
function resultOf(value) {
    if (value === undefined)
        return { content: [] };
    if (typeof value === "string")
        return { content: [{ type: "text", text: value }] };
    const { content, resultType, structuredContent } = value ?? {};
    if (Array.isArray(content) || resultType)
        return value;
    let text;
    try {
        text = JSON.stringify(structuredContent ?? value);
    }
    catch (error) {
        throw new TypeError(`The result cannot be sent: ${messageOf(error)}`);
    }
    if (!text)
        throw new TypeError(`The result cannot be sent: a ${typeof value} is no JSON`);
    const shown = { content: [{ type: "text", text }] };
    if (structuredContent !== undefined)
        return { ...shown, ...value };
    return text.startsWith("{") ? { ...shown, structuredContent: value } : shown;
}
function failure(text) {
    return { content: [{ type: "text", text }], isError: true };
}
function isObject(value) {
    return typeof value === "object" && value !== null;
}
