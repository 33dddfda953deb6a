import { openSocket } from "./open-socket.ts";

/** More is not needed to know a server by its words, in bytes. */
const enough = 4_096;

/**
 * What the first server that reads HTTP answers to a request with a malformed header line. Servers refuse it by themselves and
 * in words of their own, also those that leave no trace in what they pass on.
 * @returns the answer, shortened; `""` where none came in time
 */
export async function askForRefusal(url: URL, timeout: number): Promise<string> {
  const socket = await openSocket(url, ["http/1.1"], timeout).catch(() => undefined);
  if (!socket) return "";
  return new Promise((resolve) => {
    let answer = "";
    const settle = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer.slice(0, enough));
    };
    const timer = setTimeout(settle, timeout);
    socket.on("data", (piece: Buffer) => {
      answer += piece.toString("latin1");
      if (answer.length >= enough) settle();
    });
    socket.once("close", settle);
    // A server may take the end of what is sent for a client that has gone, so this side stays open.
    socket.write(`GET / HTTP/1.1\r\nHost: ${url.host}\r\nmalformed header\r\n\r\n`);
  });
}
