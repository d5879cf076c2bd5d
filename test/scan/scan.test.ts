import { cp, rename, rm, symlink, utimes } from "node:fs/promises";
import { afterEach, describe, expect, it } from "vitest";
import { AppError } from "../../src/errors.ts";
import { buildDrafts } from "../../src/scan/draft.ts";
import { type Walk, walk } from "../../src/scan/walk.ts";
import { realDisk } from "../../src/scan/walk-disk.ts";
import { makeScanBench, type ScanBench } from "../fixtures/scan.ts";

/*
 * Long, because each thing that a scan promises is seen in a whole scan, with the same bench.
 */

const benches: ScanBench[] = [];

afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.dispose();
});

async function benchOf(files: Readonly<Record<string, string>>): Promise<ScanBench> {
  const bench = await makeScanBench(files);
  benches.push(bench);
  return bench;
}

function pathsAndStates(bench: ScanBench): readonly string[] {
  return bench.books().map((book) => (book.state === "missing" ? `${book.path} (missing)` : book.path));
}

function idsByPath(bench: ScanBench): Readonly<Record<string, string>> {
  return Object.fromEntries(bench.books().map((book) => [book.path, book.id]));
}

const library = {
  "Ann/One/01.mp3": "one 1",
  "Ann/One/02.mp3": "one 2",
  "Ann/One/cover.jpg": "x",
  "Ann/Two/CD1/01.mp3": "two 1",
  "Ann/Two/CD2/01.mp3": "two 2",
  "Ann/Two/extras/talk.mp3": "talk",
  "Bob/Three.m4b/three.m4b": "three",
  "Bob/notes.txt": "x",
  "loose.m4b": "loose",
};

const libraryBooks = ["Ann/One", "Ann/Two", "Ann/Two/extras", "Bob/Three.m4b", "loose.m4b"];

