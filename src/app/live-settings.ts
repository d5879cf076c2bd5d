import type { Config } from "../config/schema.ts";
import type { WorkerLimits } from "../domain/queue.ts";
import type { KeptSettings } from "../store/settings.ts";
import { type PauseWindow, parseWindow } from "./pause-windows.ts";

/** The settings that `reload` and `configure` change while the runner runs; the former are marked so in the schema. */
export interface LiveSettings {
  readonly logLevel: Config["log_level"];
  readonly scanConcurrency: number;
  readonly scanOnStartup: boolean;
  readonly checkpointInterval: number;
  readonly ignore: readonly string[];
  readonly workers: WorkerLimits;
  readonly pauseBetween: readonly PauseWindow[];
  readonly organizeStrategy: Config["organize"]["strategy"];
  readonly organize: Config["organize"];
  readonly writeOut: Config["write_out"];
  readonly fetchConcurrency: number;
  readonly notFoundMs: number;
  readonly match: Config["match"];
}

/** What the configuration says, under what was set while it ran. */
export function liveSettings(config: Config, kept: KeptSettings): LiveSettings {
  return {
    logLevel: kept.logLevel ?? config.log_level,
    scanConcurrency: kept.scanConcurrency ?? config.scan.concurrency,
    scanOnStartup: config.scan.on_startup,
    checkpointInterval: config.scan.checkpoint_interval,
    ignore: config.scan.ignore,
    workers: workersOf(config, kept),
    pauseBetween: config.queue.pause_between.map(parseWindow),
    organizeStrategy: kept.organizeStrategy ?? config.organize.strategy,
    organize: config.organize,
    writeOut: config.write_out,
    fetchConcurrency: config.fetch.concurrency,
    notFoundMs: config.fetch.not_found_days * 24 * 60 * 60 * 1000,
    match: config.match,
  };
}

function workersOf({ queue }: Config, { operationConcurrency }: KeptSettings): WorkerLimits {
  const min = operationConcurrency ?? queue.workers.min ?? queue.concurrency;
  const max = queue.workers.max ?? (min === 1 ? 1 : min * 2);
  return { min, max: Math.max(min, max) };
}
