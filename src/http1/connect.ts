import { connect as connectTcp, isIP, type OnReadOpts, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Http1Error } from "./error.ts";

/** Settings of TLS, as Node's. */
export interface TlsSettings {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Default: the host of the URL. */
  readonly servername?: string | undefined;
  readonly rejectUnauthorized?: boolean | undefined;
}

/**
 * Starts a connection to the server of a URL. `onReady` is called once it can be written to.
 * @param onread what takes the bytes; without it, the socket emits them
 */
export type Connect = (onReady: () => void, onread?: OnReadOpts) => Socket;

/** Connects to the server of an http or https URL, within `timeout` ms: otherwise the socket fails with `ETIMEDOUT`. */
export function createConnect({ protocol, hostname, port }: URL, timeout: number, tls?: TlsSettings): Connect {
  const isSecure = protocol === "https:";
  const host = hostname.replaceAll(/^\[|\]$/g, "");
  const common = { host, port: Number(port) || (isSecure ? 443 : 80), noDelay: true };
  const servername = tls?.servername ?? (isIP(host) === 0 ? host : "");
  /** The last TLS session, with which the next handshake is shorter. */
  let session: Buffer | undefined;

  function open(onread: OnReadOpts | undefined): Socket {
    const options = { ...common, ...(onread && { onread }) };
    if (!isSecure) return connectTcp(options);
    const settings = { ...tls, servername, ALPNProtocols: ["http/1.1"], ...(session && { session }) };
    return connectTls({ ...settings, ...options }).on("session", (next: Buffer) => (session = next));
  }

  return (onReady, onread) => {
    const socket = open(onread);
    const late = (): void => void socket.destroy(new Http1Error("ETIMEDOUT", "no connection in time"));
    const timer = setTimeout(late, timeout);
    const stop = (): void => clearTimeout(timer);
    return socket.once("close", stop).once(isSecure ? "secureConnect" : "connect", () => {
      stop();
      socket.off("close", stop);
      onReady();
    });
  };
}
