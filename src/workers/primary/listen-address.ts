import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { SpillwayError } from "../../errors.ts";

type Address = { readonly host: string; readonly port: number };

/**
 * The address with a free port in the place of 0. Workers that each ask for port 0 share one, but when all of them die at once the
 * next would get another.
 * @throws {SpillwayError} `listen-failed`
 */
export async function withPort(address: Address): Promise<Address> {
  if (address.port !== 0) return address;
  const server = createServer().listen(address);
  try {
    await once(server, "listening");
  } catch (cause) {
    const reason = `cannot listen on ${address.host}:0: ${(cause as NodeJS.ErrnoException).code}`;
    throw new SpillwayError("listen-failed", reason, { field: "listen", cause });
  }
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return { ...address, port };
}
