import { InvalidArgumentError, Option, type Command } from "commander";
import { parseDuration } from "../../config/units.ts";
import { longestTimer } from "../../util/timeout.ts";
import { formatCheck, type Check } from "../../doctor/check.ts";
import { addConfigFlags, type ConfigFlags } from "../config-flags.ts";
import { headerFlag, readUrl } from "../flags.ts";

interface DoctorFlags extends ConfigFlags {
  readonly checkUpstream?: true;
  readonly header: Readonly<Record<string, string>>;
  readonly timeout: number;
  readonly idle: number;
  readonly publish?: true;
  readonly publishKey?: string;
  readonly json?: true;
}

/**
 * `spillway doctor`: checks whether the gateway can run on this machine, or whether a stream passes the proxies in
 * front of it.
 */
export function addDoctor(program: Command): void {
  const command = program
    .command("doctor")
    .description("check this machine against the configuration, or the network path to a stream")
    .argument("[url]", "URL of a stream as clients reach it; without a URL, this machine is checked");
  addConfigFlags(command)
    .option("--check-upstream", "without a URL: also connect to each upstream once")
    .addOption(headerFlag())
    .addOption(durationFlag("--timeout <duration>", "how long to wait for headers or an event", 5_000))
    .addOption(durationFlag("--idle <duration>", "how long to keep the stream open", 60_000))
    .option("--publish", "publish three events to the stream and check that they arrive")
    .addOption(new Option("--publish-key <key>", "key to publish with; implies --publish").env("SPILLWAY_PUBLISH_KEY"))
    .option("--json", "print each check as one line of JSON")
    .action(async (url: string | undefined, flags: DoctorFlags) => {
      const checks = url === undefined ? checkMachine(flags) : checkUrl(url, flags);
      process.exit((await report(checks, flags.json === true)) ? 0 : 1);
    });
}

async function* checkMachine(flags: DoctorFlags): AsyncGenerator<Check, void> {
  const { checkHere } = await import("../local-checks.ts");
  yield* checkHere(flags, flags.checkUpstream === true);
}

async function* checkUrl(text: string, flags: DoctorFlags): AsyncGenerator<Check, void> {
  const { checkPath } = await import("../../doctor/path.ts");
  const publishes = flags.publish === true || flags.publishKey !== undefined;
  yield* checkPath(readUrl(text), {
    headers: flags.header,
    timeout: flags.timeout,
    idle: flags.idle,
    publish: publishes ? { key: flags.publishKey } : undefined,
  });
}

/** Prints each check as soon as it is done; resolves to whether none failed. */
async function report(checks: AsyncGenerator<Check, void>, json: boolean): Promise<boolean> {
  let passed = true;
  for await (const check of checks) {
    passed &&= check.outcome !== "fail";
    await print(json ? JSON.stringify(check) : formatCheck(check));
  }
  return passed;
}

/** Resolves once the line is written, because the process exits after the last one. */
function print(line: string): Promise<void> {
  return new Promise((resolve) => void process.stdout.write(`${line}\n`, () => resolve()));
}

function durationFlag(flags: string, description: string, fallback: number): Option {
  return new Option(flags, description).default(fallback, `${fallback / 1_000}s`).argParser((text: string) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= 1 && ms <= longestTimer) return ms;
    throw new InvalidArgumentError('Expected a duration such as "5s".');
  });
}
