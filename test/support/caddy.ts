import type { ReverseProxyKind } from "./reverse-proxy.ts";

/** Caddy with `deploy/Caddyfile`. */
export const caddy: ReverseProxyKind = {
  name: "caddy",
  main: "Caddyfile",
  args: ["run", "--config", "Caddyfile", "--adapter", "caddyfile"],
  file: "Caddyfile",
  substitutions: ({ upstream, idle }, { port, cert, key }) => [
    // Its admin port, the redirect from port 80 and its storage would conflict with other tests.
    ["{\n\tservers {", "{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n\tservers {"],
    ["events.example.com {", `https://localhost:${port} {\n\ttls ${cert} ${key}`],
    ["reverse_proxy 127.0.0.1:8080", `reverse_proxy 127.0.0.1:${upstream}`],
    ["read_timeout 75s", `read_timeout ${idle}s`],
  ],
};
