import { inspect } from "node:util";
import { createAccess, type Access, type AccessDependencies } from "../../../src/access/access.ts";
import type { AuthorizeRequest } from "../../../src/access/authorize.ts";
import type { AccessOptions } from "../../../src/access/options.ts";
import type { Identity } from "../../../src/access/identity.ts";
import { createTickets } from "../../../src/access/tickets.ts";
import type { AccessConfig } from "../../../src/config/config.ts";
import { accessSchema } from "../../../src/config/access.ts";
import { SpillwayError } from "../../../src/errors.ts";
import { silentLogger } from "../../../src/util/logger.ts";

/** The access of a configuration as its author writes it; the gateway's own origin is `https://gateway.example`. */
export function accessOf(config: AccessConfig, dependencies: Partial<AccessDependencies> = {}): Access {
  const options = accessSchema.parse(config);
  return createAccess(options, {
    tickets: createTickets(options.tickets),
    originOf: () => "https://gateway.example",
    logger: silentLogger,
    ...dependencies,
  });
}

/** What tickets are made by where a test does not say. */
export const ticketRules: AccessOptions["tickets"] = accessSchema.parse({ tickets: { firstUse: "60s" } }).tickets;

export interface RequestParts {
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly address?: string;
}

export function requestOf({
  method = "GET",
  path = "/streams/prices",
  query = "",
  headers = {},
  address,
}: RequestParts): AuthorizeRequest {
  return { method, path, query: new URLSearchParams(query), header: (name) => headers[name], address };
}

export function bearer(text: string): AuthorizeRequest {
  return requestOf({ headers: { authorization: `Bearer ${text}` } });
}

/** Who is recognized, or the code of the refusal. */
export async function outcome(access: Access, request: AuthorizeRequest, stream?: string): Promise<Identity | string> {
  try {
    return await access.identify(request, stream);
  } catch (error) {
    if (error instanceof SpillwayError) return error.code;
    throw error;
  }
}

/** The subject of who is recognized, or the code of the refusal. */
export async function subjectOf(access: Access, request: AuthorizeRequest, stream?: string): Promise<string> {
  const result = await outcome(access, request, stream);
  return typeof result === "string" ? result : result.subject;
}

/** The error of an action that must fail. */
export async function errorOf(action: () => unknown): Promise<SpillwayError> {
  try {
    await action();
  } catch (error) {
    if (error instanceof SpillwayError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** All that an error says to who logs it. */
export function said(error: unknown): string {
  return inspect(error, { depth: 10 });
}
