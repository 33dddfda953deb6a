import type { IncomingMessage } from "node:http";

/** A request of Express or Fastify, as far as it is used. */
export interface FrameworkRequest {
  readonly method: string;
  readonly url: string;
  readonly ip?: string;
  readonly protocol: string;
  readonly body?: unknown;
  readonly rawBody?: unknown;
  /** Of Fastify. */
  readonly raw?: IncomingMessage;
  /** Of Fastify. */
  readonly routeOptions?: { readonly url?: string };
  /** Of Express. */
  readonly route?: { readonly path: string };
}
