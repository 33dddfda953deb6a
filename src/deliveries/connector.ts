import { lookup as systemLookup, type LookupAddress, type LookupAllOptions, type LookupOptions } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { buildConnector } from "undici";
import { isPublicAddress } from "../util/ip-address.ts";

/** The endpoint has an address that is not public. */
export class AddressDenied extends Error {
  override readonly name = "AddressDenied";
}

/** Resolves a name to all of its addresses. */
export type Resolve = (
  host: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface ConnectorOptions {
  /** How long connecting may take, in ms. */
  readonly timeout: number;
  /** Whether addresses that are not public are allowed. */
  readonly allowPrivate: boolean;
  /** Default: the system's resolver. */
  readonly resolve?: Resolve;
}

/**
 * Makes a connector that refuses names and addresses of private networks. A name is resolved once per connection, and
 * the connection goes to an address that was checked, so that a second, different answer of the DNS has no effect.
 */
export function createConnector({ timeout, allowPrivate, resolve }: ConnectorOptions): buildConnector.connector {
  const isAllowed = allowPrivate ? (): boolean => true : isPublicAddress;
  const connect = buildConnector({ timeout, lookup: createLookup(isAllowed, resolve) });
  return (options, callback) => {
    const host = options.hostname.replaceAll(/^\[|\]$/g, "");
    // An address is not looked up.
    if (isIP(host) !== 0 && !isAllowed(host)) callback(new AddressDenied(), null);
    else connect(options, callback);
  };
}

/** One lookup per name at a time, because lookups that hang would occupy the threads that others need. */
function createLookup(isAllowed: (address: string) => boolean, resolve: Resolve = systemLookup): LookupFunction {
  const running = new Map<string, Promise<LookupAddress[]>>();

  function find(host: string, options: LookupOptions): Promise<LookupAddress[]> {
    const known = running.get(host);
    if (known) return known;
    const found = new Promise<LookupAddress[]>((done, fail) =>
      resolve(host, { ...options, all: true }, (error, addresses) => (error ? fail(error) : done(addresses))),
    ).finally(() => running.delete(host));
    running.set(host, found);
    return found;
  }

  return (host, options, callback) => {
    find(host, options).then(
      (addresses) => {
        const [first] = addresses;
        if (!first || !addresses.every(({ address }) => isAllowed(address))) callback(new AddressDenied(), "");
        else if (options.all) callback(null, addresses);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => callback(error as NodeJS.ErrnoException, ""),
    );
  };
}
