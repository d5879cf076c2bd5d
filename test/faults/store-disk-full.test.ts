import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openStore, type Store } from "../../src/store/open.ts";
import { unit } from "../contracts/catalogue-store.ts";
import { checkpoint } from "../contracts/checkpoint-store.ts";
import { operation } from "../contracts/operation-store.ts";

const canMount = process.platform === "linux" && process.getuid?.() === 0 && tryMount();

function tryMount(): boolean {
  const dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-mount-"));
  const isMounted = spawnSync("mount", ["-t", "tmpfs", "tmpfs", dir]).status === 0;
  if (isMounted) spawnSync("umount", [dir]);
  rmSync(dir, { recursive: true });
  return isMounted;
}

let disk: string;
let stores: Store[];

beforeEach(() => {
  stores = [];
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
  const store = await openStore({ dataDir: path.join(disk, "data"), now: () => new Date() });
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

async function putUntilRefused(store: Store): Promise<{ ids: readonly string[]; error: unknown }> {
  const ids: string[] = [];
  for (;;) {
    const batch = Array.from({ length: 5 }, () => operation({ input: { text: "x".repeat(1000) } }));
    const results = await Promise.allSettled(batch.map((each) => store.operations.put(each)));
    for (const [index, result] of results.entries()) {
      if (result.status === "rejected") return { ids, error: result.reason };
      ids.push(batch[index]?.id ?? "");
    }
  }
}

function expectAll(store: Store, ids: readonly string[]): void {
  expect(ids.filter((id) => store.operations.get(id) === null)).toEqual([]);
}

describe.skipIf(!canMount)("on a full disk (needs root and mount)", () => {
  test("no acknowledged operation is lost; the store is read-only until there is space and a restart", async () => {
    const first = await open();
    fillBut(100_000);
    const { ids, error } = await putUntilRefused(first);
    expect(error).toMatchObject({ code: "read_only" });
    expect(ids.length).toBeGreaterThan(5);
    expect(first.readOnly).toBe(true);
    expect(first.issues).toMatchObject([{ store: "operations", code: "read_only" }]);
    expectAll(first, ids);
    await expect(first.operations.put(operation())).rejects.toMatchObject({ code: "read_only" });
    await first.close();

    const second = await open();
    expect(second.readOnly).toBe(true);
    expect(second.issues.every(({ code, severity }) => code === "read_only" && severity === "warn")).toBe(
      true,
    );
    expectAll(second, ids);
    await second.close();

    freeAll();
    const third = await open();
    expect(third.issues).toEqual([]);
    expect(third.readOnly).toBe(false);
    expectAll(third, ids);
    const after = operation();
    await third.operations.put(after);
    await third.checkpoints.save(checkpoint(), []);
    await third.close();
    expect((await open()).operations.get(after.id)).toEqual(after);
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
      Array.from({ length: 3 }, () => "warn read_only"),
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
