/** nginx's proxy_pass: one connection to the origin per client. */
import { missingNginx, nginxVersion, startNginx } from "./nginx.js";

/** @type {import("../types.d.ts").Server} */
export const nginxProxy = {
  name: "nginx-proxy",
  note: "`proxy_pass`: a connection to the origin for each client",
  features: ["replay", "routes"],
  runs: 1,
  filesPerClient: 2,
  source: "each",
  missing: async () => missingNginx(),
  version: async () => nginxVersion(),
  async start(context) {
    const { host } = new URL(context.origin);
    const http = `
  upstream origin {
    server ${host};
    keepalive 128;
  }`;
    const server = `
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 1h;
    }`;
    const program = await startNginx(context, { http, server });
    return { pid: program.pid, url: program.url, path: () => "/events", health: "/healthz", stop: program.stop };
  },
};
