/** Requests to the gateway that serves the page. */
import { signal, type Signal } from "@preact/signals";

/** The path below which the gateway is mounted, with a slash at its end. */
const base = new URL("..", location.href);

/** The URL of an endpoint, such as `status`. */
export function endpoint(path: string): URL {
  return new URL(path, base);
}

/** Tells the gateway that the request is one of the dashboard, so that the session's cookie counts. */
export const headers = { "spillway-dashboard": "1" } as const;

/** What the gateway answered to a request that it refused (RFC 9457). */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  /** The stable code of the error; absent if something in between answered. */
  readonly code: string | undefined;
  /** Seconds after which to retry. */
  readonly retryAfter: number | undefined;

  constructor(response: Response, body: { readonly code?: string; readonly title?: string; readonly detail?: string }) {
    super(body.detail ?? body.title ?? `the gateway answered ${response.status}`);
    this.status = response.status;
    this.code = body.code;
    this.retryAfter = Number(response.headers.get("retry-after")) || undefined;
  }
}

/** Who uses the dashboard, as the gateway sees it. */
export interface Session {
  readonly subject: string;
  /** Whether the user has logged in. Otherwise anyone has these rights. */
  readonly session: boolean;
  readonly can: readonly string[];
  /** Whether the dashboard may change anything. */
  readonly write: boolean;
  /** Whether the gateway has any keys. */
  readonly takesCredentials: boolean;
}

/** `undefined` while it is unknown; `denied` if a login is needed. */
export const session: Signal<Session | "denied" | undefined> = signal<Session | "denied" | undefined>(undefined);

/** Whether the user may do something that needs a right, and that changes something. */
export function mayChange(right: "admin" | "publish"): boolean {
  const { value } = session;
  return typeof value === "object" && value.write && value.can.includes(right);
}

/** Whether the user may see the contents of events. */
export function mayRead(): boolean {
  const { value } = session;
  return typeof value === "object" && value.can.includes("subscribe");
}

/** Sends a request. @throws {ApiError} if it is refused. */
export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(endpoint(path), {
    ...init,
    headers: { ...headers, ...(init.headers as Record<string, string> | undefined) },
    cache: "no-store",
  });
  if (response.ok) return response;
  const body = (await response.json().catch(() => ({}))) as { readonly code?: string };
  // The session has ended.
  if (response.status === 401 && path !== "dashboard/session") session.value = "denied";
  throw new ApiError(response, body);
}

/** The JSON that the gateway answers. */
export async function load<T>(path: string, aborted?: AbortSignal): Promise<T> {
  const response = await send(path, { headers: { accept: "application/json" }, ...(aborted && { signal: aborted }) });
  return (await response.json()) as T;
}

/** Sends JSON, and returns the JSON that the gateway answers. */
export async function post<T>(path: string, body?: unknown, method = "POST"): Promise<T> {
  const content =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const response = await send(path, { method, ...content });
  return (await response.json()) as T;
}

/** Asks who the user is. */
export async function openSession(): Promise<void> {
  try {
    const found = await load<Session>("dashboard/session");
    session.value = found.can.includes("admin") ? found : "denied";
    if (!found.takesCredentials) keyless.value = true;
  } catch (error) {
    // A cookie of another gateway on this host, or one that has expired.
    if (!(error instanceof ApiError) || error.code !== "ticket-invalid") throw error;
    await post("dashboard/session", undefined, "DELETE");
    return openSession();
  }
}

/** Whether the gateway accepts no keys, so that nobody can log in. */
export const keyless: Signal<boolean> = signal(false);

/** @throws {ApiError} for a key that is unknown, or that has too few rights. */
export async function login(key: string): Promise<void> {
  session.value = await post<Session>("dashboard/session", { key });
}

export async function logout(): Promise<void> {
  await post("dashboard/session", undefined, "DELETE");
  session.value = undefined;
  await openSession();
}
