import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CommandRecord, CommandStore } from "../../src/store/ports.ts";

/** Whatever keeps answered commands; each `open` is a new start of the runner on it. */
export interface CommandBackend {
  open(now: () => Date): Promise<CommandStore>;
  close(): Promise<void>;
  dispose(): Promise<void>;
}

export function record(fields: Partial<CommandRecord> = {}): CommandRecord {
  return {
    command: "scan",
    transaction: "t1",
    operationIds: ["op-1"],
    responseTopic: null,
    correlationData: null,
    answers: [{ transaction: "t1", status: "accepted", data: { "a.b": { $c: 1 } } }],
    complete: true,
    createdAt: "2026-01-01T00:00:00.000Z",
    ...fields,
  };
}

/** What every store of answered commands promises. */
export function commandStoreContract(name: string, createBackend: () => Promise<CommandBackend>): void {
  describe(`${name} as a command store`, () => {
    let backend: CommandBackend;
    let now: Date;
    let store: CommandStore;

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

    test("gives a record back as it was put, after a restart too", async () => {
      const put = record({ responseTopic: "tomekeeper/main/r", correlationData: "AAEC", operationIds: [] });
      await store.put(put);
      expect(store.get("scan", "t1")).toEqual(put);
      await restart();
      expect(store.get("scan", "t1")).toEqual(put);
    });

    test("tells the same transaction of two commands apart", async () => {
      await store.put(record());
      expect(store.get("organize", "t1")).toBeNull();
      expect(store.get("scan", "t2")).toBeNull();
    });

    test("names the records that still owe an answer, the oldest first", async () => {
      const owing = record({ transaction: "t2", complete: false, createdAt: "2026-01-01T00:00:02.000Z" });
      const older = record({ transaction: "t3", complete: false, createdAt: "2026-01-01T00:00:01.000Z" });
      await store.put(record());
      await store.put(owing);
      await store.put(older);
      expect(store.open()).toEqual([older, owing]);
      await store.put({ ...older, complete: true });
      expect(store.open()).toEqual([owing]);
      await restart();
      expect(store.open()).toEqual([owing]);
    });

    test("forgets a complete record after 24 hours, while it runs and at the next start", async () => {
      await store.put(record());
      now = new Date("2026-01-01T23:59:59.000Z");
      expect(store.get("scan", "t1")).not.toBeNull();
      now = new Date("2026-01-02T00:00:01.000Z");
      expect(store.get("scan", "t1")).toBeNull();
      await restart();
      now = new Date("2026-01-01T12:00:00.000Z");
      expect(store.get("scan", "t1")).toBeNull();
    });

    test("keeps a record that owes an answer however old it is", async () => {
      await store.put(record({ complete: false }));
      now = new Date("2026-01-09T00:00:00.000Z");
      await restart();
      await store.put(record({ transaction: "t2", createdAt: now.toISOString() }));
      expect(store.get("scan", "t1")).not.toBeNull();
      expect(store.open()).toHaveLength(1);
    });
  });
}
