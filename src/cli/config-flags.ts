/** The flags of `serve`, `check` and `doctor`. Each sets one option of the configuration and overrides the file. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { wholeNumber } from "./flags.ts";

/** The flags as commander parses them. */
export interface ConfigFlags {
  readonly config?: string;
  readonly preset?: string;
  readonly upstream?: string;
  readonly resumeParam?: string;
  readonly stream?: string;
  readonly route?: readonly RouteFlag[];
  readonly channel?: string;
  readonly ids?: string;
  readonly store?: string;
  readonly listen?: string;
  readonly port?: number;
  readonly listener?: string;
  readonly workers?: string;
  readonly anonymous?: string;
  readonly devTls?: true;
}

/** A path pattern, and the URLs of its targets, separated by commas. */
interface RouteFlag {
  readonly pattern: string;
  readonly urls: string;
}

/** Adds these flags to a command. Each flag that takes a value can also be set as `SPILLWAY_<NAME>`. */
export function addConfigFlags(command: Command): Command {
  const flags: readonly [flags: string, description: string][] = [
    [
      "-c, --config <file>",
      "configuration file (default: spillway.yaml, .yml, .json, .config.ts, .config.js or .config.mjs here)",
    ],
    ["--preset <name>", "ready-made configuration from the environment: surflux"],
    [
      "--upstream <url>",
      "URL of the event source, instead of a configuration file; '${NAME}' reads a variable of the environment or .env",
    ],
    ["--resume-param <name>", "send the last event id in this query parameter (default: in the Last-Event-ID header)"],
    ["--stream <name>", 'stream that these flags configure (default: the only one in the file, else "events")'],
    [
      "--route <path=urls>",
      "forward requests for a path, such as '/api/**=http://a:8080,http://b:8080'; repeatable, and '${NAME}' reads a variable",
    ],
    ["--channel <pointer>", "JSON pointer to the channel in an event's data, such as /symbol"],
    ["--ids <whose>", "whose event ids clients get: gateway or upstream"],
    ["--store <url>", "where events are stored: sqlite:<path>, memory, postgres://…, mysql://…, redis://… or nats://…"],
    ["--listen <address>", "address to listen on, such as 127.0.0.1:8080"],
    ["--port <number>", "port to listen on"],
    ["--listener <name>", "what serves subscriptions over HTTP/1.1: raw, or node for Node's own HTTP server"],
    ["--workers <n|auto>", "number of processes that serve clients, or auto"],
    [
      "--anonymous <rights>",
      "rights of clients without credentials, separated by commas: subscribe,publish,proxy,admin",
    ],
    ["--dev-tls", "serve HTTPS and HTTP/2 with a new self-signed certificate for localhost"],
  ];
  for (const [name, description] of flags) command.addOption(withVariable(new Option(name, description)));
  return command;
}

/** Adds the environment variable of a flag, such as `SPILLWAY_RESUME_PARAM` for `--resume-param`. */
function withVariable(option: Option): Option {
  // Any value of the variable would set the flag, even "false".
  if (option.isBoolean()) return option;
  option.env(`SPILLWAY_${option.name().toUpperCase().replaceAll("-", "_")}`);
  if (option.name() === "route") return option.argParser(collectRoutes);
  return option.name() === "port" ? option.conflicts("listen").argParser(wholeNumber(0, 65_535)) : option;
}

/** The variable may hold several routes, separated by spaces. */
function collectRoutes(text: string, before: readonly RouteFlag[] = []): readonly RouteFlag[] {
  const given = text.trim().split(/\s+/).map(readRoute);
  const all = [...before, ...given];
  const patterns = all.map(({ pattern }) => pattern);
  const repeated = patterns.find((pattern, index) => patterns.indexOf(pattern) !== index);
  if (repeated !== undefined) throw new InvalidArgumentError(`The path ${repeated} is given twice.`);
  return all;
}

function readRoute(text: string): RouteFlag {
  const [, pattern, urls] = /^(\/[^=]*)=(.+)$/.exec(text) ?? [];
  if (pattern !== undefined && urls !== undefined) return { pattern, urls };
  throw new InvalidArgumentError("Expected <path>=<url>[,<url>], such as /events=http://a:8080.");
}
