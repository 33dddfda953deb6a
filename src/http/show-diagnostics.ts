/** What operators see besides `/status`: documented in PROTOCOL.md, "Administration". */
import type { GatewayContext } from "./gateway-context.ts";
import { json, type HttpBody, type HttpRequest } from "./message.ts";
import { invalid } from "./problem.ts";
import { upstreamStatus } from "./status.ts";

/** `GET /admin/upstreams`: the connections to the sources, with their last attempts. */
export async function listUpstreams(gateway: GatewayContext): Promise<HttpBody> {
  await gateway.refresh?.();
  const attempts = await gateway.diagnostics.attempts();
  const upstreams = [...gateway.streams.values()].flatMap(({ name, upstream, log }) => {
    const found = upstream();
    if (!found) return [];
    const state = upstreamStatus(found, log.state().upstreamCursor);
    return [[name, { ...state, attempts: attempts[name] ?? [] }] as const];
  });
  return json({ upstreams: Object.fromEntries(upstreams) });
}

/** `GET /admin/history[?after=<ms since 1970>]`: what `/status` was in the last ten minutes. */
export async function showHistory({ query }: HttpRequest, { diagnostics }: GatewayContext): Promise<HttpBody> {
  const after = query.get("after") ?? "0";
  if (!/^\d{1,15}$/.test(after)) throw invalid("after", "a time in ms since 1970", after);
  return json(await diagnostics.history(Number(after)));
}

/** `GET /admin/nodes`: the nodes that share the store; the one that answers comes first. */
export async function listNodes(gateway: GatewayContext): Promise<HttpBody> {
  await gateway.refresh?.();
  const { summaries, complete } = await gateway.clients.summaries();
  // Workers are processes of one node, and each knows the numbers of all.
  const nodes = gateway.workers ? summaries.slice(0, 1) : summaries;
  return json({ nodes, complete: complete || gateway.workers !== undefined });
}

/** `GET /admin/doctor`: the checks of `spillway doctor` that a running gateway can make. */
export async function runChecks({ diagnostics }: GatewayContext): Promise<HttpBody> {
  return json({ checks: await diagnostics.checks() });
}

/** `GET /admin/config`: the configuration in use as YAML. */
export async function showConfig({ diagnostics }: GatewayContext): Promise<HttpBody> {
  return {
    status: 200,
    headers: {
      "Content-Type": "application/yaml",
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
    },
    body: await diagnostics.config(),
  };
}
