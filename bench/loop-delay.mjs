import { writeFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";

/*
 * Loaded into the runner before it starts (`node --import`), so that it is measured as users run it: on SIGUSR2
 * it writes how late the event loop was since the last time, in milliseconds, and begins anew. Plain JavaScript:
 * a built runner shall not load what strips types because of us.
 */
const file = process.env["BENCH_LOOP_DELAY_FILE"];
const resolutionMs = 5;

if (file !== undefined) {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  const late = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - resolutionMs);
  process.on("SIGUSR2", () => {
    const delay = { p99Ms: late(histogram.percentile(99)), maxMs: late(histogram.max) };
    histogram.reset();
    writeFileSync(file, JSON.stringify(delay));
  });
}
