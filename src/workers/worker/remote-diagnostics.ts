import type { Diagnostics } from "../../http/diagnostics.ts";
import type { PrimaryLink } from "./primary-link.ts";

/** What only the primary knows. */
export function createRemoteDiagnostics(primary: Pick<PrimaryLink, "call">): Diagnostics {
  const ask = (name: keyof Diagnostics, argument?: number): Promise<unknown> =>
    primary.call("diagnose", { name, argument });
  return {
    attempts: () => ask("attempts") as ReturnType<Diagnostics["attempts"]>,
    history: (after) => ask("history", after) as ReturnType<Diagnostics["history"]>,
    config: () => ask("config") as ReturnType<Diagnostics["config"]>,
    checks: () => ask("checks") as ReturnType<Diagnostics["checks"]>,
  };
}
