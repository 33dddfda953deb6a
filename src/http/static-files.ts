import { realpath } from "node:fs/promises";
import { STATUS_CODES } from "node:http";
import { posix, sep } from "node:path";
import { send } from "@fastify/send";
import type { HttpBody, HttpFile, HttpRequest } from "./message.ts";

/** Serves the files of a folder; `undefined` if there is no file for the path, or the path belongs to the gateway. */
export type StaticFiles = (request: HttpRequest) => Promise<HttpBody | HttpFile | undefined>;

/** Below these paths the gateway answers by itself, now and in later versions. */
const reserved = /^\/(streams|api|admin)(\/|$)/;

/** What a conditional or partial request says (RFC 9110 §13 and §14). */
const conditions = ["range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"];

/** What pages are written with, scripts and styles of their own and of others included, is left to them; a page may say more by `<meta>`. */
const safety = {
  "X-Content-Type-Options": "nosniff",
  "Content-Security-Policy": "base-uri 'self'; object-src 'none'; frame-ancestors 'self'",
  "Referrer-Policy": "strict-origin-when-cross-origin",
};

/** Makes it for a folder, given by its real path. Names that begin with a dot, and what links lead to outside of it, are not there. */
export function createStaticFiles(folder: string): StaticFiles {
  const assertInside = async (path: string, stats: { isFile(): boolean }): Promise<void> => {
    const real = await realpath(path);
    if (!stats.isFile() || !real.startsWith(folder.endsWith(sep) ? folder : folder + sep)) throw new Hidden();
  };
  const options = { root: folder, dotfiles: "ignore", onFile: assertInside } as const;
  return async (request) => {
    const { method, path } = request;
    if ((method !== "GET" && method !== "HEAD") || reserved.test(path)) return undefined;
    try {
      const found = await send(toSendable(request), path === "" ? "/" : path, options);
      const { statusCode: status, stream } = found;
      if (found.type === "file") {
        const headers = { ...textOf(found.headers), ...safety };
        if (method === "GET" && status !== 304) return { status, headers, file: stream };
        return { status, headers };
      }
      if (found.type === "directory") return redirect(path);
      if (status === 500) throw found.metadata.error;
      return status === 412 || status === 416 ? refusal(status, found.headers["Content-Range"]) : undefined;
    } catch (error) {
      if (error instanceof Hidden) return undefined;
      throw error;
    }
  };
}

/** A file that is not for clients. */
class Hidden extends Error {}

/** The part of a Node request that the library reads. */
function toSendable(request: HttpRequest): Parameters<typeof send>[0] {
  const headers: Record<string, string> = {};
  for (const name of conditions) {
    const value = request.header(name);
    if (value !== undefined) headers[name] = value;
  }
  return { method: request.method, headers } as unknown as Parameters<typeof send>[0];
}

function textOf(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** A condition or a range that does not fit. */
function refusal(status: 412 | 416, range: unknown): HttpBody {
  const headers = { "Content-Type": "text/plain; charset=utf-8", ...safety };
  const body = STATUS_CODES[status];
  return { status, headers: typeof range === "string" ? { ...headers, "Content-Range": range } : headers, body };
}

/** To the folder with a slash, by which its pages find their files. Relative, since a proxy may know the path by a longer name. */
function redirect(path: string): HttpBody {
  return { status: 301, headers: { Location: `./${posix.basename(path)}/` }, body: "" };
}
