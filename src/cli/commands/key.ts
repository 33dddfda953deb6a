import { InvalidArgumentError, Option, type Command } from "commander";
import { rights } from "../../access/grant.ts";
import { createKey, hashKey } from "../../access/keys.ts";
import { parseDuration } from "../../config/units.ts";

interface KeyFlags {
  readonly name: string;
  readonly can: readonly string[];
  readonly streams?: readonly string[];
  readonly channels?: readonly string[];
  readonly events?: readonly string[];
  /** RFC 3339. */
  readonly expires?: string;
}

/** `spillway key new`: makes an API key, and says it this once. */
export function addKey(program: Command): void {
  const command = program.command("key").description("make API keys");
  command
    .command("new")
    .description("make an API key; prints it, and the entry of the configuration that makes it count")
    .addOption(new Option("--name <name>", "what logs call it").argParser(readName).makeOptionMandatory())
    .addOption(
      new Option("--can <rights>", "subscribe,publish,admin").argParser(readRights).default(["subscribe"], "subscribe"),
    )
    .addOption(
      new Option("--streams <names>", "names or patterns, separated by commas (default: all)").argParser(readNames),
    )
    .addOption(new Option("--channels <names>", "the same for channels").argParser(readNames))
    .addOption(new Option("--events <names>", "the same for event types").argParser(readNames))
    .addOption(
      new Option("--expires <time>", "when it ends: 2027-01-31T09:00:00Z, or 90d from now (default: never)").argParser(
        readEnd,
      ),
    )
    .action((flags: KeyFlags) => {
      const key = createKey();
      process.stdout.write(`${key}\n\n${entryOf(hashKey(key), flags)}`);
    });
}

/** The section to be merged into a configuration, in YAML. JSON's quotes keep any text what it is. */
function entryOf(hash: string, { name, can, streams, channels, events, expires }: KeyFlags): string {
  const members = Object.entries({ name, hash, can, streams, channels, events, expires })
    .filter(([, value]) => value !== undefined)
    .map(([member, value]) => `${member}: ${JSON.stringify(value)}`);
  return `access:\n  keys:\n    - ${members.join("\n      ")}\n`;
}

function readName(text: string): string {
  if (/^[\w.-]{1,64}$/.test(text)) return text;
  throw new InvalidArgumentError("It may have letters, digits, _ . and -");
}

function readRights(text: string): string[] {
  const named = text.split(",").filter(Boolean);
  if (named.length > 0 && named.every((right) => (rights as readonly string[]).includes(right))) return named;
  throw new InvalidArgumentError(`Rights are ${rights.join(", ")}.`);
}

function readNames(text: string): string[] {
  const names = text.split(",").filter(Boolean);
  if (names.length > 0 && names.every((name) => /^[^\u0000-\u001f\u007f]{1,256}$/.test(name))) return names;
  throw new InvalidArgumentError("Names have 1 to 256 characters and no control characters.");
}

function readEnd(text: string): string {
  const duration = parseDuration(text);
  const end = new Date(duration === undefined ? readTime(text) : Date.now() + duration);
  if (end.getTime() > Date.now()) return end.toISOString();
  throw new InvalidArgumentError("Write an RFC 3339 time that is to come, or a duration such as 90d.");
}

/** Without a zone the time would be that of whoever's machine it is. */
function readTime(text: string): number {
  return /^\d{4}-\d\d-\d\d(T.+(Z|[+-]\d\d:\d\d))?$/i.test(text) ? Date.parse(text) : NaN;
}
