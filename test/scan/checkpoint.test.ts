import { describe, expect, it } from "vitest";
import type { ScanCheckpoint, ScanProblem } from "../../src/domain/scan.ts";
import { createCheckpointSaver } from "../../src/scan/checkpoint.ts";
import { noCounts } from "../../src/scan/scan-progress.ts";

function checkpointAt(cursor: string): ScanCheckpoint {
  const savedAt = "2026-01-01T00:00:00.000Z";
  return { operationId: "o", rootId: "books", cursor, counts: noCounts, elapsedMs: 0, savedAt };
}

function problemAt(path: string): ScanProblem {
  return { path, code: "vanished", message: "gone" };
}

/** A store whose saves end one by one, when told. */
function slowTarget() {
  const calls: string[] = [];
  const waiting: PromiseWithResolvers<void>[] = [];
  return {
    calls,
    flush: async () => {
      calls.push("flush");
    },
    save: async (checkpoint: ScanCheckpoint, problems: readonly ScanProblem[]) => {
      calls.push(`save ${checkpoint.cursor} with ${problems.map((problem) => problem.path).join(" ")}`);
      const save = Promise.withResolvers<void>();
      waiting.push(save);
      await save.promise;
    },
    async end(failure?: Error): Promise<void> {
      while (waiting.length === 0) await Promise.resolve();
      const save = waiting.shift();
      if (failure === undefined) save?.resolve();
      else save?.reject(failure);
    },
  };
}

describe("checkpoint saver", () => {
  it("makes the catalogue durable before the checkpoint that covers it", async () => {
    const target = slowTarget();
    const saver = createCheckpointSaver(target);
    saver.save(checkpointAt("A"), []);
    await target.end();
    await saver.settled();
    expect(target.calls).toEqual(["flush", "save A with "]);
  });

  it("saves one at a time, of those that wait only the newest, and loses no problem", async () => {
    const target = slowTarget();
    const saver = createCheckpointSaver(target);
    saver.save(checkpointAt("A"), [problemAt("1")]);
    saver.save(checkpointAt("B"), [problemAt("2")]);
    saver.save(checkpointAt("C"), [problemAt("3")]);
    await target.end();
    await target.end();
    await saver.settled();
    expect(target.calls).toEqual(["flush", "save A with 1", "flush", "save C with 2 3"]);
    saver.save(checkpointAt("D"), []);
    await target.end();
    await saver.settled();
    expect(target.calls.at(-1)).toBe("save D with ");
  });

  it("says at the next save and at the end that one failed, and saves no more", async () => {
    const target = slowTarget();
    const saver = createCheckpointSaver(target);
    const failure = new Error("disk full");
    saver.save(checkpointAt("A"), []);
    saver.save(checkpointAt("B"), []);
    await target.end(failure);
    await expect(saver.settled()).rejects.toBe(failure);
    expect(() => saver.save(checkpointAt("C"), [])).toThrow(failure);
    expect(target.calls).toEqual(["flush", "save A with "]);
  });
});
