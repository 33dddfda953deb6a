import { readFile } from "node:fs/promises";
import type { HttpBody } from "../http/message.ts";

const types = {
  "index.html": "text/html; charset=utf-8",
  "app.js": "text/javascript; charset=utf-8",
  "app.css": "text/css; charset=utf-8",
} as const;

export type AssetName = keyof typeof types;

/**
 * The page runs only its own script, which cannot make markup from text (Trusted Types), and sends requests only to its
 * own origin.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const safety = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": policy,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

const contents = new Map<AssetName, Promise<string>>();

/** Responds with a file of the dashboard. Each is read once, when it is first requested, and kept in memory. */
export async function serveAsset(name: AssetName): Promise<HttpBody> {
  let content = contents.get(name);
  if (!content) {
    content = readFile(new URL(`./assets/${name}`, import.meta.url), "utf8");
    content.catch(() => contents.delete(name));
    contents.set(name, content);
  }
  return { status: 200, headers: { "Content-Type": types[name], ...safety }, body: await content };
}
