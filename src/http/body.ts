import { addressKey } from "../util/ip-address.ts";
import type { BodyForm, HttpRequest } from "./message.ts";
import type { Caller, GatewayContext } from "./gateway-context.ts";

/**
 * Reads the body of a request and calls `use` with it. Until that is done, the body counts against the limit of all
 * request bodies, of which one address (or one subject, if addresses are unknown) gets at most half.
 * @throws {SpillwayError} `body-too-large`, `body-consumed`, `overloaded`; what `use` throws.
 */
export async function withBody<T>(
  request: HttpRequest,
  { identity, address }: Caller,
  { bodies }: Pick<GatewayContext, "bodies">,
  limit: number,
  use: (body: Buffer) => T | Promise<T>,
  form: BodyForm = "equivalent",
): Promise<T> {
  const share = bodies.open(address === undefined ? identity.subject : addressKey(address));
  try {
    return await use(await request.body(limit, share.take, form));
  } finally {
    share.close();
  }
}
