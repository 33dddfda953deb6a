import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";

/** Where a URL leads. */
interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Connects to a URL's host, with TLS where the scheme says so.
 * @param protocols what to offer for HTTP in TLS (ALPN)
 * @throws the socket's error; one with the code `ETIMEDOUT` after `timeout` ms.
 */
export function openSocket(url: URL, protocols: readonly string[], timeout: number): Promise<Socket> {
  const secure = url.protocol === "https:";
  const address = addressOf(url);
  const socket = secure
    ? connectTls({ ...address, ...serverName(address.host), ALPNProtocols: [...protocols] })
    : connectTcp(address);
  return new Promise((resolve, reject) => {
    const late = (): void => void socket.destroy(Object.assign(new Error("no connection"), { code: "ETIMEDOUT" }));
    const timer = setTimeout(late, timeout);
    socket.once("error", reject);
    socket.once("close", () => clearTimeout(timer));
    socket.once(secure ? "secureConnect" : "connect", () => {
      clearTimeout(timer);
      socket.off("error", reject);
      // Whoever uses it listens too; until then an error must not end the process.
      socket.on("error", () => {});
      resolve(socket);
    });
  });
}

/** Whether the two sides agreed on HTTP/2. */
export function speaksHttp2(socket: Socket): boolean {
  return (socket as Partial<TLSSocket>).alpnProtocol === "h2";
}

function addressOf({ hostname, port, protocol }: URL): Address {
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return { host, port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port) };
}

/** An address is no name that a server could be asked for by. */
function serverName(host: string): { servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {};
}
