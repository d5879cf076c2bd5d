import type { Bus } from "../bus/bus.ts";
import { wireMemory } from "../bus/wire.ts";
import type { MemoryLevel, Severity } from "../domain/diagnostic.ts";
import type { QueueSnapshot } from "../domain/queue.ts";
import type { MemorySampler } from "../health/memory.ts";
import { startHealthSampler } from "../health/sampler.ts";

interface HeartbeatOptions {
  readonly bus: Pick<Bus, "publishState" | "status">;
  readonly queue: { readonly snapshot: () => QueueSnapshot };
  readonly worstDiagnostic: () => Severity;
  readonly memory: MemorySampler;
  /** Measures taken against pressure since the start. */
  readonly actions: () => number;
  /** Told of every sample. */
  readonly onMemory: (level: MemoryLevel) => void;
  readonly onMemoryLevel: (level: MemoryLevel) => void;
}

const healthIntervalMs = 60_000;
const memoryTellMs = 10_000;
/** A scan can fill memory within seconds; a sample takes 0.01 ms. */
const memoryIntervalMs = 500;

export interface Heartbeat {
  /** Publishes `memory` now, and from now on `health` and `memory` regularly. */
  start(): void;
  /** Publishes `health` out of turn: to be called at every connection, which it tells of. */
  beat(): void;
  stop(): void;
}

/** What publishes `health` and `memory`. */
export function createHeartbeat(options: HeartbeatOptions): Heartbeat {
  const { bus, queue, memory, worstDiagnostic, onMemory, onMemoryLevel } = options;
  const health = startHealthSampler();
  let level: MemoryLevel = "normal";
  let toldMs = Number.NEGATIVE_INFINITY;
  let timers: readonly NodeJS.Timeout[] = [];

  function sampleMemory(): void {
    const use = memory.sample();
    onMemory(use.level);
    if (use.level !== level) onMemoryLevel(use.level);
    // Told anew only where something about it is: a hub keeps every value in its database.
    if (use.level !== level || performance.now() - toldMs >= memoryTellMs) {
      bus.publishState("memory", wireMemory({ ...use, actions: options.actions() }));
      toldMs = performance.now();
    }
    level = use.level;
  }

  function sampleHealth(): void {
    const { uptimeSeconds, eventLoopDelayP99Ms } = health.sample();
    const { counts } = queue.snapshot();
    bus.publishState("health", {
      uptime_seconds: uptimeSeconds,
      mqtt: bus.status(),
      event_loop_delay_p99_ms: eventLoopDelayP99Ms,
      queue: { running: counts.running, waiting: counts.queued + counts.waiting },
      worst_diagnostic: worstDiagnostic(),
    });
  }

  return {
    start: () => {
      sampleMemory();
      timers = [setInterval(sampleMemory, memoryIntervalMs), setInterval(sampleHealth, healthIntervalMs)];
    },
    beat: sampleHealth,
    stop: () => {
      for (const timer of timers) clearInterval(timer);
      health.stop();
    },
  };
}
