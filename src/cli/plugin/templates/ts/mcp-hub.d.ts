// wit/plugin.wit in the words of TypeScript. What things mean is written there.

declare module "mcp-hub:plugin/host@0.1.0" {
  type Level =
    | "debug" | "info" | "notice" | "warning" | "error" | "critical" | "alert" | "emergency";

  const host: {
    log(level: Level, message: string): void;
    progress(progress: number, total: number | null, message: string | null): void;
    cancelled(): boolean;
    config(key: string): string | null;
  };
  export default host;
}

declare module "mcp-hub:plugin/tools@0.1.0" {
  interface Tools {
    /** Throws a `string`: why the plugin cannot work. */
    listTools(): Tool[];
    /** Throws a `CallError`. */
    callTool(request: Request): Outcome;
  }

  interface Tool {
    name: string;
    title?: string;
    description?: string;
    inputSchema: string;
    outputSchema?: string;
    annotations?: Annotations;
    meta?: string;
  }

  interface Annotations {
    title?: string;
    readOnly?: boolean;
    destructive?: boolean;
    idempotent?: boolean;
    openWorld?: boolean;
  }

  interface Request {
    name: string;
    arguments: string;
    inputResponses: string | null;
    requestState: string | null;
    meta: string;
  }

  type Outcome =
    | { tag: "complete"; val: ToolResult }
    | { tag: "input-required"; val: InputRequired };

  interface ToolResult {
    content: Content[];
    structuredContent?: string;
    isError: boolean;
    meta?: string;
  }

  interface InputRequired {
    inputRequests: string;
    requestState?: string;
  }

  type Content =
    | { tag: "text"; val: string }
    | { tag: "image"; val: Blob }
    | { tag: "audio"; val: Blob }
    | { tag: "resource"; val: EmbeddedResource }
    | { tag: "resource-link"; val: ResourceLink }
    | { tag: "json"; val: string };

  interface Blob {
    data: Uint8Array;
    mimeType: string;
  }

  interface EmbeddedResource {
    uri: string;
    mimeType?: string;
    body: { tag: "text"; val: string } | { tag: "blob"; val: Uint8Array };
  }

  interface ResourceLink {
    uri: string;
    name: string;
    title?: string;
    description?: string;
    mimeType?: string;
    size?: number;
  }

  type CallError =
    | { tag: "unknown-tool"; val: string }
    | { tag: "invalid-arguments"; val: string }
    | { tag: "failed"; val: string }
    | { tag: "cancelled" };
}
