import type { ReverseProxyKind } from "./reverse-proxy.ts";

/** HAProxy with `deploy/haproxy.cfg`. */
export const haproxy: ReverseProxyKind = {
  name: "haproxy",
  main: "haproxy.cfg",
  args: ["-db", "-f", "haproxy.cfg"],
  file: "haproxy.cfg",
  substitutions: ({ upstream, idle, perAddress }, { port, both }) => [
    ["maxconn 50000", "maxconn 500"],
    ["bind :443 ssl crt /etc/haproxy/spillway.pem", `bind 127.0.0.1:${port} ssl crt ${both}`],
    ["size 1m ", "size 1k "],
    ["sc0_conn_cur gt 100", `sc0_conn_cur gt ${perAddress}`],
    ["timeout client 75s", `timeout client ${idle}s`],
    ["timeout server 75s", `timeout server ${idle}s`],
    ["server one 127.0.0.1:8080", `server one 127.0.0.1:${upstream}`],
  ],
};
