import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openStore, type Store } from "../../src/store/open.ts";
import { unit } from "../contracts/catalogue-store.ts";
import { checkpoint } from "../contracts/checkpoint-store.ts";
import { record } from "../contracts/command-store.ts";
import { operation } from "../contracts/operation-store.ts";
import { canMountTmpfs } from "./tmpfs.ts";

let disk: string;
let stores: Store[];
/** Issues that appeared and were withdrawn. */
let told: string[];

beforeEach(() => {
  stores = [];
  told = [];
  disk = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-disk-"));
  spawnSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]);
  mkdirSync(path.join(disk, "data"));
});

afterEach(async () => {
  for (const store of stores) await store.close().catch(() => undefined);
  spawnSync("umount", [disk]);
  rmSync(disk, { recursive: true });
});

async function open(): Promise<Store> {
  const store = await openStore({
    dataDir: path.join(disk, "data"),
    now: () => new Date(),
    onIssue: (issue) => told.push(`${issue.store} ${issue.code}`),
    onIssueGone: (issue) => told.push(`${issue.store} withdrawn`),
  });
  stores.push(store);
  return store;
}

/** Fills the disk but for this many bytes. */
function fillBut(leftBytes: number): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(path.join(disk, "ballast"), Buffer.alloc(Math.max(0, bavail * bsize - leftBytes)));
}

function freeAll(): void {
  rmSync(path.join(disk, "ballast"));
}

/** What each store of documents takes and gives back, by a key of its own. */
const kinds = {
  operations: {
    put: (store: Store, id: string) => store.operations.put(operation({ id, input: { text } })),
    has: (store: Store, id: string) => store.operations.get(id) !== null,
  },
  commands: {
    put: (store: Store, id: string) =>
      store.commands.put(
        record({ transaction: id, answers: [{ text }], createdAt: new Date().toISOString() }),
      ),
    has: (store: Store, id: string) => store.commands.get("scan", id) !== null,
  },
  checkpoints: {
    put: (store: Store, id: string) =>
      store.checkpoints.save(checkpoint({ operationId: id, cursor: text }), []),
    has: (store: Store, id: string) => store.checkpoints.load(id) !== null,
  },
};
type Kind = (typeof kinds)[keyof typeof kinds];
const text = "x".repeat(1000);
let lastId = 0;

async function putUntilRefused(
  store: Store,
  { put }: Kind,
): Promise<{ ids: readonly string[]; error: unknown }> {
  const ids: string[] = [];
  for (;;) {
    const batch = Array.from({ length: 5 }, () => `id-${lastId++}`);
    const results = await Promise.allSettled(batch.map((id) => put(store, id)));
    const taken = batch.filter((_, index) => results[index]?.status === "fulfilled");
    ids.push(...taken);
    const refused = results.find((result) => result.status === "rejected");
    if (refused !== undefined) return { ids, error: refused.reason };
  }
}

function expectAll(store: Store, { has }: Kind, ids: readonly string[]): void {
  expect(ids.filter((id) => !has(store, id))).toEqual([]);
}

/** A store looks for space once in a second. */
const untilItLooks = () => delay(1100);

