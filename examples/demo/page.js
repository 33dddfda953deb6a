/** Serves the page, the configuration that it shows, and the client library. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

const types = { html: "text/html", js: "text/javascript", css: "text/css", yaml: "text/plain" };
/** The library's files for browsers, by their paths; the page imports `spillway/client`. */
const library = new URL("../", import.meta.resolve("spillway/client"));
const libraryPath = /^\/spillway\/((?:client|events|sse|util)\/[a-z0-9-]+\.js|errors\.js)$/;

const pages = new URL("public/", import.meta.url);
const files = new Map(readdirSync(pages).map((name) => [`/${name}`, load(new URL(name, pages))]));
files.set("/", files.get("/index.html"));
files.set("/spillway.yaml", load(new URL("spillway.yaml", import.meta.url)));

function load(url) {
  const body = readFileSync(url);
  const type = types[url.pathname.split(".").at(-1)];
  return {
    type,
    body,
    importMap: /<script type="importmap">([^]*?)<\/script>/.exec(type === "text/html" ? body : "")?.[1],
  };
}

/**
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 * @param {string} gateway The origin to which the page may connect besides its own.
 * @returns {boolean} Whether the request was for one of the files and has been answered.
 */
export function servePage(request, response, gateway) {
  if (request.method !== "GET" && request.method !== "HEAD") return false;
  const path = request.url.split("?", 1)[0];
  const [, inLibrary] = libraryPath.exec(path) ?? [];
  const file = inLibrary ? load(new URL(inLibrary, library)) : files.get(path);
  if (!file) return false;
  response.writeHead(200, {
    "Content-Type": `${file.type}; charset=utf-8`,
    "Cache-Control": "no-cache",
    "Content-Security-Policy": policy(gateway, file.importMap),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
  });
  response.end(request.method === "HEAD" ? undefined : file.body);
  return true;
}

/** Only these scripts run, none of them can make markup from text, and they connect only to the gateway. */
function policy(gateway, importMap) {
  const hash = importMap && ` 'sha256-${createHash("sha256").update(importMap).digest("base64")}'`;
  return [
    "default-src 'none'",
    `script-src 'self'${hash ?? ""}`,
    "style-src 'self'",
    "img-src data:",
    `connect-src 'self' ${gateway}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
}
