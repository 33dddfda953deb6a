import { SpillwayError } from "../errors.ts";
import type { Logger } from "../util/logger.ts";
import { readAuthorizeResult } from "./authorize-result.ts";
import { createAuthorizeService } from "./authorize-service.ts";
import type { AuthorizeFunction } from "./authorize.ts";
import type { AuthorizeRequest } from "./credentials.ts";
import { fingerprint } from "./fingerprint.ts";
import type { Identity, Recognition } from "./identity.ts";
import type { AuthorizeOptions } from "./options.ts";

/** The user's own decision, whoever takes it. */
export interface Authorizer {
  /** What those are recognized by whom it lets in. */
  readonly recognized: Recognition & { readonly by: "authorize" };
  /**
   * Who sends a request.
   * @throws {SpillwayError} `credential-invalid`, `credential-expired`, `access-denied`, `authorize-unavailable`.
   */
  identify(request: AuthorizeRequest, stream: string | undefined): Promise<Identity>;
}

export interface AuthorizerDependencies {
  /** The address that the service is told. */
  readonly addressOf: (request: AuthorizeRequest) => string | undefined;
  readonly logger: Logger;
}

/** Makes the authorizer for a function or a service. */
export function createAuthorizer(
  authorize: AuthorizeOptions | AuthorizeFunction,
  dependencies: AuthorizerDependencies,
): Authorizer {
  const isFunction = typeof authorize === "function";
  const recognized = { by: "authorize", under: isFunction ? numberOf(authorize) : fingerprint(authorize) } as const;
  if (!isFunction) return { recognized, identify: createAuthorizeService(authorize, recognized, dependencies) };
  return {
    recognized,
    identify: (request, stream) => callFunction(authorize, { request, stream }, recognized, dependencies.logger),
  };
}

async function callFunction(
  authorize: AuthorizeFunction,
  call: Parameters<AuthorizeFunction>[0],
  recognized: Recognition,
  logger: Logger,
): Promise<Identity> {
  try {
    const result = await authorize(call);
    if (result !== undefined) return readAuthorizeResult(result, recognized);
  } catch (error) {
    if (error instanceof SpillwayError) throw error;
    logger.error({ err: error }, "the authorize function failed");
    throw new SpillwayError("authorize-unavailable");
  }
  throw new SpillwayError("access-denied");
}

const numbers = new WeakMap<AuthorizeFunction, string>();
let made = 0;

/** Functions have no value to compare: what two of them decide is the same only if they are one. */
function numberOf(authorize: AuthorizeFunction): string {
  const number = numbers.get(authorize) ?? String(++made);
  numbers.set(authorize, number);
  return number;
}
