/** What nchan and nginx's own proxy have in common: nginx with one worker, started on a free port with a configuration. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startProgram } from "../processes.js";
import { answering, freePort } from "./ports.js";

const paths = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx", "/opt/homebrew/bin/nginx"];
const program = paths.find((path) => existsSync(path));
export const nchanModule = "/usr/lib/nginx/modules/ngx_nchan_module.so";

export function missingNginx() {
  return program === undefined ? "nginx is not installed" : undefined;
}

export function nginxVersion() {
  // It prints its version on stderr.
  return execFileSync("sh", ["-c", `${program} -v 2>&1`], { encoding: "utf8" })
    .replace(/^.*nginx\//s, "nginx ")
    .trim();
}

/**
 * @param {import("../types.d.ts").StartContext} context
 * @param {{ modules?: readonly string[], http?: string, server: string }} parts of the configuration
 */
export async function startNginx({ cpus, directory }, { modules = [], http = "", server }) {
  const port = await freePort();
  await writeFile(join(directory, "nginx.conf"), configuration(port, modules, http, server));
  return startProgram(program ?? "nginx", ["-p", directory, "-c", "nginx.conf"], {
    cpus,
    answers: () => answering(port),
  });
}

/**
 * @param {number} port
 * @param {readonly string[]} modules
 * @param {string} http
 * @param {string} server
 */
function configuration(port, modules, http, server) {
  return `
${modules.map((path) => `load_module ${path};`).join("\n")}
daemon off;
worker_processes 1;
worker_rlimit_nofile 1000000;
${process.getuid?.() === 0 ? "user root;" : ""}
pid nginx.pid;
error_log stderr error;
events { worker_connections 60000; multi_accept on; }
http {
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  ${http}
  server {
    listen 127.0.0.1:${port} backlog=65535;
    location = /healthz {
      return 204;
    }
    ${server}
  }
}
`;
}
