import { InvalidArgumentError, Option } from "commander";
import { withVariables } from "./variables.ts";

/** The flag `--header "name: value"`, repeatable; collects the headers into one record. */
export function headerFlag(): Option {
  return new Option("-H, --header <name: value>", "request header, repeatable; '${NAME}' reads a variable")
    .default({}, "none")
    .argParser((text: string, headers: Readonly<Record<string, string>>) => {
      const [, name, value] = /^([^:]+):\s*(.*)$/s.exec(text) ?? [];
      if (name === undefined || value === undefined) throw new InvalidArgumentError('Expected "name: value".');
      return { ...headers, [name.trim().toLowerCase()]: withVariables(value) };
    });
}
