import type { ReverseProxyKind } from "./reverse-proxy.ts";

/** nginx with `deploy/nginx.conf`. */
export const nginx: ReverseProxyKind = {
  name: "nginx",
  main: "main.conf",
  args: ["-p", ".", "-c", "main.conf"],
  file: "nginx.conf",
  substitutions: ({ upstream, idle, perAddress }, { port, cert, key }) => [
    ["server 127.0.0.1:8080;", `server 127.0.0.1:${upstream};`],
    ["listen 443 ssl http2;\n  server_name", `listen 127.0.0.1:${port} ssl http2;\n  server_name`],
    ["server_name events.example.com;", "server_name localhost;"],
    ["/etc/ssl/spillway/fullchain.pem", cert],
    ["/etc/ssl/spillway/key.pem", key],
    ["/var/log/nginx/spillway.log", "access.log"],
    ["limit_conn spillway_clients 100;", `limit_conn spillway_clients ${perAddress};`],
    ["proxy_read_timeout 75s;", `proxy_read_timeout ${idle}s;`],
  ],
  others: { "main.conf": nginxMain("gzip on; gzip_types *; include nginx.conf;") },
};

/**
 * What a distribution has around the directives of its `http` block and the modules to load. One process in the foreground, so that
 * there is one pid to kill.
 */
export function nginxMain(http: string, modules = ""): string {
  return `
${modules}
daemon off;
master_process off;
${process.getuid?.() === 0 ? "user root;" : ""}
pid nginx.pid;
error_log stderr warn;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  ${http}
}
`;
}