describe("scan", () => {
  it("finds every book of a root, and says how many of what", async () => {
    const bench = await benchOf(library);
    const summary = await bench.scan();
    expect(pathsAndStates(bench)).toEqual(libraryBooks);
    expect(summary).toEqual({
      dirs: 9,
      files: 7,
      files_read: 7,
      books: 5,
      added: 5,
      changed: 0,
      missing: 0,
      problem_count: 0,
      problems: [],
      seconds: expect.any(Number),
      resumed_from: null,
    });
    expect(bench.news.flatMap((each) => each.added.map((book) => book.path)).toSorted()).toEqual(
      libraryBooks,
    );
    expect(bench.store.catalogue.totals().lastScan).not.toBeNull();
  });

  it("reads nothing again where nothing changed", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    const before = bench.books();
    const summary = await bench.scan();
    expect(bench.filesRead).toEqual([]);
    expect(summary).toMatchObject({
      dirs: 9,
      files: 7,
      files_read: 0,
      books: 5,
      added: 0,
      changed: 0,
      missing: 0,
    });
    expect(bench.books()).toEqual(before);
    expect(bench.news).toEqual([]);
  });

  it("reads everything again when forced, and calls nothing changed that is not", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    const before = bench.books();
    expect(await bench.scan({ force: true })).toMatchObject({
      files_read: 7,
      books: 5,
      added: 0,
      changed: 0,
    });
    expect(bench.books()).toEqual(before);
  });

  it("reads only the file that changed", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    await bench.root.write({ "Ann/One/02.mp3": "one 2, longer" });
    expect(await bench.scan()).toMatchObject({ files_read: 1, books: 5, added: 0, changed: 1 });
    expect(bench.filesRead).toEqual(["Ann/One/02.mp3"]);
    expect(bench.books()[0]).toMatchObject({ path: "Ann/One", durationSeconds: 5 + 13 });
  });

  it("reads a file whose mtime alone changed", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    await utimes(bench.root.at("Ann/One/02.mp3"), new Date(), new Date(2020, 1, 1));
    expect((await bench.scan()).files_read).toBe(1);
  });

  it("reads only the file that was added, and keeps the book's id", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    const ids = idsByPath(bench);
    await bench.root.write({ "Ann/Two/CD3/01.mp3": "two 3" });
    expect(await bench.scan()).toMatchObject({ files_read: 1, books: 5, added: 0, changed: 1 });
    expect(idsByPath(bench)).toEqual(ids);
    expect(bench.store.catalogue.book(ids["Ann/Two"] ?? "")?.tracks).toHaveLength(3);
  });

  it("reads nothing when a file was removed, and the book is shorter", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    await bench.root.remove("Ann/Two/CD1");
    expect(await bench.scan()).toMatchObject({ files_read: 0, books: 5, added: 0, changed: 1, missing: 0 });
    expect(bench.books()[1]).toMatchObject({ path: "Ann/Two", trackCount: 1 });
  });

  it("calls a book missing when its folder is gone, and knows it again when it is back", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    const ids = idsByPath(bench);
    await rename(bench.root.at("Ann"), `${bench.root.path}.away`);
    const summary = await bench.scan();
    expect(summary).toMatchObject({ books: 2, missing: 3, changed: 0 });
    expect(pathsAndStates(bench)).toEqual([
      "Ann/One (missing)",
      "Ann/Two (missing)",
      "Ann/Two/extras (missing)",
      "Bob/Three.m4b",
      "loose.m4b",
    ]);
    expect(bench.news.flatMap((each) => each.missing.map((book) => book.path)).toSorted()).toEqual(
      libraryBooks.slice(0, 3),
    );
    expect(await bench.scan()).toMatchObject({ missing: 0, books: 2 });
    await rename(`${bench.root.path}.away`, bench.root.at("Ann"));
    expect(await bench.scan()).toMatchObject({ books: 5, missing: 0, added: 0 });
    expect(idsByPath(bench)).toEqual(ids);
    expect(pathsAndStates(bench)).toEqual(libraryBooks);
  });

  it("calls a book missing when its folder is there without audio, or is left out now", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    await bench.root.remove("Ann/One/01.mp3");
    await bench.root.remove("Ann/One/02.mp3");
    await bench.root.write({ "Bob/.ignore": "" });
    expect(await bench.scan({ settings: { ignore: ["extras"] } })).toMatchObject({ books: 2, missing: 3 });
    expect(pathsAndStates(bench).filter((book) => !book.endsWith("(missing)"))).toEqual([
      "Ann/Two",
      "loose.m4b",
    ]);
  });

  it("groups anew when a folder beside the files comes or goes", async () => {
    const bench = await benchOf({ "A/1.mp3": "album=X 1", "A/2.mp3": "album=Y 2" });
    await bench.scan();
    await bench.root.write({ "A/sub/": "" });
    expect((await bench.scan()).files_read).toBe(0);
    const after = bench.books();
    const fresh = await benchOf({ "A/1.mp3": "album=X 1", "A/2.mp3": "album=Y 2", "A/sub/": "" });
    await fresh.scan();
    expect(after.map((book) => book.path)).toEqual(fresh.books().map((book) => book.path));
  });

  it("goes on past damaged files, and tells of them again every time", async () => {
    const bench = await benchOf({ ...library, "Ann/One/03.mp3": "damaged", "Zed/bad.mp3": "damaged" });
    const problems = [
      expect.objectContaining({ path: "Ann/One/03.mp3", code: "unreadable_audio" }),
      expect.objectContaining({ path: "Zed/bad.mp3", code: "unreadable_audio" }),
    ];
    expect(await bench.scan()).toMatchObject({ books: 5, problem_count: 2, problems });
    expect(await bench.scan()).toMatchObject({
      books: 5,
      problem_count: 2,
      problems,
      files_read: 0,
      changed: 0,
    });
  });

  it("tries a file again whose permission was refused", async () => {
    const bench = await benchOf({ ...library, "Zed/x.mp3": "forbidden" });
    expect(await bench.scan()).toMatchObject({ books: 5, problem_count: 1 });
    expect(await bench.scan()).toMatchObject({ books: 5, problem_count: 1, files_read: 1 });
  });

  it("keeps the first 100 problems and counts all", async () => {
    const files = Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`${i}/x.mp3`, "damaged"]));
    const bench = await benchOf(files);
    const summary = await bench.scan();
    expect(summary.problem_count).toBe(120);
    expect(summary.problems).toHaveLength(100);
  });

  it("lets one folder on which the rules fail not stop the others", async () => {
    const bench = await benchOf(library);
    const summary = await bench.scan({
      deps: {
        buildDrafts: (content) => {
          if (content.unit.path === "Ann/One") throw new TypeError("a bug");
          return buildDrafts(content);
        },
      },
    });
    expect(summary).toMatchObject({ books: 4, problem_count: 1 });
    expect(summary.problems[0]).toMatchObject({ path: "Ann/One", message: expect.stringContaining("a bug") });
  });
});

