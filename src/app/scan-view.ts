import type { ScanProgress } from "../domain/scan.ts";

/**
 * Makes one picture of scans that run at the same time, for the one `scan` topic: the one that began first is
 * shown until it ends, then the next. The last value of every scan is shown, whichever that was.
 */
export function createScanView(show: (progress: ScanProgress) => void): (progress: ScanProgress) => void {
  /** The latest of each that is under way, in the order of beginning. */
  const underWay = new Map<string | null, ScanProgress>();
  return (progress) => {
    const { operationId, state } = progress;
    if (state === "idle" || state === "failed" || state === "paused") {
      underWay.delete(operationId);
      show(progress);
      const [next] = underWay.values();
      if (next !== undefined) show(next);
      return;
    }
    underWay.set(operationId, progress);
    const [first] = underWay.values();
    if (first === progress) show(progress);
  };
}
