import { InvalidArgumentError, Option, type Command } from "commander";
import { longestTimer, parseDuration } from "../../config/units.ts";
import { formatCheck, type Check } from "../../doctor/check.ts";
import { checkPath } from "../../doctor/path.ts";
import { addConfigFlags, type ConfigFlags } from "../config-flags.ts";
import { headerFlag } from "../header-flag.ts";
import { checkHere } from "../local-checks.ts";
import { readUrl } from "../variables.ts";

interface DoctorFlags extends ConfigFlags {
  readonly checkUpstream?: true;
  readonly header: Readonly<Record<string, string>>;
  readonly timeout: number;
  readonly idle: number;
  readonly publish?: true;
  readonly publishKey?: string;
  readonly json?: true;
}

/** `spillway doctor`: will it run here, and does a stream come through the proxies in front of it? */
export function addDoctor(program: Command): void {
  const command = program
    .command("doctor")
    .description("check this machine for the configuration, or the path to a stream")
    .argument("[url]", "address of a stream as clients reach it; without one, this machine is checked");
  addConfigFlags(command)
    .option("--check-upstream", "without a URL: also connect to the sources once")
    .addOption(headerFlag())
    .addOption(durationFlag("--timeout <duration>", "how long headers or an event may take", 5_000))
    .addOption(durationFlag("--idle <duration>", "how long the stream is held open", 60_000))
    .option("--publish", "publish three events to the stream to see them arrive")
    .addOption(new Option("--publish-key <key>", "key to publish with; implies --publish").env("SPILLWAY_PUBLISH_KEY"))
    .option("--json", "print every check as a line of JSON")
    .action(async (url: string | undefined, flags: DoctorFlags) => {
      const checks = url === undefined ? checkHere(flags, flags.checkUpstream === true) : checkUrl(url, flags);
      process.exit((await report(checks, flags.json === true)) ? 0 : 1);
    });
}

function checkUrl(text: string, flags: DoctorFlags): AsyncGenerator<Check, void> {
  const wanted = flags.publish === true || flags.publishKey !== undefined;
  return checkPath(readUrl(text), {
    headers: flags.header,
    timeout: flags.timeout,
    idle: flags.idle,
    publish: wanted ? { key: flags.publishKey } : undefined,
  });
}

/** Prints checks as they come; resolves to whether none failed. */
async function report(checks: AsyncGenerator<Check, void>, json: boolean): Promise<boolean> {
  let good = true;
  for await (const check of checks) {
    good &&= check.outcome !== "fail";
    await print(json ? JSON.stringify(check) : formatCheck(check));
  }
  return good;
}

/** Resolves once the line has left, for the process exits behind the last one. */
function print(line: string): Promise<void> {
  return new Promise((resolve) => void process.stdout.write(`${line}\n`, () => resolve()));
}

function durationFlag(flags: string, description: string, fallback: number): Option {
  return new Option(flags, description).default(fallback, `${fallback / 1_000}s`).argParser((text: string) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= 1 && ms <= longestTimer) return ms;
    throw new InvalidArgumentError('Write a duration such as "5s".');
  });
}
