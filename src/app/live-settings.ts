import type { Config } from "../config/schema.ts";

/** The settings that `reload` changes while the runner runs; each is marked so in the schema. */
export interface LiveSettings {
  readonly logLevel: Config["log_level"];
  readonly scanConcurrency: number;
  readonly scanOnStartup: boolean;
  readonly checkpointInterval: number;
  readonly ignore: readonly string[];
  readonly operationConcurrency: number;
  readonly organizeStrategy: Config["organize"]["strategy"];
  readonly organize: Config["organize"];
}

export function liveSettings(config: Config): LiveSettings {
  return {
    logLevel: config.log_level,
    scanConcurrency: config.scan.concurrency,
    scanOnStartup: config.scan.on_startup,
    checkpointInterval: config.scan.checkpoint_interval,
    ignore: config.scan.ignore,
    operationConcurrency: config.queue.concurrency,
    organizeStrategy: config.organize.strategy,
    organize: config.organize,
  };
}
