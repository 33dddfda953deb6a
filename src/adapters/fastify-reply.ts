import type { ServerResponse } from "node:http";

/** A reply of Fastify, as far as it is used. */
export interface Reply {
  readonly raw: ServerResponse;
  getHeaders(): Readonly<Record<string, number | string | string[] | undefined>>;
  hijack(): unknown;
}

/** Leaves the response to the gateway, with the headers that hooks have set. */
export function leaveReply(reply: Reply): void {
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) reply.raw.setHeader(name, value);
  reply.hijack();
}
