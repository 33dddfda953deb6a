import { createGateway, type CreateGatewayConfig, type Gateway, type RunConfig } from "spillway";
import { onTestFinished } from "vitest";
import type { RunOrigin } from "./run-origin.ts";

/** What a test changes of the gateway with runs. */
export interface RunsSetup extends Partial<Omit<CreateGatewayConfig, "runs">> {
  readonly run?: Partial<RunConfig>;
  /** The path pattern of the runs. Default: `/v1/**`. */
  readonly pattern?: string;
}

/** Opens a gateway whose POST requests are runs of an origin, and closes it after the test. */
export async function openRuns(
  { url }: Pick<RunOrigin, "url">,
  { run, pattern = "/v1/**", ...config }: RunsSetup = {},
): Promise<Gateway> {
  const runs = { [pattern]: { upstream: { url }, ...run } };
  const gateway = await createGateway({ store: "memory:", drain: "1s", ...config, runs });
  onTestFinished(() => gateway.close());
  return gateway;
}

type Fields = Readonly<Record<string, string>>;

/** Sends a request that starts a run, or joins one. */
export function post(gateway: Gateway, body: object = {}, headers: Fields = {}, path = "/v1/chat"): Promise<Response> {
  const init = {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  };
  return gateway.fetch(new Request(`http://localhost${path}`, init));
}

/** Sends another request. */
export function send(gateway: Gateway, path: string, headers: Fields = {}, method = "GET"): Promise<Response> {
  return gateway.fetch(new Request(`http://localhost${path}`, { method, headers }));
}

/** The path of the run that a response is of. */
export function pathOf(response: Response): string {
  return response.headers.get("location")!;
}

/** The state of a run. */
export async function stateOf(gateway: Gateway, path: string, headers: Fields = {}): Promise<Record<string, unknown>> {
  const response = await send(gateway, path, { accept: "application/json", ...headers });
  return (await response.json()) as Record<string, unknown>;
}

/** An event stream without the ids of the gateway. */
export function withoutIds(text: string): string {
  return text.replaceAll(/^id: .*\n/gm, "");
}

/** The ids in an event stream. */
export function idsOf(text: string): string[] {
  return Array.from(text.matchAll(/^id: (.*)$/gm), ([, id]) => id!);
}
