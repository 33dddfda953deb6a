import { InvalidArgumentError, Option } from "commander";

/** `--header "name: value"`, any number of times; collected into one record. */
export function headerFlag(): Option {
  return new Option("-H, --header <name: value>", "request header; may be given several times")
    .default({}, "none")
    .argParser((text: string, headers: Readonly<Record<string, string>>) => {
      const [, name, value] = /^([^:]+):\s*(.*)$/s.exec(text) ?? [];
      if (name === undefined || value === undefined) throw new InvalidArgumentError('write "name: value".');
      return { ...headers, [name.trim().toLowerCase()]: value };
    });
}
