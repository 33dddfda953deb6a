import { parseArgs } from "node:util";

export const usage = `npm run bench -- [flags]

  --scenario <name>   only this scenario, or else variants whose name holds this text; repeatable
  --server <name>     only this server, repeatable; "all" for every one there is
  --runs <n>          runs of each, in turn; the tables show medians (default 3, of some servers 1; with --small 1)
  --small             tiny numbers, for correctness only: Spillway alone unless --server says otherwise
  --json <file>       writes all results, single runs included
  --markdown <file>   writes the tables
  --write             writes the tables to bench/RESULTS.md
  --merge <file>...   measures nothing: puts together what several runs wrote with --json
  --list              lists scenarios and servers
`;

/**
 * @typedef {object} Flags
 * @property {readonly string[]} scenarios empty: all
 * @property {readonly string[]} servers empty: the default
 * @property {number | undefined} runs undefined: as many as each server asks for
 * @property {boolean} small
 * @property {string | undefined} json
 * @property {string | undefined} markdown
 * @property {boolean} write
 * @property {readonly string[]} merge files to be put together; empty: measure
 * @property {boolean} list
 * @property {boolean} help
 */

/**
 * @param {readonly string[]} args
 * @returns {Flags}
 */
export function parseFlags(args) {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      scenario: { type: "string", multiple: true, default: [] },
      server: { type: "string", multiple: true, default: [] },
      runs: { type: "string" },
      small: { type: "boolean", default: false },
      json: { type: "string" },
      markdown: { type: "string" },
      write: { type: "boolean", default: false },
      merge: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const { scenario, server, small, json, markdown, write, list, help } = values;
  const runs = values.runs === undefined ? (small ? 1 : undefined) : Number(values.runs);
  if (runs !== undefined && !(Number.isInteger(runs) && runs > 0)) {
    throw new Error(`--runs takes a number from 1, not ${values.runs}`);
  }
  if (values.merge !== positionals.length > 0) {
    throw new Error(values.merge ? "--merge takes files" : `what is "${positionals[0]}"?`);
  }
  return { scenarios: scenario, servers: server, runs, small, json, markdown, write, merge: positionals, list, help };
}
