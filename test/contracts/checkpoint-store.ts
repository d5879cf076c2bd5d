import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ScanCheckpoint, ScanProblem } from "../../src/domain/scan.ts";
import type { CheckpointStore } from "../../src/store/ports.ts";

/** Whatever keeps checkpoints; each `open` is a new start of the runner on it. */
export interface CheckpointBackend {
  open(): Promise<CheckpointStore>;
  close(): Promise<void>;
  dispose(): Promise<void>;
}

export function checkpoint(fields: Partial<ScanCheckpoint> = {}): ScanCheckpoint {
  return {
    operationId: "op-1",
    rootId: "books",
    cursor: "Author/Title",
    counts: { dirs: 1, files: 2, problemCount: 0 },
    elapsedMs: 1500,
    savedAt: "2026-01-01T00:00:00.000Z",
    ...fields,
  };
}

export function problem(index: number): ScanProblem {
  return { path: `A.b/$c/${index}.mp3`, code: "unreadable_audio", message: `bad\u2028${index}` };
}

/** What every checkpoint store promises. */
export function checkpointStoreContract(name: string, createBackend: () => Promise<CheckpointBackend>): void {
  describe(`${name} as a checkpoint store`, () => {
    let backend: CheckpointBackend;
    let store: CheckpointStore;

    beforeEach(async () => {
      backend = await createBackend();
      store = await backend.open();
    });

    afterEach(async () => {
      await backend.close();
      await backend.dispose();
    });

    async function restart(): Promise<void> {
      await backend.close();
      store = await backend.open();
    }

    test("gives the last save back, after a restart too", async () => {
      await store.save(checkpoint(), []);
      const last = checkpoint({ cursor: "B/$x.y/漢", elapsedMs: 2500 });
      await store.save(last, []);
      expect(store.load("op-1")).toEqual({ checkpoint: last, problems: [] });
      await restart();
      expect(store.load("op-1")).toEqual({ checkpoint: last, problems: [] });
    });

    test("has nothing for an operation that never saved", () => {
      expect(store.load("op-1")).toBeNull();
    });

    test("gathers the problems of all saves in their order", async () => {
      await store.save(checkpoint(), [problem(0), problem(1)]);
      await store.save(checkpoint(), []);
      await store.save(checkpoint(), [problem(2)]);
      await restart();
      expect(store.load("op-1")?.problems).toEqual([problem(0), problem(1), problem(2)]);
    });

    test("keeps the first hundred problems", async () => {
      for (let save = 0; save < 5; save++) {
        await store.save(
          checkpoint(),
          Array.from({ length: 30 }, (_, index) => problem(30 * save + index)),
        );
      }
      const kept = store.load("op-1")?.problems ?? [];
      expect(kept).toEqual(Array.from({ length: 100 }, (_, index) => problem(index)));
    });

    test("keeps operations apart", async () => {
      await store.save(checkpoint({ operationId: "op-1" }), [problem(1)]);
      await store.save(checkpoint({ operationId: "op-10", cursor: "Z" }), []);
      await store.keepOnly((id) => id === "op-10");
      expect(store.load("op-1")).toBeNull();
      expect(store.load("op-10")).toEqual({
        checkpoint: checkpoint({ operationId: "op-10", cursor: "Z" }),
        problems: [],
      });
    });

    test("leaves nothing of a checkpoint that is not kept, its problems neither", async () => {
      await store.save(checkpoint(), [problem(1), problem(2)]);
      await store.keepOnly(() => false);
      await restart();
      expect(store.load("op-1")).toBeNull();
      await store.save(checkpoint(), []);
      expect(store.load("op-1")?.problems).toEqual([]);
    });

    test("keeps what it is told to keep whole", async () => {
      await store.save(checkpoint(), [problem(1), problem(2)]);
      await store.keepOnly((id) => id === "op-1");
      await restart();
      expect(store.load("op-1")).toEqual({ checkpoint: checkpoint(), problems: [problem(1), problem(2)] });
    });
  });
}
