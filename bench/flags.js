import { parseArgs } from "node:util";

export const usage = `npm run bench -- [flags]

  --scenario <name>   only this scenario, or variants whose name holds this text; repeatable
  --server <name>     only this server, repeatable; "all" for every one there is
  --runs <n>          runs of each, in turn; the tables show medians (default 3, with --small 1)
  --small             tiny numbers, for correctness only: Spillway alone unless --server says otherwise
  --json <file>       writes all results, single runs included
  --markdown <file>   writes the tables
  --write             writes the tables to bench/RESULTS.md
  --list              lists scenarios and servers
`;

/**
 * @typedef {object} Flags
 * @property {readonly string[]} scenarios empty: all
 * @property {readonly string[]} servers empty: the default
 * @property {number} runs
 * @property {boolean} small
 * @property {string | undefined} json
 * @property {string | undefined} markdown
 * @property {boolean} write
 * @property {boolean} list
 * @property {boolean} help
 */

/**
 * @param {readonly string[]} args
 * @returns {Flags}
 */
export function parseFlags(args) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: "string", multiple: true, default: [] },
      server: { type: "string", multiple: true, default: [] },
      runs: { type: "string" },
      small: { type: "boolean", default: false },
      json: { type: "string" },
      markdown: { type: "string" },
      write: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const { scenario, server, runs, small, json, markdown, write, list, help } = values;
  const count = Number(runs ?? (small ? 1 : 3));
  if (!Number.isInteger(count) || count < 1) throw new Error(`--runs takes a number from 1, not ${runs}`);
  return { scenarios: scenario, servers: server, runs: count, small, json, markdown, write, list, help };
}
