import { type Broker, brokers } from "./brokers.ts";
import { type SqlEngine, sqlEngines } from "./sql-engines.ts";

/** An engine whose log nodes share, as far as all of them are alike. */
export type Engine = SqlEngine | Broker;

/** Room of one's own on the engine that tests share. */
export type EnginePlace = ReturnType<Engine["openPlace"]>;

/** Every store that nodes can share, as far as its engine is here. */
export const engines: readonly Engine[] = [...sqlEngines, ...brokers];
