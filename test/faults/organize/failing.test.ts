import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canPreload, type Fault, FaultBench, forEachPoint, pointsOf } from "./faults.ts";

/* Every call that changes a disk fails once, with each error that disks give. */
let bench: FaultBench;

beforeAll(async () => {
  if (canPreload) bench = await FaultBench.make();
}, 120_000);
afterAll(() => bench?.dispose());

const errors = ["EIO", "ENOSPC", "EXDEV", "EPERM", "EROFS", "EMFILE", "EDQUOT", "EACCES"] as const;
const pointsOfError = 5;

describe.skipIf(!canPreload)("a call that fails (needs cc)", () => {
  test.each([...errors, "a short write"])(
    "with %s leaves all of the batch or nothing, and what is left works on",
    async (error) => {
      const strategy = error === "EXDEV" ? "auto" : "copy";
      const whole = bench.at(`whole-${error}`);
      bench.copyTo(whole);
      const { calls } = await bench.step(whole, ["organize", strategy]);
      const seen = { done: 0, refused: 0 };
      await forEachPoint(pointsOf(calls, pointsOfError), async (at) => {
        const folder = bench.at(`fail-${error}-${at}`);
        bench.copyTo(folder);
        const fault: Fault =
          error === "a short write" ? { at, kind: "short" } : { at, kind: "fail", errno: error };
        const { outcome, stderr } = await bench.step(folder, ["organize", strategy], { fault });
        const where = `${error} at call ${at} of ${calls}`;
        if (outcome === null) throw new Error(`${where}: nothing was said; ${stderr}`);
        if (outcome.ok) seen.done++;
        else {
          seen.refused++;
          // It says which file or folder, and what to do.
          expect(outcome.error?.message, where).toMatch(/\/(inbox|library|data)/);
          expect(outcome.error?.message.length, where).toBeGreaterThan(40);
        }
        const { outcome: recovered } = await bench.step(folder, ["recover"]);
        if (recovered === null) throw new Error(`${where}: the recovery said nothing`);
        expect(await bench.problems(folder, recovered), where).toEqual([]);
        if (!outcome.ok && recovered.batches[0]?.state !== "ended") {
          const { outcome: again } = await bench.step(folder, ["organize", strategy]);
          expect(again?.ok, `${where}, tried again: ${again?.error?.message}`).toBe(true);
        }
        rmSync(folder, { recursive: true, force: true });
      });
      console.log(`${error}: ${JSON.stringify(seen)}`);
    },
  );
});
