/**
 * The provider client of MCP Hub: connects to a hub, puts tools on offer and answers calls of them,
 * for as long as it is not closed and whatever happens to the line.
 *
 * One file without dependencies, for Node 22, Deno, Bun and browsers. The types come first, then
 * what a program calls, then the connection, then what happens to one call.
 */
/** A JSON Schema, of the dialect 2020-12 unless it says otherwise. */
export type JsonSchema = {
    readonly [keyword: string]: unknown;
};
/** An MCP tool as the hub takes it and shows it to clients. */
export interface Tool {
    /** Matches `[A-Za-z0-9_.-]{1,128}`; some clients cut names beyond 64 letters. */
    name: string;
    title?: string;
    description?: string;
    inputSchema: JsonSchema;
    outputSchema?: JsonSchema;
    annotations?: ToolAnnotations;
    icons?: readonly {
        src: string;
        mimeType?: string;
        sizes?: readonly string[];
        theme?: string;
    }[];
    _meta?: {
        readonly [key: string]: unknown;
    };
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
    provider: {
        name: string;
        version?: string;
        instanceId?: string;
    };
    tools: readonly Tool[];
}
/** The hub's answer to a tool set that it has taken. */
export interface RegisterResult {
    providerId: string;
    /** The user whose tools these are now. */
    user: string;
    hub: {
        name: string;
        version: string;
    };
    limits: {
        messageBytes: number;
        callsInFlight: number;
        tools: number;
        jsonDepth: number;
    };
    /** Where each tool stands among those of the same name; position 1 is called first. */
    tools: {
        name: string;
        position: number;
        of: number;
    }[];
    warnings?: string[];
}
/** The `data` of the error that refuses a tool set as a whole. */
export interface RefusedTools {
    tools: {
        index: number;
        name: string | null;
        reason: string;
    }[];
}
/** The parameters of `tools/call`. */
export interface CallParams {
    name: string;
    arguments?: {
        [name: string]: unknown;
    };
    /** The client's answers to what the call before this one asked. */
    inputResponses?: {
        [key: string]: unknown;
    };
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
    _meta: {
        progressToken: number;
    };
}
/** Severities of RFC 5424, least severe first. */
export type LogLevel = "debug" | "info" | "notice" | "warning" | "error" | "critical" | "alert" | "emergency";
/** What the calling client says of itself. */
export interface ClientInfo {
    name: string;
    version: string;
    [member: string]: unknown;
}
/** What the calling client can be asked. */
export interface ClientCapabilities {
    elicitation?: {
        form?: object;
        url?: object;
    };
    sampling?: {
        tools?: object;
        context?: object;
    };
    roots?: object;
    [capability: string]: unknown;
}
/** One part of a result's content. */
export type Content = {
    type: "text";
    text: string;
    [member: string]: unknown;
} | {
    type: "image" | "audio";
    data: string;
    mimeType: string;
    [member: string]: unknown;
} | {
    type: "resource_link";
    uri: string;
    name: string;
    [member: string]: unknown;
} | {
    type: "resource";
    resource: {
        uri: string;
        [member: string]: unknown;
    };
    [member: string]: unknown;
};
/** An MCP tool result. */
export interface CallResult {
    content?: Content[];
    structuredContent?: unknown;
    isError?: boolean;
    resultType?: string;
    _meta?: {
        [key: string]: unknown;
    };
}
/** A schema of a library that speaks Standard Schema, such as Zod, Valibot or ArkType. */
export interface StandardSchema<Input = unknown, Output = Input> {
    readonly "~standard": {
        readonly version: 1;
        readonly vendor: string;
        readonly validate: (value: unknown) => Validated<Output> | Promise<Validated<Output>>;
        readonly types?: {
            readonly input: Input;
            readonly output: Output;
        } | undefined;
        /** The Standard JSON Schema extension. */
        readonly jsonSchema?: {
            input(options: {
                target: "draft-2020-12";
            }): Record<string, unknown>;
            output(options: {
                target: "draft-2020-12";
            }): Record<string, unknown>;
        };
    };
}
type Validated<Output> = {
    readonly value: Output;
    readonly issues?: undefined;
} | {
    readonly issues: readonly Issue[];
};
interface Issue {
    readonly message: string;
    readonly path?: readonly (PropertyKey | {
        readonly key: PropertyKey;
    })[] | undefined;
}
export type InputSchema = JsonSchema | StandardSchema<any, any>;
/**
 * What a handler gets for arguments that match the schema. Those of a Standard Schema have been
 * validated and are its output. Those of a plain JSON Schema are as the client sent them: its type
 * is what the schema promises, as far as simple schemas tell, and nobody has checked it.
 */
