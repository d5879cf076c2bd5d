import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openStore, type Store } from "../../src/store/open.ts";
import type { StoreIssue } from "../../src/store/ports.ts";
import { unit } from "../contracts/catalogue-store.ts";
import { checkpoint } from "../contracts/checkpoint-store.ts";
import { operation } from "../contracts/operation-store.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

let folder: Tree;
let stores: Store[];

beforeEach(async () => {
  folder = await makeTree();
  stores = [];
});

afterEach(async () => {
  for (const store of stores) await store.close();
  await folder.dispose();
});

async function open(onIssue?: (issue: StoreIssue) => void): Promise<Store> {
  const options = { dataDir: folder.at("data"), now: () => new Date("2026-01-01T00:00:00.000Z") };
  const store = await openStore(onIssue === undefined ? options : { ...options, onIssue });
  stores.push(store);
  return store;
}

test("makes the data folder, for its owner only, and an id that stays", async () => {
  const first = await open();
  expect(first.nodeId).toMatch(/^[0-9a-f-]{36}$/);
  expect(first.issues).toEqual([]);
  expect(first.readOnly).toBe(false);
  expect((await stat(folder.at("data"))).mode & 0o777).toBe(0o700);
  await first.close();
  expect((await open()).nodeId).toBe(first.nodeId);
});

test("keeps everything over a restart, and leaves nothing temporary behind", async () => {
  const first = await open();
  const done = operation({ state: "completed", finishedAt: "2026-01-01T00:00:00.000Z" });
  await first.operations.put(done);
  await first.checkpoints.save(checkpoint(), []);
  first.catalogue.commit("op", [unit("A")]);
  await first.close();
  expect((await readdir(folder.at("data"))).toSorted()).toEqual([
    "answers.db",
    "batches.db",
    "catalogue.db",
    "checkpoints.db",
    "commands.db",
    "lock",
    "node-id",
    "operations.db",
  ]);
  const second = await open();
  expect(second.operations.get(done.id)).toEqual(done);
  expect(second.checkpoints.load("op-1")?.checkpoint).toEqual(checkpoint());
  expect(second.catalogue.totals().books).toBe(1);
});

test("is refused while another one is open, and free afterwards", async () => {
  const first = await open();
  await expect(open()).rejects.toMatchObject({ code: "lock_held" });
  await first.close();
  await open();
});

test("closing twice is closing once", async () => {
  const store = await open();
  await store.close();
  await store.close();
});

test("a data folder that is a file is an error that names it and says what to do", async () => {
  await folder.write({ data: "not a folder" });
  const refused = open();
  await expect(refused).rejects.toMatchObject({ code: "fatal_diagnostic" });
  await expect(refused).rejects.toThrow(folder.at("data"));
  await expect(refused).rejects.toThrow("--data");
});

describe("where a scan can go on", () => {
  const scans = (["running", "interrupted", "failed", "completed", "cancelled"] as const).map((state) =>
    operation({ kind: "scan", state }),
  );
  const unknown = "0d9c3b0e-8f3c-4a39-9b8e-3c1f4a3f1a77";

  async function statesLeft(store: Store): Promise<readonly string[]> {
    await store.forgetEndedScans();
    const ids = [...scans.map(({ id }) => id), unknown].filter((id) => store.checkpoints.load(id) !== null);
    return ids.map((id) => store.operations.get(id)?.state ?? "unknown");
  }

  async function withCheckpoints(): Promise<Store> {
    const store = await open();
    for (const scan of scans) await store.operations.put(scan);
    for (const id of [...scans.map((scan) => scan.id), unknown]) {
      await store.checkpoints.save(checkpoint({ operationId: id }), []);
    }
    return store;
  }

  test("is kept for those that may, and forgotten where the record says that they will not, or is gone", async () => {
    const store = await withCheckpoints();
    expect(await statesLeft(store)).toEqual(["running", "interrupted", "failed"]);
  });

  test("is kept for all while the records are damaged", async () => {
    const store = await withCheckpoints();
    await store.close();
    const file = folder.at("data/operations.db");
    await writeFile(file, (await readFile(file, "utf8")).replace('"completed"', '"Completed"'));
    expect(await statesLeft(await open())).toHaveLength(scans.length + 1);
  });
});

describe("what is damaged", () => {
  test("among the documents is reported and read-only, and the others work", async () => {
    const first = await open();
    await first.operations.put(operation());
    await first.operations.put(operation({ transaction: "spoiled" }));
    await first.close();
    const file = folder.at("data/operations.db");
    await writeFile(file, (await readFile(file, "utf8")).replace("spoiled", "Spoiled"));
    const told: StoreIssue[] = [];
    const second = await open((issue) => told.push(issue));
    expect(second.readOnly).toBe(true);
    expect(second.issues).toMatchObject([{ store: "operations", severity: "fatal", code: "store_damaged" }]);
    expect(told).toEqual(second.issues);
    expect(second.operations.list({ limit: 5, offset: 0 }).total).toBe(1);
    await expect(second.operations.put(operation())).rejects.toMatchObject({ code: "read_only" });
    await second.checkpoints.save(checkpoint(), []);
    expect(second.catalogue.totals().books).toBe(0);
  });

  test("and is the catalogue is reported, kept, and refuses to look empty", async () => {
    await (await open()).close();
    const file = folder.at("data/catalogue.db");
    await writeFile(file, "x".repeat(10_000));
    const store = await open();
    expect(store.issues).toMatchObject([{ store: "catalogue", severity: "fatal", code: "store_damaged" }]);
    expect(store.readOnly).toBe(true);
    expect(() => store.catalogue.query({ limit: 1, offset: 0 })).toThrow("is damaged");
    expect(() => store.catalogue.totals()).toThrow(expect.objectContaining({ code: "store_damaged" }));
    await expect(store.catalogue.flush()).rejects.toMatchObject({ code: "store_damaged" });
    await store.operations.put(operation());
    await store.close();
    expect(await readFile(file, "utf8")).toBe("x".repeat(10_000));
  });

  test("and is the id of the node is reported and kept", async () => {
    await (await open()).close();
    await writeFile(folder.at("data/node-id"), "nobody\n");
    const store = await open();
    expect(store.issues).toMatchObject([{ store: "node", severity: "fatal", code: "store_damaged" }]);
    expect(await readFile(folder.at("data/node-id"), "utf8")).toBe("nobody\n");
  });
});

describe("a check of what is open", () => {
  test("finds nothing in a sound store", async () => {
    const store = await open();
    await store.operations.put(operation());
    store.catalogue.commit("op", [unit("A")]);
    expect(await store.check()).toEqual([]);
  });

  test("finds what was damaged since it was opened", async () => {
    const store = await open();
    await store.operations.put(operation({ transaction: "spoiled" }));
    const file = folder.at("data/operations.db");
    await writeFile(file, (await readFile(file, "utf8")).replace("spoiled", "Spoiled"));
    expect(await store.check()).toMatchObject([{ store: "operations", code: "store_damaged" }]);
  });
});

test.skipIf(process.getuid?.() === 0)(
  "a data folder that cannot be written is the same error (not as root, who can write it)",
  async () => {
    await folder.write({ "data/": "" });
    await chmod(folder.at("data"), 0o500);
    await expect(open()).rejects.toMatchObject({ code: "fatal_diagnostic" });
  },
);
