import { InvalidArgumentError, Option, type Command } from "commander";
import { rights } from "../../access/identity.ts";
import { createKey, hashKey } from "../../access/keys.ts";
import { hashFast, hashSlowly, isWeak } from "../../access/secret-hash.ts";
import { parseDuration } from "../../config/units.ts";
import { SpillwayError } from "../../errors.ts";
import { readLines } from "../read-lines.ts";
import { isName } from "../../util/name.ts";
import { parseDateOrTime } from "../../util/rfc3339.ts";

interface KeyFlags {
  readonly name: string;
  readonly can: readonly string[];
  readonly streams?: readonly string[];
  readonly routes?: readonly string[];
  readonly channels?: readonly string[];
  readonly events?: readonly string[];
  /** RFC 3339. */
  readonly expires?: string;
}

/**
 * `spillway key new` creates an API key; `spillway key hash` reads an existing one. Both print its configuration entry.
 */
export function addKey(program: Command): void {
  const command = program.command("key").description("create API keys, or configuration entries for existing keys");
  addEntryFlags(command.command("new"))
    .description("create an API key and print it with its configuration entry")
    .action((flags: KeyFlags) => {
      const key = createKey();
      process.stdout.write(`${key}\n\n${entryOf(hashKey(key), flags)}`);
    });
  addEntryFlags(command.command("hash"))
    .description("read an existing key from stdin and print its configuration entry")
    .action(async (flags: KeyFlags) => {
      const secret = await readSecret();
      if (isWeak(secret)) process.stderr.write(weakness);
      process.stdout.write(entryOf(isWeak(secret) ? hashSlowly(secret) : hashFast(secret), flags));
    });
}

const weakness =
  "warning: this key can be guessed: it has fewer than 16 characters or too few different ones. " +
  "Its hash is slow (scrypt), which makes guessing harder, not impossible. Create a new key with: spillway key new\n";

function addEntryFlags(command: Command): Command {
  return command
    .addOption(
      new Option("--name <name>", "name of the key in logs and metrics").argParser(readName).makeOptionMandatory(),
    )
    .addOption(
      new Option("--can <rights>", "rights, separated by commas: subscribe,publish,proxy,admin,inspect")
        .argParser(readRights)
        .default(["subscribe"], "subscribe"),
    )
    .addOption(
      new Option("--streams <names>", "stream names or patterns, separated by commas (default: all)").argParser(
        readNames,
      ),
    )
    .addOption(
      new Option("--routes <paths>", "path patterns of routes, separated by commas (default: all)").argParser(
        readNames,
      ),
    )
    .addOption(
      new Option("--channels <names>", "channel names or patterns, separated by commas (default: all)").argParser(
        readNames,
      ),
    )
    .addOption(
      new Option("--events <names>", "event types or patterns, separated by commas (default: all)").argParser(
        readNames,
      ),
    )
    .addOption(
      new Option(
        "--expires <time>",
        "expiry: a time such as 2027-01-31T09:00:00Z, or a duration such as 90d (default: never)",
      ).argParser(readExpiry),
    );
}

/**
 * Reads the key from stdin: one line, without its line break.
 * @throws {SpillwayError} `request-invalid` for empty input, several lines, or characters that a header cannot carry.
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

/** The configuration section in YAML. Values are quoted as JSON, so that YAML reads every text as a string. */
function entryOf(hash: string, { name, can, streams, routes, channels, events, expires }: KeyFlags): string {
  const members = Object.entries({ name, hash, can, streams, routes, channels, events, expires })
    .filter(([, value]) => value !== undefined)
    .map(([member, value]) => `${member}: ${JSON.stringify(value)}`);
  return `access:\n  keys:\n    - ${members.join("\n      ")}\n`;
}

function readName(text: string): string {
  if (/^[\w.-]{1,64}$/.test(text)) return text;
  throw new InvalidArgumentError("A name has 1 to 64 letters, digits, _ . and -");
}

function readRights(text: string): string[] {
  const named = text.split(",").filter(Boolean);
  if (named.length > 0 && named.every((right) => (rights as readonly string[]).includes(right))) return named;
  throw new InvalidArgumentError(`The rights are ${rights.join(", ")}.`);
}

function readNames(text: string): string[] {
  const names = text.split(",").filter(Boolean);
  if (names.length > 0 && names.every(isName)) return names;
  throw new InvalidArgumentError("Names have 1 to 256 characters and no control characters.");
}

function readExpiry(text: string): string {
  const duration = parseDuration(text);
  const end = new Date(duration === undefined ? parseDateOrTime(text) : Date.now() + duration);
  if (end.getTime() > Date.now()) return end.toISOString();
  throw new InvalidArgumentError("Expected an RFC 3339 time in the future, or a duration such as 90d.");
}
