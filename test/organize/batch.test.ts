import { chmod, link, readdir, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { recoverBatches } from "../../src/organize/recover.ts";
import { expireBatches } from "../../src/organize/retention.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";
import { type Organizer, openOrganizer } from "./batches.ts";
import { contents, snapshot } from "./library.ts";

let folder: Tree;
let organizer: Organizer;

beforeEach(async () => {
  folder = await makeTree({
    "inbox/Dune/01.mp3": "one",
    "inbox/Dune/02.mp3": "two",
    "inbox/Dune/cover.jpg": "picture",
    "inbox/Emma/emma.m4b": "emma",
    "library/Jane Austen/Emma/": "",
  });
  await chmod(folder.at("inbox/Dune/01.mp3"), 0o640);
  await utimes(folder.at("inbox/Dune/01.mp3"), 1_600_000_000, 1_600_000_000.123456);
  organizer = await openOrganizer(folder.path);
});
afterEach(async () => {
  await organizer.close();
  await folder.dispose();
});

const files = {
  "Dune/01.mp3": "Frank Herbert/Dune/Dune - 01.mp3",
  "Dune/02.mp3": "Frank Herbert/Dune/Dune - 02.mp3",
  "Dune/cover.jpg": "Frank Herbert/Dune/cover.jpg",
  "Emma/emma.m4b": "Jane Austen/Emma/Emma.m4b",
};

async function both() {
  return { inbox: await snapshot(folder.at("inbox")), library: await snapshot(folder.at("library")) };
}

describe.each(["auto", "hardlink", "copy", "symlink", "move"] as const)("by %s", (strategy) => {
  test("every file gets its place with what it holds, and an undo leaves both trees as they were", async () => {
    const before = await both();
    const held = await contents(folder.at("inbox"));
    const summary = await organizer.organize(files, { id: "batch-1", strategy });
    expect(summary).toMatchObject({ books: 2, files: 4, bytes: 17, leftover_count: 0 });

    if (strategy !== "symlink") {
      const placed = await contents(folder.at("library"));
      for (const [from, to] of Object.entries(files)) expect(placed[to]).toBe(held[from]);
      expect((await stat(folder.at("library/Frank Herbert/Dune/Dune - 01.mp3"))).mode & 0o777).toBe(0o640);
    }
    if (strategy === "move") expect(await readdir(folder.at("inbox"))).toEqual([]);
    else expect((await both()).inbox).toEqual(before.inbox);
    expect(organizer.places.files).toEqual(new Map(Object.values(files).map((to) => [`books:/${to}`, to])));

    await organizer.undo("batch-1");
    expect(await both()).toEqual(before);
    expect(organizer.places.files).toEqual(
      new Map(Object.keys(files).map((from) => [`inbox:/${from}`, from])),
    );
    expect(organizer.journals.batch("batch-1")).toMatchObject({ state: "undone" });
    await expect(organizer.undo("batch-1")).rejects.toMatchObject({ code: "conflict" });
  });

  test("the first failure takes all of it back", async () => {
    await folder.write({ "library/Jane Austen/Emma/Emma.m4b": "the user's own" });
    const before = await both();
    await expect(organizer.organize(files, { id: "batch-1", strategy })).rejects.toMatchObject({
      code: "conflict",
      details: { code: "destination_taken" },
    });
    expect(await contents(folder.at("library"))).toEqual(
      Object.fromEntries([
        ["Jane Austen/Emma/Emma.m4b", before.library["Jane Austen/Emma/Emma.m4b"]?.split(" ").at(-1)],
      ]),
    );
    expect((await both()).inbox).toEqual(before.inbox);
    expect(organizer.journals.batch("batch-1")).toMatchObject({ state: "rolled_back" });
    expect(await readdir(folder.at("library"))).toEqual(["Jane Austen"]);
    expect(organizer.places.files.size).toBe(0);
  });

  test("a cancelled batch is taken back, and its operation can be tried again", async () => {
    const before = await both();
    const controller = new AbortController();
    controller.abort("cancel");
    await expect(
      organizer.organize(files, { id: "batch-1", strategy, signal: controller.signal }),
    ).rejects.toBe("cancel");
    expect((await both()).inbox).toEqual(before.inbox);
    expect(await contents(folder.at("library"))).toEqual({});
    expect(await organizer.organize(files, { id: "batch-1", strategy })).toMatchObject({ files: 4 });
  });
});

test("the time of a copy is the source's, to the nanosecond where the machine can", async () => {
  await organizer.organize({ "Dune/02.mp3": "Dune.mp3" }, { strategy: "copy" });
  const [from, to] = [folder.at("inbox/Dune/02.mp3"), folder.at("library/Dune.mp3")];
  const { mtimeNs } = await stat(from, { bigint: true });
  expect((await stat(to, { bigint: true })).mtimeNs).toBe(mtimeNs);
});

describe("an undo", () => {
  test("refuses a file that was changed after it had been placed, and undoes nothing", async () => {
    await organizer.organize(files, { id: "batch-1", strategy: "copy" });
    await writeFile(folder.at("library/Frank Herbert/Dune/Dune - 02.mp3"), "TWO");
    const before = await both();
    await expect(organizer.undo("batch-1")).rejects.toMatchObject({
      code: "conflict",
      details: { conflict_count: 1, conflicts: [{ code: "destination_changed" }] },
    });
    expect(await both()).toEqual(before);
  });

  test("undoes the rest where that is asked for, and the changed file stays", async () => {
    await organizer.organize(files, { id: "batch-1", strategy: "copy" });
    await writeFile(folder.at("library/Frank Herbert/Dune/Dune - 02.mp3"), "TWO");
    const summary = await organizer.undo("batch-1", { partial: true });
    expect(summary).toMatchObject({ files: 3, conflict_count: 1 });
    expect(Object.keys(await contents(folder.at("library")))).toEqual(["Frank Herbert/Dune/Dune - 02.mp3"]);
    expect(organizer.journals.batch("batch-1")).toMatchObject({ state: "partly_undone" });
  });

  test.each([
    ["copy", "source_missing"],
    ["hardlink", "source_missing"],
  ] as const)("of a %s never takes the last one there is", async (strategy, code) => {
    await organizer.organize(files, { id: "batch-1", strategy });
    await rm(folder.at("inbox/Emma/emma.m4b"));
    await expect(organizer.undo("batch-1")).rejects.toMatchObject({ details: { conflicts: [{ code }] } });
    expect((await contents(folder.at("library")))["Jane Austen/Emma/Emma.m4b"]).toBeDefined();
  });

  test("of a move refuses where something has come to the old place", async () => {
    await organizer.organize(files, { id: "batch-1", strategy: "move" });
    await folder.write({ "inbox/Emma/emma.m4b": "a new download" });
    const before = await both();
    await expect(organizer.undo("batch-1")).rejects.toMatchObject({
      details: { conflicts: [{ code: "destination_taken" }] },
    });
    expect(await both()).toEqual(before);
  });

  test("of a move brings back a file under its old name although the new one was copied over", async () => {
    await organizer.organize(files, { id: "batch-1", strategy: "move" });
    await link(folder.at("library/Jane Austen/Emma/Emma.m4b"), folder.at("library/second name"));
    await organizer.undo("batch-1");
    expect((await contents(folder.at("inbox")))["Emma/emma.m4b"]).toBeDefined();
    expect(Object.keys(await contents(folder.at("library")))).toEqual(["second name"]);
  });

  test("leaves the times of folders that somebody has used since", async () => {
    await organizer.organize(files, { id: "batch-1", strategy: "copy" });
    await folder.write({ "library/Jane Austen/Emma/notes.txt": "mine" });
    const { mtimeNs } = await stat(folder.at("library/Jane Austen/Emma"), { bigint: true });
    await organizer.undo("batch-1");
    expect((await stat(folder.at("library/Jane Austen/Emma"), { bigint: true })).mtimeNs).toBeGreaterThan(
      mtimeNs,
    );
    expect(Object.keys(await contents(folder.at("library")))).toEqual(["Jane Austen/Emma/notes.txt"]);
  });

  test("refuses a batch that is not known, is an undo, or was rolled back", async () => {
    await expect(organizer.undo("nothing")).rejects.toMatchObject({ code: "not_found" });
    await organizer.organize(files, { id: "batch-1" });
    await organizer.undo("batch-1", { id: "undo-1" });
    await expect(organizer.undo("undo-1")).rejects.toMatchObject({ code: "conflict" });
    await folder.write({ "library/taken.m4b": "mine" });
    await expect(organizer.organize({ "Emma/emma.m4b": "taken.m4b" }, { id: "batch-2" })).rejects.toThrow();
    await expect(organizer.undo("batch-2")).rejects.toMatchObject({ code: "conflict" });
  });
});

describe("a source", () => {
  test("that was replaced by a link is not followed", async () => {
    const outside = folder.at("outside.mp3");
    await writeFile(outside, "secret");
    await rm(folder.at("inbox/Emma/emma.m4b"));
    await symlink(outside, folder.at("inbox/Emma/emma.m4b"));
    await expect(organizer.organize(files)).rejects.toMatchObject({ details: { code: "source_changed" } });
    expect(await contents(folder.at("library"))).toEqual({});
  });

  test("in a folder that a link of the library leads to from outside is not placed there", async () => {
    await folder.write({ "elsewhere/": "" });
    await symlink(folder.at("elsewhere"), folder.at("library/Frank Herbert"));
    await expect(organizer.organize(files)).rejects.toMatchObject({ code: "outside_root" });
    expect(await readdir(folder.at("elsewhere"))).toEqual([]);
  });
});

test("a batch that ended gives its summary again when its operation runs once more", async () => {
  const summary = await organizer.organize(files, { id: "batch-1" });
  const before = await both();
  expect(await organizer.organize(files, { id: "batch-1" })).toEqual(summary);
  expect(await both()).toEqual(before);
});

test("recovery leaves a batch alone that runs", async () => {
  const running = organizer.organize(files, { id: "batch-1", strategy: "copy" });
  while (organizer.journals.batch("batch-1") === null) await setImmediate();
  for (let looks = 0; looks < 20; looks++) {
    await recoverBatches(organizer.deps);
    await setImmediate();
  }
  expect(await running).toMatchObject({ files: 4, leftover_count: 0 });
  expect(organizer.journals.batch("batch-1")).toMatchObject({ state: "ended" });
});

test("recovery has nothing to do where everything ended", async () => {
  await organizer.organize(files, { id: "batch-1" });
  const before = await both();
  expect(await recoverBatches(organizer.deps)).toEqual([]);
  expect(await both()).toEqual(before);
});

test("batches are forgotten when they are too old to be undone", async () => {
  await organizer.organize(files, { id: "batch-1" });
  const later = { ...organizer.deps, now: () => new Date(Date.now() + 31 * 24 * 60 * 60 * 1000) };
  await expireBatches(later, { undoDays: 32, trashDays: 7 });
  expect(organizer.journals.batches()).toHaveLength(1);
  await expireBatches(later, { undoDays: 30, trashDays: 7 });
  expect(organizer.journals.batches()).toEqual([]);
  await expect(organizer.undo("batch-1")).rejects.toMatchObject({ code: "not_found" });
});