describe("scan of one folder", () => {
  it("looks at that folder and what is below it, and at nothing else", async () => {
    const bench = await benchOf(library);
    expect(await bench.scan({ path: "Ann/Two" })).toMatchObject({ dirs: 4, files: 3, books: 2, added: 2 });
    expect(pathsAndStates(bench)).toEqual(["Ann/Two", "Ann/Two/extras"]);
    expect(bench.store.catalogue.totals().lastScan).toBeNull();
    await bench.scan();
    await bench.root.remove("Bob");
    await bench.root.remove("Ann/Two/extras");
    expect(await bench.scan({ path: "Ann/Two/" })).toMatchObject({
      books: 1,
      missing: 1,
      files_read: 0,
      changed: 0,
    });
    expect(pathsAndStates(bench)).toEqual([
      "Ann/One",
      "Ann/Two",
      "Ann/Two/extras (missing)",
      "Bob/Three.m4b",
      "loose.m4b",
    ]);
  });

  it("takes a disc folder for the book that it is part of", async () => {
    const bench = await benchOf(library);
    expect(await bench.scan({ path: "Ann/Two/CD2" })).toMatchObject({ books: 2, added: 2 });
    expect(pathsAndStates(bench)).toEqual(["Ann/Two", "Ann/Two/extras"]);
  });

  it("takes a file for the folder that it lies in", async () => {
    const bench = await benchOf(library);
    await bench.scan({ path: "Ann/One/01.mp3" });
    expect(pathsAndStates(bench)).toEqual(["Ann/One"]);
  });

  it("calls missing what lay in a folder that is gone; one never known is an error", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    await bench.root.remove("Ann");
    expect(await bench.scan({ path: "Ann" })).toMatchObject({ books: 0, missing: 3 });
    await expect(bench.scan({ path: "Nobody/Nothing" })).rejects.toMatchObject({ code: "not_found" });
    await expect(bench.scan({ path: "../x" })).rejects.toMatchObject({ code: "outside_root" });
  });

  it("reads only what changed in it, although its signature is not known", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    await bench.root.write({ "Ann/One/02.mp3": "new content" });
    expect(await bench.scan({ path: "Ann/One" })).toMatchObject({ files_read: 1, changed: 1, books: 1 });
  });
});

