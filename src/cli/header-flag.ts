import { InvalidArgumentError, Option } from "commander";
import { withVariables } from "./variables.ts";

/** `--header "name: value"`, any number of times; collected into one record. */
export function headerFlag(): Option {
  return new Option("-H, --header <name: value>", "request header, any number of times; '${NAME}' is a variable")
    .default({}, "none")
    .argParser((text: string, headers: Readonly<Record<string, string>>) => {
      const [, name, value] = /^([^:]+):\s*(.*)$/s.exec(text) ?? [];
      if (name === undefined || value === undefined) throw new InvalidArgumentError('write "name: value".');
      return { ...headers, [name.trim().toLowerCase()]: withVariables(value) };
    });
}
