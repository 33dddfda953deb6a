import { InvalidArgumentError, Option, type Command } from "commander";
import { rights } from "../../access/grant.ts";
import { createKey, hashKey } from "../../access/keys.ts";
import { hashFast, hashSlowly, isWeak } from "../../access/secret-hash.ts";
import { parseDuration } from "../../config/units.ts";
import { SpillwayError } from "../../errors.ts";
import { readLines } from "../read-lines.ts";
import { parseDateOrTime } from "../../util/rfc3339.ts";

interface KeyFlags {
  readonly name: string;
  readonly can: readonly string[];
  readonly streams?: readonly string[];
  readonly channels?: readonly string[];
  readonly events?: readonly string[];
  /** RFC 3339. */
  readonly expires?: string;
}

/** `spillway key new` makes an API key; `spillway key hash` takes one that exists. Both print the entry of the configuration. */
export function addKey(program: Command): void {
  const command = program.command("key").description("make API keys, and entries for keys that you have");
  addEntryFlags(command.command("new"))
    .description("make an API key; prints it, and the entry of the configuration that makes it count")
    .action((flags: KeyFlags) => {
      const key = createKey();
      process.stdout.write(`${key}\n\n${entryOf(hashKey(key), flags)}`);
    });
  addEntryFlags(command.command("hash"))
    .description(
      "read a key from stdin and print its entry of the configuration; the key is in no argument, so not in ps",
    )
    .action(async (flags: KeyFlags) => {
      const secret = await readSecret();
      if (isWeak(secret)) process.stderr.write(weakness);
      process.stdout.write(entryOf(isWeak(secret) ? hashSlowly(secret) : hashFast(secret), flags));
    });
}

const weakness =
  "warning: this key is shorter than 16 characters or has few different ones, so it can be guessed. It is hashed slowly (scrypt), " +
  "which makes guessing harder, not impossible. Replace it: spillway key new.\n";

function addEntryFlags(command: Command): Command {
  return command
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
    );
}

/**
 * One line of stdin, without its end.
 * @throws {SpillwayError} `request-invalid` for none, for several lines, and for what no header can carry.
 */
async function readSecret(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write("Key, then Enter: ");
  let text = "";
  for await (const lines of readLines(process.stdin, !process.stdin.isTTY)) {
    text += lines.join("\n");
    if (process.stdin.isTTY) break;
  }
  const secret = text.replace(/\r?\n?$/, "");
  if (/^[\x21-\x7e]+$/.test(secret)) return secret;
  const expected = "one line of visible ASCII characters without spaces";
  throw new SpillwayError("request-invalid", `stdin: expected ${expected}`, { field: "stdin", expected });
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
  const end = new Date(duration === undefined ? parseDateOrTime(text) : Date.now() + duration);
  if (end.getTime() > Date.now()) return end.toISOString();
  throw new InvalidArgumentError("Write an RFC 3339 time that is to come, or a duration such as 90d.");
}