describe("a book's identity", () => {
  it.each([
    ["to a place further on", "Zoe/Other"],
    ["to a place further back", "Aaa/Other"],
  ])("stays when its folder is moved %s", async (_what, target) => {
    const bench = await benchOf(library);
    await bench.scan();
    const ids = idsByPath(bench);
    await bench.root.write({ [`${target}/`]: "" });
    await rename(bench.root.at("Ann/One"), bench.root.at(target));
    expect(await bench.scan()).toMatchObject({ books: 5, added: 0, missing: 0 });
    expect(idsByPath(bench)[target]).toBe(ids["Ann/One"]);
    expect(bench.books()).toHaveLength(5);
    expect(bench.news.flatMap((each) => each.missing)).toEqual([]);
  });

  it("stays when its author's folder is renamed, for all his books", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    const ids = idsByPath(bench);
    await rename(bench.root.at("Ann"), bench.root.at("Anna"));
    expect(await bench.scan()).toMatchObject({ books: 5, added: 0, missing: 0 });
    expect(idsByPath(bench)).toEqual({
      ...Object.fromEntries(Object.entries(ids).map(([at, id]) => [at.replace(/^Ann\//, "Anna/"), id])),
    });
  });

  it("stays when its files are moved and its old folder keeps a picture", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    const ids = idsByPath(bench);
    await bench.root.write({ "Aaa/One/": "" });
    for (const name of ["01.mp3", "02.mp3"]) {
      await rename(bench.root.at(`Ann/One/${name}`), bench.root.at(`Aaa/One/${name}`));
    }
    expect(await bench.scan()).toMatchObject({ books: 5, added: 0, missing: 0 });
    expect(idsByPath(bench)["Aaa/One"]).toBe(ids["Ann/One"]);
  });

  it("stays when a loose file is renamed", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    const ids = idsByPath(bench);
    await rename(bench.root.at("loose.m4b"), bench.root.at("better name.m4b"));
    expect(await bench.scan()).toMatchObject({ books: 5, added: 0, missing: 0 });
    expect(idsByPath(bench)["better name.m4b"]).toBe(ids["loose.m4b"]);
  });

  it("goes with the content when two folders, or two loose files, change their names", async () => {
    const bench = await benchOf(library);
    await bench.root.write({ "other.m4b": "another loose recording" });
    await bench.scan();
    const ids = idsByPath(bench);
    const swapped = [
      ["Ann/One", "Ann/Two"],
      ["loose.m4b", "other.m4b"],
    ] as const;
    for (const [a, b] of swapped) {
      await rename(bench.root.at(a), bench.root.at("aside"));
      await rename(bench.root.at(b), bench.root.at(a));
      await rename(bench.root.at("aside"), bench.root.at(b));
    }
    expect(await bench.scan()).toMatchObject({ books: 6, added: 0, missing: 0 });
    const after = idsByPath(bench);
    for (const [a, b] of swapped) {
      expect(after[a]).toBe(ids[b]);
      expect(after[b]).toBe(ids[a]);
    }
    expect(bench.books()).toHaveLength(6);
  });

  it("stays with the place when the content changes", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    const ids = idsByPath(bench);
    await bench.root.write({ "loose.m4b": "quite another recording" });
    expect(await bench.scan()).toMatchObject({ added: 0, changed: 1, missing: 0 });
    expect(idsByPath(bench)).toEqual(ids);
  });

  it("is not shared: a copy is a book of its own, before or behind the original", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    const ids = idsByPath(bench);
    await cp(bench.root.at("Ann/One"), bench.root.at("Aaa/One"), {
      recursive: true,
      preserveTimestamps: true,
    });
    await cp(bench.root.at("Ann/One"), bench.root.at("Zoe/One"), {
      recursive: true,
      preserveTimestamps: true,
    });
    expect(await bench.scan()).toMatchObject({ books: 7, added: 2, missing: 0 });
    const now = idsByPath(bench);
    expect(now["Ann/One"]).toBe(ids["Ann/One"]);
    expect(new Set(Object.values(now)).size).toBe(7);
  });

  it("goes to one of two copies when the original is gone", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    const ids = idsByPath(bench);
    await cp(bench.root.at("Ann/One"), bench.root.at("Aaa/One"), { recursive: true });
    await rename(bench.root.at("Ann/One"), bench.root.at("Ann/Uno"));
    expect(await bench.scan()).toMatchObject({ books: 6, added: 1, missing: 0 });
    const now = idsByPath(bench);
    expect([now["Aaa/One"], now["Ann/Uno"]]).toContain(ids["Ann/One"]);
    expect(new Set(Object.values(now)).size).toBe(6);
  });

  it("is given once when a book moves away and another takes its place, in either order", async () => {
    for (const target of ["Aaa/One", "Zoe/One"]) {
      const bench = await benchOf(library);
      await bench.scan();
      const ids = idsByPath(bench);
      await bench.root.write({ [`${target}/`]: "" });
      await rename(bench.root.at("Ann/One"), bench.root.at(target));
      await bench.root.write({ "Ann/One/01.mp3": "another book altogether" });
      const summary = await bench.scan();
      expect(summary).toMatchObject({ books: 6, added: 1, missing: 0 });
      const now = idsByPath(bench);
      expect(Object.values(now)).toEqual(expect.arrayContaining(Object.values(ids)));
      expect(new Set(Object.values(now)).size).toBe(6);
    }
  });

  it("is kept when two books change places", async () => {
    const bench = await benchOf({ "A/1.mp3": "first", "B/1.mp3": "second" });
    await bench.scan();
    const ids = Object.values(idsByPath(bench)).toSorted();
    await rename(bench.root.at("A"), bench.root.at("C"));
    await rename(bench.root.at("B"), bench.root.at("A"));
    await rename(bench.root.at("C"), bench.root.at("B"));
    expect(await bench.scan()).toMatchObject({ books: 2, added: 0, missing: 0 });
    expect(Object.values(idsByPath(bench)).toSorted()).toEqual(ids);
  });

  it("of a book that is missing since long comes back with its content", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    const ids = idsByPath(bench);
    await rename(bench.root.at("Ann/One"), `${bench.root.path}.away`);
    await bench.scan();
    await bench.scan();
    await rename(`${bench.root.path}.away`, bench.root.at("Bob/One again"));
    expect(await bench.scan()).toMatchObject({ books: 5, added: 0 });
    expect(idsByPath(bench)["Bob/One again"]).toBe(ids["Ann/One"]);
  });
});

