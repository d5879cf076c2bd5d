import { rmSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canMount, type MountedFileSystem, mountFileSystem } from "../../fixtures/file-systems.ts";
import { canPreload, FaultBench, must, pointsOf, type StepOutcome } from "./faults.ts";

/*
 * The power goes at any call that changes the disk: what was not synced is gone. Books, catalogue and journal lie on
 * the disk that is cut off. The same without fsync must lose something, or nothing is proved here.
 */
let bench: FaultBench;

beforeAll(async () => {
  if (canPreload) bench = await FaultBench.make();
}, 120_000);
afterAll(() => bench?.dispose());

const pointsOfDisk = 8;
const kinds = ["xfs", "ext4"] as const;

describe.each(kinds)("on %s", (kind) => {
  const canCut = canPreload && canMount(kind);
  let disk: MountedFileSystem;

  beforeAll(() => {
    if (canCut) disk = mountFileSystem(kind);
  });
  afterAll(() => disk?.dispose());

  /** A batch whose power is cut at that call; what it said before, and what is found when the power is back. */
  async function cutAt(
    at: number,
    strategy: string,
    noSync: boolean,
  ): Promise<{ said: StepOutcome | null; found: readonly string[]; state: string | null }> {
    const folder = path.join(disk.path, `cut-${at}`);
    bench.copyTo(folder);
    must("sync", "-f", disk.path);
    const { outcome: said } = await bench.step(folder, ["organize", strategy], {
      fault: { at, kind: "cut", disk: disk.path },
      noSync,
    });
    disk.remount();
    const { outcome, stderr } = await bench.step(folder, ["recover"]);
    const found =
      outcome === null ? [`the recovery said nothing: ${stderr}`] : await bench.problems(folder, outcome);
    rmSync(folder, { recursive: true, force: true });
    return { said, found, state: outcome?.batches[0]?.state ?? null };
  }

  async function callsOf(strategy: string): Promise<number> {
    const folder = path.join(disk.path, `whole-${strategy}`);
    bench.copyTo(folder);
    const { calls } = await bench.step(folder, ["organize", strategy]);
    rmSync(folder, { recursive: true, force: true });
    return calls;
  }

  test.skipIf(!canCut).each(["move", "copy"])(
    "a batch by %s is all there or not at all when the power is back (needs root, mkfs, cc)",
    async (strategy) => {
      const calls = await callsOf(strategy);
      const states: Record<string, number> = {};
      for (const at of pointsOf(calls, pointsOfDisk)) {
        const { found, state } = await cutAt(at, strategy, false);
        expect(found, `${kind}, ${strategy}, cut at call ${at} of ${calls}`).toEqual([]);
        states[state ?? "none"] = (states[state ?? "none"] ?? 0) + 1;
      }
      console.log(`${kind}, ${strategy}: ${JSON.stringify(states)}`);
      // The batch was acknowledged before the power went: it must be there.
      const { said, found, state } = await cutAfterEnd(strategy, false);
      expect(said?.ok).toBe(true);
      expect(found).toEqual([]);
      expect(state).toBe("ended");
    },
  );

  test.skipIf(!canCut)(
    "the same without fsync loses a batch that was acknowledged (needs root, mkfs, cc)",
    async () => {
      const { said, found, state } = await cutAfterEnd("move", true);
      expect(said?.ok).toBe(true);
      expect(state === "ended" && found.length === 0).toBe(false);
    },
  );

  /** The power goes when the batch has been acknowledged and nothing else was written. */
  async function cutAfterEnd(strategy: string, noSync: boolean): ReturnType<typeof cutAt> {
    const folder = path.join(disk.path, "acknowledged");
    bench.copyTo(folder);
    must("sync", "-f", disk.path);
    const { outcome: said } = await bench.step(folder, ["organize", strategy], {
      fault: { at: 0, kind: "cut", disk: disk.path },
      noSync,
    });
    disk.remount();
    const { outcome, stderr } = await bench.step(folder, ["recover"]);
    const found = outcome === null ? [stderr] : await bench.problems(folder, outcome);
    rmSync(folder, { recursive: true, force: true });
    return { said, found, state: outcome?.batches[0]?.state ?? null };
  }
});
