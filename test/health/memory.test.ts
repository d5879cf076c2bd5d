import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { MemoryLevel } from "../../src/domain/diagnostic.ts";
import { createMemorySampler, memoryLimitBytes, nextMemoryLevel } from "../../src/health/memory.ts";
import { startHealthSampler } from "../../src/health/sampler.ts";

describe("the level", () => {
  const levels = (shares: readonly number[]) => {
    let level: MemoryLevel = "normal";
    return shares.map((share) => {
      level = nextMemoryLevel(level, share * 1000, 1000);
      return level;
    });
  };

  test("rises at 70 and 85 percent", () => {
    expect(levels([0.1, 0.69, 0.7, 0.84, 0.85])).toEqual([
      "normal",
      "normal",
      "elevated",
      "elevated",
      "critical",
    ]);
  });

  test("falls only well below where it rose, so that it does not flutter", () => {
    expect(levels([0.7, 0.65, 0.7, 0.6, 0.59])).toEqual([
      "elevated",
      "elevated",
      "elevated",
      "elevated",
      "normal",
    ]);
    expect(levels([0.9, 0.8, 0.75, 0.74, 0.61, 0.5])).toEqual([
      "critical",
      "critical",
      "critical",
      "elevated",
      "elevated",
      "normal",
    ]);
  });

  test("goes from one end to the other at once", () => {
    expect(levels([0.95, 0.1, 0.95])).toEqual(["critical", "normal", "critical"]);
  });
});

describe("the limit", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-memory-"));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  function machine(cgroup: string, limits: Readonly<Record<string, string>>): number {
    mkdirSync(path.join(dir, "proc/self"), { recursive: true });
    writeFileSync(path.join(dir, "proc/self/cgroup"), cgroup);
    for (const [group, limit] of Object.entries(limits)) {
      mkdirSync(path.join(dir, "cgroup", group), { recursive: true });
      writeFileSync(path.join(dir, "cgroup", group, "memory.max"), limit);
    }
    return memoryLimitBytes(1, path.join(dir, "proc"), path.join(dir, "cgroup"));
  }

  const unlimited = () => memoryLimitBytes(1, path.join(dir, "none"), path.join(dir, "none"));

  test("is never more than the machine's memory", () => {
    expect(unlimited()).toBeGreaterThan(0);
    expect(unlimited()).toBeLessThanOrEqual(os.totalmem());
    expect(machine("0::/a\n", { a: "max\n" })).toBe(unlimited());
  });

  test("is the smallest of the process's group and those above it", () => {
    expect(machine("0::/a/b\n", { "a/b": "max\n", a: "1048576\n", "": "9000000\n" })).toBe(1_048_576);
    expect(machine("4:memory:/x\n0::/\n", { "": "2097152\n" })).toBe(2_097_152);
  });
});

test("a sample says what the process uses of its limit", () => {
  const use = createMemorySampler(1).sample();
  expect(use.level).toBe("critical");
  expect(use.rssBytes).toBeGreaterThan(use.heapBytes);
  expect(use).toMatchObject({ limitBytes: 1, actions: 0 });
  expect(createMemorySampler(2 ** 50).sample().level).toBe("normal");
});

test("a blocked event loop shows in the sample after it, and not in the next", async () => {
  const sampler = startHealthSampler();
  const pause = () => new Promise((resolve) => setTimeout(resolve, 60));
  await pause();
  const until = performance.now() + 300;
  while (performance.now() < until);
  await pause();
  expect(sampler.sample().eventLoopDelayP99Ms).toBeGreaterThan(100);
  expect(sampler.sample()).toMatchObject({ eventLoopDelayP99Ms: 0, uptimeSeconds: expect.any(Number) });
  sampler.stop();
});