describe("scan of a disk that fails", () => {
  it("leaves everything as it was when the root is not there", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    const before = bench.books();
    await rename(bench.root.path, `${bench.root.path}.away`);
    await expect(bench.scan()).rejects.toMatchObject({ code: "root_unavailable", retryable: true });
    await expect(bench.scan({ path: "Ann" })).rejects.toMatchObject({ code: "root_unavailable" });
    await rename(`${bench.root.path}.away`, bench.root.path);
    expect(bench.books()).toEqual(before);
  });

  it("takes an empty root with known books for an unmounted disk", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    const before = bench.books();
    for (const name of ["Ann", "Bob", "loose.m4b"]) await bench.root.remove(name);
    for (const folder of ["", "Ann"]) {
      await expect(bench.scan({ path: folder })).rejects.toMatchObject({
        code: "root_unavailable",
        message: expect.stringContaining("is empty"),
      });
    }
    expect(bench.books()).toEqual(before);
    await bench.root.write({ "new/": "" });
    expect(await bench.scan()).toMatchObject({ books: 0, missing: 5 });
  });

  it("scans an empty root that never had a book", async () => {
    const bench = await benchOf({});
    expect(await bench.scan()).toMatchObject({ dirs: 1, files: 0, books: 0 });
    expect(bench.progress.at(-1)).toMatchObject({ state: "idle", percent: 100 });
  });

  it("commits nothing when the root is exchanged while it scans", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    const before = bench.books();
    const exchanging: Walk = async function* (options) {
      await rename(bench.root.path, `${bench.root.path}.away`);
      await bench.root.write({ "nothing/": "" });
      yield* walk(options);
    };
    await expect(bench.scan({ deps: { walk: exchanging, warn: () => {} } })).rejects.toMatchObject({
      code: "root_unavailable",
    });
    await rm(bench.root.path, { recursive: true });
    await rename(`${bench.root.path}.away`, bench.root.path);
    expect(bench.books()).toEqual(before);
  });

  it("keeps the books of folders and files that cannot be looked at", async () => {
    const bench = await benchOf({ ...library, "Cid/Four/01.mp3": "four", "Cid/Five/01.mp3": "five" });
    await bench.scan();
    const before = bench.books();
    const denied = Object.assign(new Error("EACCES"), { code: "EACCES" });
    const isDenied = (at: string): boolean => /\/(Bob|Cid\/Four|CD2)$|One\/02.mp3$/.test(at);
    const denying: Walk = (options) =>
      walk({
        ...options,
        disk: {
          ...realDisk,
          readdir: (at, callback) =>
            isDenied(at) ? setImmediate(() => callback(denied, undefined)) : realDisk.readdir(at, callback),
          lstat: (at, callback) =>
            isDenied(at) ? setImmediate(() => callback(denied, undefined)) : realDisk.lstat(at, callback),
        },
      });
    const summary = await bench.scan({ deps: { walk: denying } });
    expect(summary).toMatchObject({ books: 7, missing: 0, changed: 0, added: 0, problem_count: 4 });
    expect(bench.books()).toEqual(before);
  });

  it("keeps the books behind a link whose disk is away", async () => {
    const outside = await benchOf({ "X/01.mp3": "outside" });
    const bench = await benchOf(library);
    await symlink(outside.root.path, bench.root.at("more"));
    expect(await bench.scan()).toMatchObject({ books: 6 });
    await rename(outside.root.path, `${outside.root.path}.away`);
    const summary = await bench.scan();
    expect(summary).toMatchObject({ books: 6, missing: 0, problem_count: 1 });
    expect(summary.problems[0]).toMatchObject({ path: "more", code: "broken_link" });
    await rename(`${outside.root.path}.away`, outside.root.path);
  });

  it("stops when the disk is lost, and goes on where it was", async () => {
    const bench = await benchOf(library);
    let reads = 0;
    await expect(
      bench.scan({
        id: "lost",
        settings: { checkpointInterval: 1 },
        deps: {
          readTracks: async (_folder, names) => {
            if (++reads > 3) throw new AppError("disk_lost", "gone", { retryable: true });
            return names.map(() => ({ ok: false, code: "unreadable_audio", message: "x" }));
          },
        },
      }),
    ).rejects.toMatchObject({ code: "disk_lost" });
    expect(bench.progress.at(-1)?.state).toBe("failed");
    expect(bench.store.checkpoints.load("lost")).not.toBeNull();
    expect((await bench.scan({ id: "lost", force: true })).resumed_from).not.toBeNull();
  });
});

