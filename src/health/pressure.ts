import type { MemoryLevel } from "../domain/diagnostic.ts";

/** What can be done against pressure. */
export interface Relief {
  /** Gives up what is only kept to be quick. */
  readonly trimCaches: () => void;
  readonly setPressure: (pressure: "none" | "hold" | "shrink") => void;
  /** Sets work of low priority aside, or goes on with it. */
  readonly parkLowPriority: (isParked: boolean) => void;
  readonly collect: () => void;
}

export type ReliefAction =
  | "trim_caches"
  | "stop_growing"
  | "shrink_workers"
  | "park_low_priority"
  | "collect";

/** A collection takes some 30 ms, and a scan fills 50 MB in a second. */
const collectEveryMs = 2_000;

/**
 * Does what a level of memory pressure asks for: `elevated` trims caches and adds no workers, `critical` leaves one
 * worker, parks what has low priority and collects. `actions` counts what was done.
 */
export function createPressureRelief(relief: Relief, now: () => number) {
  const counts = new Map<ReliefAction, number>();
  let level: MemoryLevel = "normal";
  let collectedMs = Number.NEGATIVE_INFINITY;

  function count(action: ReliefAction): void {
    counts.set(action, (counts.get(action) ?? 0) + 1);
  }

  function enter(next: MemoryLevel): void {
    if (next !== "normal") {
      relief.trimCaches();
      count("trim_caches");
    }
    relief.setPressure(next === "normal" ? "none" : next === "elevated" ? "hold" : "shrink");
    if (next === "elevated") count("stop_growing");
    if (next === "critical") count("shrink_workers");
    if ((next === "critical") !== (level === "critical")) {
      relief.parkLowPriority(next === "critical");
      if (next === "critical") count("park_low_priority");
    }
    level = next;
  }

  return {
    /** To be called with every sample. */
    at(next: MemoryLevel): void {
      if (next !== level) enter(next);
      if (next !== "critical" || now() - collectedMs < collectEveryMs) return;
      collectedMs = now();
      relief.collect();
      count("collect");
    },
    /** All of them together. */
    get actions(): number {
      return [...counts.values()].reduce((sum, each) => sum + each, 0);
    },
    /** By what was done. */
    counts: (): ReadonlyMap<ReliefAction, number> => counts,
  };
}
