/**
 * Tries the properties of this folder for as long as it is told, all files at once:
 * `npm run fuzz -- [--seconds 60] [--seed <number>] [part of a file's name…]`
 */
import { spawn } from "node:child_process";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string" } },
});
const seed = values.seed ?? String(Math.floor(Math.random() * 2 ** 31));
console.log(`fuzz: ${values.seconds} s, --seed ${seed}`);

const files = positionals.length > 0 ? positionals.map((name) => `test/fuzz/${name}`) : ["test/fuzz/"];
const vitest = ["vitest", "run", ...files, "--maxWorkers=4", "--retry=0"];
const env = { ...process.env, FUZZ_SECONDS: values.seconds, FUZZ_SEED: seed };
spawn("npx", vitest, { stdio: "inherit", env }).on("exit", (code) => {
  process.exitCode = code ?? 1;
});
