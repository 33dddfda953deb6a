import { type Broker, brokers } from "./brokers.ts";
import { type SqlEngine, sqlEngines } from "./sql-engines.ts";

/** The common interface of engines whose logs nodes share. */
export type Engine = SqlEngine | Broker;

/** A separate location on the engine that tests share. */
export type EnginePlace = ReturnType<Engine["openPlace"]>;

/** Every store that nodes can share, if its engine is available. */
export const engines: readonly Engine[] = [...sqlEngines, ...brokers];
