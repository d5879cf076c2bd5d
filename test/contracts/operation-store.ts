import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Operation } from "../../src/domain/operation.ts";
import type { OperationStore } from "../../src/store/ports.ts";
import { untroubled } from "../fixtures/operation.ts";

/** Whatever keeps operations; each `open` is a new start of the runner on it. */
export interface OperationBackend {
  open(now: () => Date): Promise<OperationStore>;
  /** Ends the use of what was opened last. */
  close(): Promise<void>;
  dispose(): Promise<void>;
}

export function operation(fields: Partial<Operation> = {}): Operation {
  return {
    id: randomUUID(),
    kind: "scan",
    state: "queued",
    priority: "normal",
    scopes: ["books:/"],
    input: {},
    transaction: null,
    ...untroubled,
    percent: null,
    attempts: 0,
    createdAt: "2026-01-01T00:00:00.000Z",
    startedAt: null,
    finishedAt: null,
    error: null,
    summary: null,
    ...fields,
  };
}

/** What every operation store promises, in a file or in a database that many runners share. */
export function operationStoreContract(name: string, createBackend: () => Promise<OperationBackend>): void {
  describe(`${name} as an operation store`, () => {
    let backend: OperationBackend;
    let now: Date;
    let store: OperationStore;

    beforeEach(async () => {
      now = new Date("2026-01-01T12:00:00.000Z");
      backend = await createBackend();
      store = await backend.open(() => now);
    });

    afterEach(async () => {
      await backend.close();
      await backend.dispose();
    });

    async function restart(): Promise<void> {
      await backend.close();
      store = await backend.open(() => now);
    }

    test("gives an operation back as it was put, after a restart too", async () => {
      const put = operation({
        state: "failed",
        scopes: ["books:/A.b", "inbox:/$x"],
        input: { "a.b": { $set: [1, null, "é\u2028"] }, __path: "books:/A" },
        transaction: "t1",
        percent: 12.5,
        attempts: 2,
        startedAt: "2026-01-01T00:00:01.000Z",
        finishedAt: "2026-01-01T00:00:02.000Z",
        error: { code: "internal", message: "no", retryable: true, details: { "x.y": { $z: 1 } } },
        summary: { problems: [{ path: "a/b.mp3", code: "vanished" }], "dots.in.keys": true },
      });
      await store.put(put);
      expect(store.get(put.id)).toEqual(put);
      await restart();
      expect(store.get(put.id)).toEqual(put);
    });

    test("knows nothing of an id that was never put", () => {
      expect(store.get(randomUUID())).toBeNull();
    });

    test("keeps the last of several puts at the same time", async () => {
      const first = operation();
      await Promise.all(
        (["queued", "running", "completed"] as const).map((state) => store.put({ ...first, state })),
      );
      expect(store.get(first.id)?.state).toBe("completed");
      await restart();
      expect(store.get(first.id)?.state).toBe("completed");
      expect(store.list({ limit: 10, offset: 0 }).total).toBe(1);
    });

    test("lists the newest first, in pages, with the total of all of them", async () => {
      const ids: string[] = [];
      for (let minute = 0; minute < 5; minute++) {
        const each = operation({ createdAt: `2026-01-01T00:0${minute}:00.000Z` });
        ids.unshift(each.id);
        await store.put(each);
      }
      expect(store.list({ limit: 10, offset: 0 }).items.map(({ id }) => id)).toEqual(ids);
      const page = store.list({ limit: 2, offset: 1 });
      expect(page.items.map(({ id }) => id)).toEqual(ids.slice(1, 3));
      expect(page.total).toBe(5);
      expect(store.list({ limit: 2, offset: 9 })).toEqual({ items: [], total: 5 });
    });

    test("lists those of one state, with their total", async () => {
      const failed = operation({ state: "failed", createdAt: "2026-01-01T00:00:01.000Z" });
      await store.put(operation({ state: "completed" }));
      await store.put(failed);
      await store.put(operation({ state: "completed", createdAt: "2026-01-01T00:00:02.000Z" }));
      expect(store.list({ state: "failed", limit: 5, offset: 0 })).toEqual({ items: [failed], total: 1 });
      const completed = store.list({ state: "completed", limit: 1, offset: 1 });
      expect(completed.items.map(({ createdAt }) => createdAt)).toEqual(["2026-01-01T00:00:00.000Z"]);
      expect(completed.total).toBe(2);
    });

    test("keeps the order of putting for operations of one moment, after changes and a restart too", async () => {
      const operations = Array.from({ length: 20 }, () => operation());
      await Promise.all(operations.map((each) => store.put(each)));
      const [first] = operations;
      if (first !== undefined) await store.put({ ...first, state: "running" });
      const ids = operations.map(({ id }) => id);
      expect(store.unfinished().map(({ id }) => id)).toEqual(ids);
      await restart();
      expect(store.unfinished().map(({ id }) => id)).toEqual(ids);
      const last = operation();
      await store.put(last);
      expect(store.unfinished().at(-1)?.id).toBe(last.id);
    });

    test("calls unfinished what has not ended, the oldest first", async () => {
      const states = [
        "completed",
        "interrupted",
        "running",
        "failed",
        "waiting",
        "queued",
        "cancelled",
      ] as const;
      for (const [index, state] of states.entries()) {
        await store.put(operation({ state, createdAt: `2026-01-01T00:00:0${9 - index}.000Z` }));
      }
      expect(store.unfinished().map(({ state }) => state)).toEqual([
        "queued",
        "waiting",
        "running",
        "interrupted",
      ]);
    });

    test("counts by state, every state named", async () => {
      const running = operation({ state: "running" });
      await store.put(running);
      await store.put(operation());
      await store.put({ ...running, state: "completed" });
      const counts = {
        queued: 1,
        waiting: 0,
        running: 0,
        completed: 1,
        failed: 0,
        cancelled: 0,
        interrupted: 0,
      };
      expect(store.countByState()).toEqual(counts);
      await restart();
      expect(store.countByState()).toEqual(counts);
    });

    test("finds the operations of a transaction for 24 hours", async () => {
      const first = operation({ transaction: "t1", createdAt: "2026-01-01T00:00:00.000Z" });
      const second = operation({ transaction: "t1", createdAt: "2026-01-01T06:00:00.000Z" });
      await store.put(first);
      await store.put(second);
      await store.put(operation({ transaction: "t2" }));
      expect(store.byTransaction("t1")).toEqual([first, second]);
      now = new Date("2026-01-02T03:00:00.000Z");
      expect(store.byTransaction("t1")).toEqual([second]);
      expect(store.byTransaction("t3")).toEqual([]);
    });

    test("keeps ended operations for 90 days, and unfinished ones for ever", async () => {
      const ended = operation({ state: "completed", finishedAt: "2026-01-01T10:00:00.000Z" });
      const waiting = operation({ state: "waiting" });
      await store.put(ended);
      await store.put(waiting);
      now = new Date("2026-03-31T12:00:00.000Z");
      await restart();
      expect(store.get(ended.id)).not.toBeNull();
      now = new Date("2026-04-02T12:00:00.000Z");
      await restart();
      expect(store.get(ended.id)).toBeNull();
      expect(store.get(waiting.id)).toEqual(waiting);
    });
  });
}