describe.skipIf(!canMountTmpfs)("on a full disk (needs root and mount)", () => {
  describe.each(Object.entries(kinds))("%s", (name, kind) => {
    test("lose nothing acknowledged, and are written again when there is space, without a restart", async () => {
      const store = await open();
      fillBut(100_000);
      const { ids, error } = await putUntilRefused(store, kind);
      expect(error).toMatchObject({ code: "read_only", retryable: true });
      expect(ids.length).toBeGreaterThan(5);
      for (const wait of [async () => {}, untilItLooks]) {
        await wait();
        await expect(kind.put(store, "refused")).rejects.toMatchObject({
          code: "read_only",
          retryable: true,
        });
        expect(store.readOnly).toBe(true);
        expect(store.issues).toMatchObject([{ store: name, severity: "fatal", code: "disk_full" }]);
        expect(told).toEqual([`${name} disk_full`]);
        expectAll(store, kind, ids);
      }

      freeAll();
      await untilItLooks();
      const after = Array.from({ length: 300 }, () => `id-${lastId++}`);
      await Promise.all(after.map((id) => kind.put(store, id)));
      expect(store.readOnly).toBe(false);
      expect(store.issues).toEqual([]);
      expect(told).toEqual([`${name} disk_full`, `${name} withdrawn`]);
      expect(await store.check()).toEqual([]);
      await store.close();

      const next = await open();
      expect(next.issues).toEqual([]);
      expectAll(next, kind, [...ids, ...after]);
      expect(kind.has(next, "refused")).toBe(false);
    });

    test("that were opened read-only are written when there is space, without a restart", async () => {
      const first = await open();
      await kind.put(first, "known");
      await first.close();
      fillBut(20_000);
      const second = await open();
      expect(second.issues.map((issue) => `${issue.severity} ${issue.code}`)).toEqual(
        Array.from({ length: 4 }, () => "warn disk_full"),
      );
      await expect(kind.put(second, "refused")).rejects.toMatchObject({ code: "read_only", retryable: true });
      freeAll();
      await untilItLooks();
      await kind.put(second, "after");
      expect(second.issues.map((issue) => issue.store)).not.toContain(name);
      await second.reopen();
      expect(second.issues).toEqual([]);
      expect(second.readOnly).toBe(false);
      await second.close();
      expectAll(await open(), kind, ["known", "after"]);
    });
  });

  test("a store whose file was changed while it was read-only stays so", async () => {
    const store = await open();
    fillBut(100_000);
    const { ids } = await putUntilRefused(store, kinds.operations);
    const file = path.join(disk, "data/operations.db");
    const content = readFileSync(file);
    freeAll();
    writeFileSync(file, content.subarray(0, content.lastIndexOf(0x0a, content.length - 2) + 1));
    await untilItLooks();
    await expect(kinds.operations.put(store, "after")).rejects.toMatchObject({
      code: "read_only",
      retryable: false,
    });
    expect(store.issues).toMatchObject([{ store: "operations", severity: "fatal", code: "read_only" }]);
    expectAll(store, kinds.operations, ids);
  });

  test("a commit that does not fit leaves the catalogue as it was, and the next one works when there is space", async () => {
    const store = await open();
    store.catalogue.commit("op", [unit("First")]);
    fillBut(50_000);
    let committed = 1;
    const commitAll = (): void => {
      for (; committed < 10_000; committed++) store.catalogue.commit("op", [unit(`Book ${committed}`)]);
    };
    expect(commitAll).toThrow(expect.objectContaining({ code: "read_only" }));
    expect(store.catalogue.totals().books).toBe(committed);
    freeAll();
    store.catalogue.commit("op", [unit("Last")]);
    expect(store.catalogue.totals().books).toBe(committed + 1);
    expect(store.catalogue.query({ text: "last", limit: 1, offset: 0 }).total).toBe(1);
    const [book] = store.catalogue.query({ limit: 1, offset: 0 }).items;
    store.catalogue.setFields(book?.id ?? "", { title: "By hand" });
    store.catalogue.scanEnded("books", new Date().toISOString());
    await store.catalogue.flush();
    expect(await store.check()).toEqual([]);
  });

  test("without a byte left everything can still be read, and nothing is written", async () => {
    const first = await open();
    const known = operation();
    await first.operations.put(known);
    first.catalogue.commit("op", [unit("A")]);
    await first.close();
    fillBut(0);
    const second = await open();
    expect(second.issues.map(({ code, severity }) => `${severity} ${code}`)).toEqual(
      Array.from({ length: 4 }, () => "warn disk_full"),
    );
    expect(second.operations.get(known.id)).toEqual(known);
    expect(second.catalogue.query({ text: "a", limit: 1, offset: 0 }).total).toBe(1);
    await expect(second.operations.put(operation())).rejects.toMatchObject({ code: "read_only" });
    expect(() => second.catalogue.commit("op", [unit("B")])).toThrow(
      expect.objectContaining({ code: "read_only" }),
    );
    await second.close();
    freeAll();
    const third = await open();
    third.catalogue.commit("op", [unit("B")]);
    expect(third.catalogue.totals().books).toBe(2);
  });

  test("a first start does not lose the folder for the next one", async () => {
    fillBut(0);
    await open().catch(() => undefined);
    for (const store of stores) await store.close().catch(() => undefined);
    freeAll();
    const store = await open();
    expect(store.issues).toEqual([]);
    await store.operations.put(operation());
  });
});
