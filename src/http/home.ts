import { permits } from "../access/identity.ts";
import { json, type HttpBody, type HttpRequest } from "./message.ts";
import { homePage, homePolicy } from "./home-page.ts";
import type { Caller, GatewayContext, ServedStream } from "./gateway-context.ts";
import { isReady, place } from "./status.ts";

/** Whether the client wants JSON instead of the page. A browser that navigates accepts HTML. */
export function wantsJson(request: HttpRequest): boolean {
  const accept = request.header("accept") ?? "";
  return /\bapplication\/json\b/i.test(accept) && !/\btext\/html\b/i.test(accept);
}

/** `GET /` as JSON: the streams that the caller may subscribe to. The page loads and shows this data. */
export function homeFacts({ mount }: HttpRequest, gateway: GatewayContext, { identity }: Caller): HttpBody {
  const granted = [...gateway.streams.values()].filter(({ name }) => permits(identity.grant, "subscribe", name));
  const streams = granted.map((stream) => describe(stream, mount));
  const { takesCredentials } = gateway.policy.access;
  return json({ ready: isReady(gateway), subject: identity.subject, takesCredentials, streams }, { Vary: "Accept" });
}

function describe(stream: ServedStream, mount: string): object {
  return {
    ...place(stream),
    path: `${mount}/streams/${stream.name}`,
    upstream: stream.upstream()?.state ?? null,
    paused: stream.paused() ?? null,
  };
}

/** `GET /`: a static page. It contains no data of the gateway, so it needs no access check. */
export function home(): HttpBody {
  return {
    status: 200,
    headers: {
      "Content-Type": "text/html; charset=utf-8",
      "Cache-Control": "no-store",
      "Content-Security-Policy": homePolicy,
      "Referrer-Policy": "no-referrer",
      "X-Content-Type-Options": "nosniff",
      "Vary": "Accept",
    },
    body: homePage,
  };
}
