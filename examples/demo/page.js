/** Serves the demo's three files. Paths are looked up in a map, so no other file can be requested. */
import { readFileSync } from "node:fs";

const files = new Map([
  ["/", load("index.html", "text/html; charset=utf-8")],
  ["/app.js", load("app.js", "text/javascript; charset=utf-8")],
  ["/style.css", load("style.css", "text/css; charset=utf-8")],
]);

function load(name, type) {
  const body = readFileSync(new URL(`public/${name}`, import.meta.url));
  const headers = {
    "Content-Type": type,
    "Content-Length": body.length,
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
  };
  return { body, headers };
}

/**
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 * @returns {boolean} Whether the request was for one of the files and has been answered.
 */
export function servePage(request, response) {
  const file = files.get(request.url.split("?", 1)[0]);
  if (!file || (request.method !== "GET" && request.method !== "HEAD")) return false;
  response.writeHead(200, file.headers).end(request.method === "HEAD" ? undefined : file.body);
  return true;
}
