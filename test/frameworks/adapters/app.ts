import type { AuthorizeResult, EmbeddedGateway } from "../../../src/index.ts";

/** What an application of the contract suite contains beside the gateway. */
export interface AppParts {
  readonly gateway: EmbeddedGateway;
  /** A longest duration, as an option of the adapter. */
  readonly maxDuration?: number;
  /**
   * Whether the framework's own guard runs in front of the gateway: it refuses the user `nobody` with 401, and hands on
   * all others, of whom the option `grant` makes what {@link grantOf} says.
   */
  readonly guard?: boolean;
}

/** An application that listens, in some framework. */
export interface App {
  /** Sends a request to the application. */
  request(path: string, init?: AppRequest): Promise<Response>;
  /** Ends the application as its users do: with the gateway drained, and the server closed when all responses have ended. */
  close(): Promise<void>;
}

export interface AppRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

/**
 * A framework. Its applications compress responses, allow the origin {@link origin} by their own CORS, parse JSON bodies and
 * text before the gateway, and serve the gateway below `/live` and, in a nested router, below `/api/v1/live`. They answer
 * `/hello` with `hello`, and all other paths with 404 and the text `the application has no such page`.
 */
export interface Framework {
  readonly name: string;
  /** Whether the gateway reads bodies itself, although the application has a body parser. */
  readonly keepsBodies: boolean;
  /** Whether clients connect to it by TCP, so that their addresses are known. */
  readonly listens: boolean;
  start(parts: AppParts): Promise<App>;
}

/** An origin that the applications allow. */
export const origin = "https://app.example";

/** The answer of the applications to unknown paths. */
export const notFound = "the application has no such page";

/** The rights of a user in the applications. */
export function grantOf(user: string | undefined): AuthorizeResult | undefined {
  if (user === "throws") throw new Error("the user database is down");
  if (user === undefined || user === "stranger") return undefined;
  return { subject: user, can: ["subscribe", "publish"], streams: ["orders"], channels: [`user:${user}`] };
}
