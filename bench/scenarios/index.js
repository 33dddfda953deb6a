import { burst } from "./burst.js";
import { cluster } from "./cluster.js";
import { coalesce } from "./coalesce.js";
import { connectRate } from "./connect-rate.js";
import { filtered } from "./filtered.js";
import { filters } from "./filters.js";
import { growth } from "./growth.js";
import { idleMemory } from "./idle-memory.js";
import { ingest } from "./ingest.js";
import { manyStreams } from "./many-streams.js";
import { paced } from "./paced.js";
import { proxy } from "./proxy.js";
import { replayStorm } from "./replay-storm.js";
import { slowReaders } from "./slow-readers.js";
import { workers, workersFanOut } from "./workers.js";

/** In the order of the tables. @type {readonly import("../types.d.ts").Scenario[]} */
export const scenarios = [
  paced,
  burst,
  filtered,
  filters,
  proxy,
  replayStorm,
  ingest,
  idleMemory,
  slowReaders,
  connectRate,
  growth,
  coalesce,
  workers,
  workersFanOut,
  manyStreams,
  cluster,
];
