import { monitorEventLoopDelay } from "node:perf_hooks";

interface HealthSample {
  /** Seconds since the process started. */
  readonly uptimeSeconds: number;
  /** Of the time since the sample before; how late timers were, in milliseconds. */
  readonly eventLoopDelayP99Ms: number;
}

export interface HealthSampler {
  /** Starts a new interval. */
  readonly sample: () => HealthSample;
  readonly stop: () => void;
}

const resolutionMs = 20;

/** Watches the event loop from now on. */
export function startHealthSampler(): HealthSampler {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  return {
    sample: () => {
      // The histogram holds the whole time between two ticks, which is the resolution when nothing is late.
      const lateMs = delay.count === 0 ? 0 : Math.max(0, delay.percentile(99) / 1e6 - resolutionMs);
      delay.reset();
      return {
        uptimeSeconds: Math.round(process.uptime()),
        eventLoopDelayP99Ms: Math.round(lateMs * 10) / 10,
      };
    },
    stop: () => delay.disable(),
  };
}
