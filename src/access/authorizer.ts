import { SpillwayError } from "../errors.ts";
import type { Logger } from "../util/logger.ts";
import { createAuthorizeService, type AuthorizerDependencies } from "./authorize-service.ts";
import { readAuthorizeResult, type AuthorizeFunction, type AuthorizeRequest } from "./authorize.ts";
import type { Identity, Recognition } from "./identity.ts";
import type { AuthorizeOptions } from "./options.ts";
import { fingerprint } from "./secret-hash.ts";

/** The user's own access decision, by a function or a service. */
export interface Authorizer {
  /** How admitted clients are identified. */
  readonly recognized: Recognition & { readonly by: "authorize" };
  /**
   * Who sends a request.
   * @throws {SpillwayError} `credential-invalid`, `credential-expired`, `access-denied`, `authorize-unavailable`.
   */
  identify(request: AuthorizeRequest, stream: string | undefined): Promise<Identity>;
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