describe("a scan's progress", () => {
  it("counts from the first folder, and knows percent and time only when the walk has ended", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [`A${i % 10}/B${i}/x.mp3`, `${i}`]),
    );
    const bench = await benchOf(files);
    await bench.scan();
    const last = bench.progress.at(-1);
    expect(last).toMatchObject({
      state: "idle",
      dirsFound: 311,
      dirsDone: 311,
      filesFound: 300,
      filesDone: 300,
    });
    expect(last).toMatchObject({ booksFound: 300, percent: 100, problems: 0, rootId: "books" });
    const known = bench.progress.findIndex((each) => each.percent !== null);
    expect(known).toBeGreaterThan(0);
    expect(bench.progress.slice(0, known).some((each) => each.filesFound > 0)).toBe(true);
    const percents = bench.progress.slice(known).map((each) => each.percent ?? -1);
    expect(percents.toSorted((a, b) => a - b)).toEqual(percents);
    expect(new Set(bench.progress.map((each) => each.state))).toEqual(
      new Set(["walking", "reading", "saving", "idle"]),
    );
  });

  it("knows percent and time long before its end, from a count that runs ahead of the reading", async () => {
    const files = Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`B${i}/x.mp3`, `${i}`]));
    const bench = await benchOf(files);
    let clock = Date.parse("2026-01-01T00:00:00Z");
    const summary = await bench.scan({
      deps: {
        now: () => {
          clock += 5;
          return new Date(clock);
        },
        readTracks: async (_folder, names) => {
          await new Promise((resolve) => setTimeout(resolve, 50));
          return names.map(() => ({ ok: false, code: "unreadable_audio", message: "x" }));
        },
      },
    });
    expect(summary).toMatchObject({ dirs: 901, files: 900 });
    const known = bench.progress.find((each) => each.percent !== null);
    expect(known?.percent).toBeLessThan(90);
    expect(known).toMatchObject({ filesFound: 900, dirsFound: 901, etaSeconds: expect.any(Number) });
    const percents = bench.progress.flatMap((each) => each.percent ?? []);
    expect(percents.toSorted((a, b) => a - b)).toEqual(percents);
    expect(bench.progress.at(-1)).toMatchObject({ percent: 100, filesFound: 900, filesDone: 900 });
  });

  it("holds no more files under way for a large library than for a small one", async () => {
    const files = Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`B${i}/x.mp3`, `${i}`]));
    const bench = await benchOf(files);
    let open = 0;
    let most = 0;
    await bench.scan({
      deps: {
        readTracks: async (_folder, names) => {
          most = Math.max(most, ++open);
          await new Promise((resolve) => setTimeout(resolve, 40));
          open--;
          return names.map(() => ({ ok: false, code: "unreadable_audio", message: "x" }));
        },
      },
    });
    expect(most).toBeGreaterThan(100);
    expect(most).toBeLessThanOrEqual(512 + 64);
  });
});