export type ArgumentsOf<Schema> = Schema extends {
    readonly "~standard": {
        readonly types?: infer Types;
    };
} ? NonNullable<Types> extends {
    readonly output: infer Output;
} ? Output : unknown : Described<Schema> extends infer Value extends object ? Value : Record<string, unknown>;
interface Primitives {
    string: string;
    number: number;
    integer: number;
    boolean: boolean;
    null: null;
}
type Described<Schema> = 0 extends 1 & Schema ? any : Schema extends {
    const: infer Value;
} ? Value : Schema extends {
    enum: readonly (infer Value)[];
} ? Value : Schema extends {
    type: infer Type extends keyof Primitives;
} ? Primitives[Type] : Schema extends {
    type: "array";
    items: infer Item;
} ? Described<Item>[] : Schema extends {
    type: "object";
    properties: infer Members;
} ? {
    [Name in Exclude<keyof Members, Demanded<Schema>>]?: Described<Members[Name]>;
} & {
    [Name in keyof Members & Demanded<Schema>]: Described<Members[Name]>;
} : unknown;
type Demanded<Schema> = Schema extends {
    required: readonly (infer Name)[];
} ? Name : never;
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
export declare function defineTool<const Schema extends InputSchema>(offered: OfferedTool<Schema>): OfferedTool<Schema>;
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
    readonly client: {
        readonly info?: ClientInfo;
        readonly capabilities: ClientCapabilities;
    };
    /** The call's `_meta`, as it came. */
    readonly meta: CallMeta;
}
/** A question to the client: an MCP request, or, for short, the parameters of a form alone. */
export type Question = Form | {
    readonly method: "elicitation/create";
    readonly params: Form | Visit;
} | {
    readonly method: "sampling/createMessage";
    readonly params: Sampling;
} | {
    readonly method: "roots/list";
    readonly params?: object;
};
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
    readonly messages: readonly {
        readonly role: "user" | "assistant";
        readonly content: unknown;
    }[];
    readonly maxTokens: number;
    readonly [member: string]: unknown;
}
export type Questions = {
    readonly [key: string]: Question;
};
export type Answers<Asked extends Questions> = {
    -readonly [Key in keyof Asked]: Asked[Key] extends {
        readonly method: "sampling/createMessage";
    } ? {
        role: "user" | "assistant";
        content: any;
        model: string;
        stopReason?: string;
    } : Asked[Key] extends {
        readonly method: "roots/list";
    } ? {
        roots: {
            uri: string;
            name?: string;
        }[];
    } : {
        action: "accept" | "decline" | "cancel";
        content?: Record<string, any>;
    };
};
/** How the client stands with the hub. */
export type State = {
    readonly status: "connecting";
    /** 1 for the first try, and for the first after a connection that was good for a while. */
    readonly attempt: number;
} | {
    readonly status: "registered";
    readonly registration: RegisterResult;
} | {
    readonly status: "waiting";
    /** How many tries have failed; 0 after a connection that was good for a while. */
    readonly attempt: number;
    /** Milliseconds until the next try. */
    readonly delay: number;
    /** Why the last one ended. */
    readonly reason: string;
} | {
    readonly status: "closed"; /** Absent after `close()`. */
    readonly error?: Error;
};
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
export declare class ConnectionRefusedError extends Error {
    name: string;
    readonly code: number;
    constructor(code: number, reason: string);
}
/** The hub has not taken a tool set; `tools` says what is wrong with which. */
export declare class RefusedToolsError extends Error {
    name: string;
    readonly tools: RefusedTools["tools"];
    constructor(reason: string, tools?: RefusedTools["tools"]);
}
/**
 * Thrown by a handler, it answers the call with a JSON-RPC error, so that the hub tries another
 * provider.
 */
export declare class RpcError extends Error {
    name: string;
    readonly code: number;
    readonly data: unknown;
    constructor(code: number, message: string, data?: unknown);
}
/** The client cannot be asked this; a handler that does not mind may catch it. */
export declare class MissingCapabilityError extends RpcError {
    name: string;
    readonly requiredCapabilities: ClientCapabilities;
    constructor(requiredCapabilities: ClientCapabilities);
}
/**
 * Connects to a hub and puts `tools` on offer. Resolves when the hub has taken them.
 *
 * It goes on trying while the hub cannot be reached, and connects again whenever the line breaks.
 * Rejects with `ConnectionRefusedError` if the hub does not let it in, and with `RefusedToolsError`
 * if it does not take the tools.
 */
export declare function connectProviderClient<const Schemas extends readonly InputSchema[]>(options: ConnectOptions & {
    tools: {
        [Index in keyof Schemas]: OfferedTool<Schemas[Index]>;
    };
}): Promise<ProviderClient>;
export {};
