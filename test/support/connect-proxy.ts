import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { portOf } from "./ports.ts";

/** An HTTP proxy that opens tunnels (RFC 9110 section 9.3.6). */
export interface ConnectProxy {
  readonly url: string;
  /** The host and port of each requested tunnel, with the credentials sent. */
  readonly requests: { readonly authority: string; readonly authorization: string | undefined }[];
  /** TCP connections from clients that are open now. */
  open(): number;
  /** How to answer the next tunnels: open them, refuse them with a status, close the connection, or do nothing. */
  behave(how: "open" | "refuse" | "close" | "hang"): void;
  close(): Promise<void>;
}

/** Starts a proxy on 127.0.0.1. */
export async function startConnectProxy(): Promise<ConnectProxy> {
  const requests: { authority: string; authorization: string | undefined }[] = [];
  const sockets = new Set<Socket>();
  let how: Parameters<ConnectProxy["behave"]>[0] = "open";
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
  });
  server.on("connect", (request, client: Socket) => {
    const authority = request.url ?? "";
    client.on("end", () => client.end());
    requests.push({ authority, authorization: request.headers["proxy-authorization"] });
    if (how === "refuse") client.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
    else if (how === "close") client.destroy();
    else if (how === "hang") client.resume();
    else tunnel(authority, client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    requests,
    open: () => sockets.size,
    behave: (next) => void (how = next),
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function tunnel(authority: string, client: Socket): void {
  const { hostname, port } = new URL(`http://${authority}`);
  const remote = connect(Number(port || 80), hostname, () => {
    client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    client.pipe(remote).pipe(client);
  });
  remote.on("error", () => client.destroy()).on("close", () => client.destroy());
  client.on("close", () => remote.destroy());
}
