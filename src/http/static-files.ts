import { realpath } from "node:fs/promises";
import { STATUS_CODES } from "node:http";
import { posix, sep } from "node:path";
import type * as Fastify from "@fastify/send";
import type { HttpBody, HttpFile, HttpRequest } from "./message.ts";

/** Serves the files of a directory. Resolves to `undefined` if the path has no file, or belongs to the gateway. */
export type StaticFiles = (request: HttpRequest) => Promise<HttpBody | HttpFile | undefined>;

/** The paths that are reserved for the gateway, including later versions. */
const reserved = /^\/(streams|api|events|admin)(\/|$)/;

/** The headers of conditional and partial requests (RFC 9110 §13 and §14). */
const conditions = ["range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"];

/**
 * Does not restrict a page's scripts and styles, even from other origins. A page can set a stricter policy with
 * `<meta>`.
 */
const safety = {
  "X-Content-Type-Options": "nosniff",
  "Content-Security-Policy": "base-uri 'self'; object-src 'none'; frame-ancestors 'self'",
  "Referrer-Policy": "strict-origin-when-cross-origin",
};

/**
 * Creates the file server of a directory, given by its real path. Does not serve names that begin with a dot, nor
 * targets of links outside of the directory.
 */
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
      const { send } = await import("@fastify/send");
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

/** Thrown for a file that must not be served. */
class Hidden extends Error {}

type Sendable = Parameters<typeof Fastify.send>[0];

/** The part of a Node request that `@fastify/send` reads. */
function toSendable(request: HttpRequest): Sendable {
  const headers: Record<string, string> = {};
  for (const name of conditions) {
    const value = request.header(name);
    if (value !== undefined) headers[name] = value;
  }
  return { method: request.method, headers } as unknown as Sendable;
}

function textOf(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** The response to a failed precondition or an unsatisfiable range. */
function refusal(status: 412 | 416, range: unknown): HttpBody {
  const headers = { "Content-Type": "text/plain; charset=utf-8", ...safety };
  const body = STATUS_CODES[status];
  return { status, headers: typeof range === "string" ? { ...headers, "Content-Range": range } : headers, body };
}

/**
 * Redirects to the directory with a slash, which relative links need. Relative, because a proxy may have removed a
 * prefix.
 */
function redirect(path: string): HttpBody {
  return { status: 301, headers: { Location: `./${posix.basename(path)}/` }, body: "" };
}
