import type { Command } from "commander";
import { headerFlag, readUrl } from "../flags.ts";
import { requestJson, type Answer } from "../request.ts";

interface DeliveryFlags {
  readonly server: string;
  readonly header: Readonly<Record<string, string>>;
  readonly json?: true;
}

/** `spillway deliveries`: shows and controls the webhooks that a running gateway sends. */
export function addDeliveries(program: Command): void {
  const command = program.command("deliveries").description("show and control the webhooks that a gateway sends");
  addFlags(command.command("list", { isDefault: true }))
    .description("list the deliveries")
    .action(async (flags: DeliveryFlags) => {
      const answer = await ask(flags, "GET", []);
      process.stdout.write(flags.json ? toJson(answer) : toTable(answer["deliveries"]));
    });
  addFlags(command.command("show").argument("<name>", "name of the delivery"))
    .description("show the state of a delivery")
    .action(async (name: string, flags: DeliveryFlags) => print(await ask(flags, "GET", [name]), flags));
  for (const [action, description] of Object.entries(actions)) {
    addFlags(command.command(action).argument("<name>", "name of the delivery"))
      .description(description)
      .action(async (name: string, flags: DeliveryFlags) => print(await ask(flags, "POST", [name, action]), flags));
  }
}

/** The commands by their names in the API. */
const actions = {
  pause: "send nothing until it is resumed",
  resume: "send again, also after a 410, and retry at once what waits",
  retry: "send the dead letters again",
};

function addFlags(command: Command): Command {
  return command
    .option("--server <url>", "address of the gateway", "http://127.0.0.1:8080")
    .addOption(headerFlag())
    .option("--json", "print JSON");
}

function ask({ server, header }: DeliveryFlags, method: string, path: readonly string[]): Promise<Answer> {
  const url = readUrl(server);
  url.pathname = [url.pathname.replace(/\/$/, ""), "admin", "deliveries", ...path.map(encodeURIComponent)].join("/");
  return requestJson(url, { method, headers: header });
}

function print(delivery: Answer, { json }: DeliveryFlags): void {
  process.stdout.write(json ? toJson(delivery) : toLines(delivery));
}

function toJson(answer: Answer): string {
  return `${JSON.stringify(answer, undefined, 2)}\n`;
}

function toLines(delivery: Answer): string {
  const entries = Object.entries(delivery);
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => `${name.padEnd(width)}  ${toText(value)}\n`).join("");
}

const columns = ["state", "stream", "lag", "waiting", "delivered", "failed", "dead", "lastError"];

/** A line for each delivery, under a line with the names of the columns. */
function toTable(deliveries: unknown): string {
  const all = Object.entries((deliveries ?? {}) as Readonly<Record<string, Answer>>);
  const rows = [
    ["name", ...columns],
    ...all.map(([name, delivery]) => [name].concat(columns.map((column) => toText(delivery[column])))),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

function toText(value: unknown): string {
  if (value === null || value === undefined) return "-";
  return typeof value === "string" ? value : JSON.stringify(value);
}
