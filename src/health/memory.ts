import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { MemoryLevel, MemoryUse } from "../domain/diagnostic.ts";

/** Shares of the limit: a level is entered at `enter` and left below `leave`, so that it does not flutter. */
const thresholds = {
  elevated: { enter: 0.7, leave: 0.6 },
  critical: { enter: 0.85, leave: 0.75 },
} as const;

/** The level after a sample, given the one before it. */
export function nextMemoryLevel(before: MemoryLevel, rssBytes: number, limitBytes: number): MemoryLevel {
  const share = rssBytes / limitBytes;
  const isIn = (level: "elevated" | "critical", wasIn: boolean) =>
    share >= (wasIn ? thresholds[level].leave : thresholds[level].enter);
  if (isIn("critical", before === "critical")) return "critical";
  return isIn("elevated", before !== "normal") ? "elevated" : "normal";
}

export interface MemorySampler {
  /** The process's memory now; the level depends on the samples before. */
  readonly sample: () => MemoryUse;
}

export function createMemorySampler(limitBytes: number): MemorySampler {
  let level: MemoryLevel = "normal";
  return {
    sample: () => {
      const { rss, heapUsed } = process.memoryUsage();
      level = nextMemoryLevel(level, rss, limitBytes);
      return { level, rssBytes: rss, heapBytes: heapUsed, limitBytes, actions: 0 };
    },
  };
}

/**
 * What the process may use: the smallest of a share of the machine's memory, the limit of its own cgroup and those of all
 * the cgroups above it (a container's limit often stands on a parent).
 */
export function memoryLimitBytes(share = 1, procDir = "/proc", cgroupDir = "/sys/fs/cgroup"): number {
  // Without a limit `constrainedMemory` says 0 or 1.8e19, and the cgroup file says `max`.
  const constrained = process.constrainedMemory();
  const limits = [constrained, ...cgroupLimits(procDir, cgroupDir)].filter((limit) => limit > 0);
  return Math.min(os.totalmem() * share, ...limits);
}

function cgroupLimits(procDir: string, cgroupDir: string): readonly number[] {
  const own = /^0::(\/.*)$/m.exec(readText(path.join(procDir, "self", "cgroup")))?.[1];
  if (own === undefined) return [];
  const limits: number[] = [];
  for (let group = own; ; group = path.posix.dirname(group)) {
    // Number("max") and Number("") are no limits either: NaN and 0.
    const limit = Number(readText(path.join(cgroupDir, group, "memory.max")));
    if (Number.isFinite(limit)) limits.push(limit);
    if (group === "/") return limits;
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
