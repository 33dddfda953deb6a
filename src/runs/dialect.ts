import { encodeEvent } from "../sse/index.ts";
import { parseJson } from "../util/json-pointer.ts";
import { dataOf } from "./blocks.ts";
import type { Dialect } from "./options.ts";

/** What a block of a response says about it. */
export interface BlockFacts {
  /** No block follows. */
  readonly isLast?: boolean | undefined;
  /** It reports an error. */
  readonly isFailure?: boolean | undefined;
  /** The id under which the API knows the response. */
  readonly responseId?: string | undefined;
}

/** How an API's responses end, and how its clients are told of an error. */
export interface DialectRules {
  /** Looks at a block. */
  inspect(block: string): BlockFacts | undefined;
  /** Blocks that end a response with an error, so that the API's own clients raise it; absent where there are no words for it. */
  failure?(code: string, message: string): string;
  /** Blocks that end a response that was stopped on request. */
  readonly cancelled: string;
}

const done = "data: [DONE]\n\n";

function event(data: object, type?: string): string {
  return encodeEvent({ event: type, data: JSON.stringify(data) });
}

/** Whether a block consists of `[DONE]`. */
function isDone(block: string): boolean {
  return /^data: ?\[DONE\]\n$/.test(block);
}

/** The type of a block's event. */
function typeOf(block: string): string | undefined {
  return /^event: ?(.*)$/m.exec(block)?.[1];
}

const openai: DialectRules = {
  inspect(block) {
    if (block.startsWith("data:")) {
      if (isDone(block)) return { isLast: true };
      return /^data: ?\{\s*"error"/.test(block) ? { isFailure: true } : undefined;
    }
    const type = typeOf(block);
    switch (type) {
      case "response.created":
        return { responseId: responseIdOf(block) };
      case "response.completed":
      case "response.incomplete":
        return { isLast: true };
      case "response.failed":
      case "error":
        return { isLast: true, isFailure: true };
      case undefined:
      default:
        return undefined;
    }
  },
  failure: (code, message) => event({ error: { message, type: "server_error", param: null, code } }),
  cancelled: done,
};

/** The id in `response.created` of the Responses API. */
function responseIdOf(block: string): string | undefined {
  const data = parseJson(dataOf(block) ?? "") as { readonly response?: { readonly id?: unknown } } | undefined;
  const id = data?.response?.id;
  return typeof id === "string" && /^[\w-]{1,128}$/.test(id) ? id : undefined;
}

const anthropic: DialectRules = {
  inspect(block) {
    const type = typeOf(block);
    if (type === "error") return { isLast: true, isFailure: true };
    return type === "message_stop" ? { isLast: true } : undefined;
  },
  failure: (_, message) => event({ type: "error", error: { type: "api_error", message } }, "error"),
  cancelled: event({ type: "message_stop" }, "message_stop"),
};

const aiSdk: DialectRules = {
  inspect(block) {
    if (isDone(block)) return { isLast: true };
    return /^data: ?\{\s*"type"\s*:\s*"error"/.test(block) ? { isFailure: true } : undefined;
  },
  failure: (_, message) => event({ type: "error", errorText: message }) + event({ type: "finish" }) + done,
  cancelled: event({ type: "abort" }) + done,
};

const none: DialectRules = { inspect: () => undefined, cancelled: "" };

/** The rules of each dialect. */
export const dialects: Readonly<Record<Dialect, DialectRules>> = { openai, anthropic, "ai-sdk": aiSdk, none };
