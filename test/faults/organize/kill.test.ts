import { rmSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filesOf, snapshot } from "../../organize/library.ts";
import { canPreload, FaultBench, forEachPoint, pointsOf } from "./faults.ts";

/*
 * kill -9 in place of every call that changes a disk: of a batch of three books, and of the recovery after it.
 * FAULT_POINTS=all tries all of them, as they were tried before a release; else some of each.
 */
let bench: FaultBench;

beforeAll(async () => {
  if (canPreload) bench = await FaultBench.make();
}, 120_000);
afterAll(() => bench?.dispose());

const pointsOfBatch = 14;

describe.skipIf(!canPreload)("a batch that is killed (needs cc)", () => {
  test.each(["move", "copy", "hardlink", "symlink"])(
    "by %s at any call is all done or not at all",
    async (strategy) => {
      const whole = bench.at(`whole-${strategy}`);
      bench.copyTo(whole);
      const { calls, outcome } = await bench.step(whole, ["organize", strategy]);
      expect(outcome?.ok).toBe(true);
      expect(calls).toBeGreaterThan(50);
      const points = pointsOf(calls, pointsOfBatch);
      const seen = { ended: 0, rolledBack: 0, none: 0 };
      await forEachPoint(points, async (at) => {
        const folder = bench.at(`kill-${strategy}-${at}`);
        bench.copyTo(folder);
        await bench.step(folder, ["organize", strategy], { fault: { at, kind: "kill" } });
        // Killed in its recovery too, somewhere, and then left alone.
        const second = 1 + Math.floor(Math.random() * 60);
        await bench.step(folder, ["recover"], { fault: { at: second, kind: "kill" } });
        const { outcome: recovered, stderr } = await bench.step(folder, ["recover"]);
        const where = `${strategy}, killed at call ${at} of ${calls}, then at call ${second} of the recovery`;
        if (recovered === null) throw new Error(`${where}: the recovery said nothing; ${stderr}`);
        expect(await bench.problems(folder, recovered), where).toEqual([]);
        const [batch] = recovered.batches;
        if (batch === undefined) seen.none++;
        else if (batch.state === "ended") seen.ended++;
        else seen.rolledBack++;
        if (strategy === "move" && batch?.state === "ended" && at % 7 === 0)
          await expectUndone(folder, where);
        rmSync(folder, { recursive: true, force: true });
      });
      console.log(`${strategy}: ${points.length} of ${calls} calls, ${JSON.stringify(seen)}`);
      expect(seen.rolledBack).toBeGreaterThan(0);
      expect(seen.ended).toBeGreaterThan(0);
    },
  );
});

describe.skipIf(!canPreload)("a batch that is paused, goes on, and is killed (needs cc)", () => {
  test.each(["move", "copy"])(
    "by %s at any call is done when its operation has run again",
    async (strategy) => {
      const whole = bench.at(`parked-${strategy}`);
      bench.copyTo(whole);
      const { calls, outcome } = await bench.step(whole, ["pause", strategy]);
      // It was parked with some of its files still to come, and then went on.
      expect(outcome).toMatchObject({ ok: true, parked: { ok: false } });
      const points = pointsOf(calls, pointsOfBatch);
      const before = await filesOf(path.join(bench.at("base"), "inbox"));
      await forEachPoint(points, async (at) => {
        const folder = bench.at(`parked-${strategy}-${at}`);
        bench.copyTo(folder);
        await bench.step(folder, ["pause", strategy], { fault: { at, kind: "kill" } });
        const where = `${strategy}, killed at call ${at} of ${calls}`;
        const { outcome: ended, stderr } = await bench.step(folder, ["go-on", strategy]);
        if (ended === null) throw new Error(`${where}: it said nothing; ${stderr}`);
        expect(ended.ok, where).toBe(true);
        expect(await bench.problems(folder, ended), where).toEqual([]);
        expect(ended.batches, where).toMatchObject([{ state: "ended" }]);
        const { outcome: undone } = await bench.step(folder, ["undo"]);
        expect(undone?.ok, where).toBe(true);
        expect(Object.keys(await snapshot(path.join(folder, "library"))), where).toEqual(["."]);
        expect(await filesOf(path.join(folder, "inbox")), where).toEqual(before);
        rmSync(folder, { recursive: true, force: true });
      });
      console.log(`${strategy}, parked: ${points.length} of ${calls} calls`);
    },
  );
});

describe.skipIf(!canPreload)("an undo that is killed (needs cc)", () => {
  test("at any call is all done, or goes on when it is asked for again", async () => {
    const whole = bench.at("undo-whole");
    bench.copyTo(whole);
    await bench.step(whole, ["organize", "move"]);
    const { calls } = await bench.step(whole, ["undo"]);
    const points = pointsOf(calls, pointsOfBatch);
    await forEachPoint(points, async (at) => {
      const folder = bench.at(`undo-${at}`);
      bench.copyTo(folder);
      await bench.step(folder, ["organize", "move"]);
      await bench.step(folder, ["undo"], { fault: { at, kind: "kill" } });
      const { outcome } = await bench.step(folder, ["recover"]);
      const where = `killed at call ${at} of ${calls} of the undo`;
      if (outcome === null) throw new Error(where);
      expect(await bench.problems(folder, outcome), where).toEqual([]);
      const again = await bench.step(folder, ["undo"]);
      expect(again.outcome?.ok, where).toBe(true);
      expect(Object.keys(await snapshot(path.join(folder, "library"))), where).toEqual(["."]);
      const before = await filesOf(path.join(bench.at("base"), "inbox"));
      expect(await filesOf(path.join(folder, "inbox")), where).toEqual(before);
      rmSync(folder, { recursive: true, force: true });
    });
  });
});

async function expectUndone(folder: string, where: string): Promise<void> {
  const { outcome } = await bench.step(folder, ["undo"]);
  expect(outcome?.ok, where).toBe(true);
  for (const root of ["inbox", "library"]) {
    const before = await snapshot(path.join(bench.at("base"), root));
    expect(await snapshot(path.join(folder, root)), where).toEqual(before);
  }
}
