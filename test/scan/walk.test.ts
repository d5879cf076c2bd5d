import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { chmod, link, mkdir, rename, symlink } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { compareNames, comparePaths } from "../../src/domain/order.ts";
import { type WalkOptions, walk } from "../../src/scan/walk.ts";
import { createAdaptiveDisk } from "../../src/scan/walk-adaptive-disk.ts";
import type { WalkedFolder } from "../../src/scan/walk-ahead.ts";
import { type Disk, realDisk } from "../../src/scan/walk-disk.ts";
import { walkInThread } from "../../src/scan/walk-in-thread.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

/*
 * Long, because each disk that a walk may meet is one short test with the same helpers.
 */

const trees: Tree[] = [];

afterEach(async () => {
  for (const tree of trees.splice(0)) await tree.dispose();
});

async function treeOf(files: Readonly<Record<string, string>>): Promise<Tree> {
  const tree = await makeTree(files);
  trees.push(tree);
  return tree;
}

type Options = Partial<WalkOptions>;

async function walkAll(rootPath: string, options: Options = {}): Promise<readonly WalkedFolder[]> {
  const { signal } = new AbortController();
  const folders: WalkedFolder[] = [];
  const all = { startPath: "", after: null, concurrency: 16, ignore: [], signal, ...options, rootPath };
  for await (const batch of walk(all)) folders.push(...batch);
  return folders;
}

async function pathsOf(rootPath: string, options: Options = {}): Promise<readonly string[]> {
  return (await walkAll(rootPath, options)).map((folder) => folder.path);
}

function problemsOf(folders: readonly WalkedFolder[]): readonly (readonly [string, string])[] {
  return folders.flatMap((folder) => folder.problems.map(({ path: at, code }) => [at, code] as const));
}

function namesOf(folder: WalkedFolder | undefined): readonly string[] {
  return folder?.files.map((file) => file.name) ?? [];
}

function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: made by a test`), { code });
}

/** The real disk, except that a call on a path that ends so fails. */
function failingDisk(call: "readdir" | "lstat", ending: string, code: string): Disk {
  return {
    ...realDisk,
    readdir: (at, callback) =>
      call === "readdir" && at.endsWith(ending)
        ? setImmediate(() => callback(systemError(code), undefined))
        : realDisk.readdir(at, callback),
    lstat: (at, callback) =>
      call === "lstat" && at.endsWith(ending)
        ? setImmediate(() => callback(systemError(code), undefined))
        : realDisk.lstat(at, callback),
  };
}

const sample = {
  "B/2/01.mp3": "x",
  "B/1/01.mp3": "x",
  "B/cover.jpg": "x",
  "A/": "",
  "A-/x.m4b": "xx",
  "a/y.flac": "x",
  "A/b/c/d.ogg": "x",
  "10/1.mp3": "x",
  "2/1.mp3": "x",
  "Über/1.mp3": "x",
  "loose.m4b": "xyz",
};

describe("walk", () => {
  it("yields parents first and siblings in byte order, whatever number is in flight", async () => {
    const tree = await treeOf(sample);
    const expected = ["", "10", "2", "A", "A/b", "A/b/c", "A-", "B", "B/1", "B/2", "a", "Über"];
    for (const concurrency of [1, 2, 16]) {
      expect(await pathsOf(tree.path, { concurrency })).toEqual(expected);
    }
    expect(expected.toSorted(comparePaths)).toEqual(expected);
  });

  it("gives audio, images and companions with size and mtime, in byte order, and nothing else", async () => {
    const tree = await treeOf({
      "B/02.MP3": "22",
      "B/01.mp3": "1",
      "B/cover.jpg": "x",
      "B/book.opf": "x",
      "B/program.exe": "x",
      "B/.hidden.mp3": "x",
      "B/01.mp3.part": "x",
      "B/@eaDir/01.mp3": "x",
    });
    const [root, book] = await walkAll(tree.path);
    expect(root?.folders).toEqual(["B"]);
    expect(namesOf(book)).toEqual(["01.mp3", "02.MP3", "book.opf", "cover.jpg"]);
    expect(book?.folders).toEqual([]);
    const { size, mtimeMs } = fs.statSync(tree.at("B/02.MP3"));
    expect(book?.files[1]).toEqual({ name: "02.MP3", sizeBytes: size, mtimeMs });
  });

  it("goes into a folder that is named like an audio file", async () => {
    const tree = await treeOf({ "x.mp3/01.mp3": "x" });
    const folders = await walkAll(tree.path);
    expect(folders.map((folder) => folder.path)).toEqual(["", "x.mp3"]);
    expect(namesOf(folders[1])).toEqual(["01.mp3"]);
  });

  it("leaves out a folder that holds .ignore, with all below it", async () => {
    const tree = await treeOf({ "A/.ignore": "", "A/1.mp3": "x", "A/B/1.mp3": "x", "C/1.mp3": "x" });
    const folders = await walkAll(tree.path);
    expect(folders.map((folder) => folder.path)).toEqual(["", "A", "C"]);
    expect(folders[1]).toMatchObject({ files: [], folders: [], problems: [], isComplete: true });
  });

  it("leaves out what the patterns match, by name at any depth or by path from the root", async () => {
    const tree = await treeOf({
      "A/Samples/1.mp3": "x",
      "A/B/1.mp3": "x",
      "A/B/trailer.mp3": "x",
      "C/B/1.mp3": "x",
      "Samples/1.mp3": "x",
    });
    const ignore = ["trailer.*", "A/Samples", "/C/*"];
    const folders = await walkAll(tree.path, { ignore });
    expect(folders.map((folder) => folder.path)).toEqual(["", "A", "A/B", "C", "Samples"]);
    expect(namesOf(folders[2])).toEqual(["1.mp3"]);
    expect(await pathsOf(tree.path, { ignore: ["**/Samples"] })).toEqual(["", "A", "A/B", "C", "C/B"]);
  });

  it("goes on after any folder exactly as if it had never stopped", async () => {
    const tree = await treeOf({ ...sample, "B/1/CD1/1.mp3": "x", "B/1/CD1/x/1.mp3": "x" });
    const all = await walkAll(tree.path);
    for (const [index, folder] of all.entries()) {
      expect(await walkAll(tree.path, { after: folder.path })).toEqual(all.slice(index + 1));
    }
  });

  it("lists no folder that lies wholly before the one to go on after", async () => {
    const tree = await treeOf({ "A/1/x.mp3": "x", "B/1/x.mp3": "x", "B/2/x.mp3": "x", "C/x.mp3": "x" });
    const listed: string[] = [];
    const disk: Disk = {
      ...realDisk,
      readdir: (at, callback) => {
        listed.push(path.relative(tree.path, at));
        realDisk.readdir(at, callback);
      },
    };
    expect(await pathsOf(tree.path, { after: "B/1", disk })).toEqual(["B/2", "C"]);
    expect(listed.sort()).toEqual(["", "B", "B/1", "B/2", "C"]);
  });

  it("goes on after a folder that is not there any more", async () => {
    const tree = await treeOf({ "A/1.mp3": "x", "B/1/1.mp3": "x", "B/3/1.mp3": "x", "C/1.mp3": "x" });
    expect(await pathsOf(tree.path, { after: "B/2/x" })).toEqual(["B/3", "C"]);
    expect(await pathsOf(tree.path, { after: "AA/x" })).toEqual(["B", "B/1", "B/3", "C"]);
  });

  it("begins at any folder, and goes on within it", async () => {
    const tree = await treeOf(sample);
    expect(await pathsOf(tree.path, { startPath: "A" })).toEqual(["A", "A/b", "A/b/c"]);
    expect(await pathsOf(tree.path, { startPath: "A", after: "A/b" })).toEqual(["A/b/c"]);
    expect(await pathsOf(tree.path, { startPath: "B", after: "B" })).toEqual(["B/1", "B/2"]);
  });

  it("yields nothing where the start is left out or is not there", async () => {
    const tree = await treeOf({ "A/.ignore": "", "A/B/1.mp3": "x", ".b/1.mp3": "x", "Skip/x/1.mp3": "x" });
    expect(await pathsOf(tree.path, { startPath: "A/B" })).toEqual([]);
    expect(await pathsOf(tree.path, { startPath: "A" })).toEqual(["A"]);
    expect(await pathsOf(tree.path, { startPath: ".b" })).toEqual([]);
    expect(await pathsOf(tree.path, { startPath: "Skip/x", ignore: ["Skip"] })).toEqual([]);
    expect(await pathsOf(tree.path, { startPath: "Z/z" })).toEqual([]);
  });

  it("walks any tree in order, complete, in the same way from every point and on every kind of disk", async () => {
    const name = fc.constantFrom("a", "B", "a b", "é", "\u{1F600}", "\uE000", "Z.mp3", "10", "2", "CD1");
    const filePath = fc
      .array(name, { minLength: 0, maxLength: 4 })
      .map((names) => [...names, "file.mp3"].join("/"));
    await fc.assert(
      fc.asyncProperty(fc.array(filePath, { maxLength: 12 }), fc.nat(), async (paths, cut) => {
        const tree = await makeTree(Object.fromEntries(paths.map((at) => [at, "x"])));
        try {
          const all = await walkAll(tree.path);
          const found = all.map((folder) => folder.path);
          const expected = new Set([""]);
          for (const file of paths) {
            for (let at = path.posix.dirname(file); at !== "."; at = path.posix.dirname(at)) expected.add(at);
          }
          expect(found).toEqual([...expected].sort(comparePaths));
          for (const folder of all) expect([...folder.folders].sort(compareNames)).toEqual(folder.folders);
          const from = cut % all.length;
          expect(await walkAll(tree.path, { after: found[from] ?? "" })).toEqual(all.slice(from + 1));
          expect(await walkAll(tree.path, { disk: createAdaptiveDisk(() => 0) })).toEqual(all);
        } finally {
          await tree.dispose();
        }
      }),
      { numRuns: 30 },
    );
  });

  it("asks the disk for no file where names are enough", async () => {
    const tree = await treeOf(sample);
    const disk = failingDisk("lstat", "", "EIO");
    const folders = await walkAll(tree.path, { namesOnly: true, disk });
    expect(folders.map((each) => [each.path, namesOf(each)])).toEqual(
      (await walkAll(tree.path)).map((each) => [each.path, namesOf(each)]),
    );
  });

  it("gives the same from a thread of its own, and ends it", async () => {
    const tree = await treeOf(sample);
    const all = await walkAll(tree.path);
    const { signal } = new AbortController();
    const options = { rootPath: tree.path, startPath: "", after: null, concurrency: 4, ignore: [], signal };
    const folders: WalkedFolder[] = [];
    for await (const batch of walkInThread(options)) folders.push(...batch);
    expect(folders).toEqual(all);
    for await (const batch of walkInThread({ ...options, after: "B" })) {
      expect(batch[0]?.path).toBe("B/1");
      break;
    }
    await expect(walkInThread({ ...options, rootPath: tree.at("none") }).next()).rejects.toMatchObject({
      code: "root_unavailable",
      retryable: true,
    });
  });

  it("ends at once with the signal's reason when it is aborted", async () => {
    const tree = await treeOf(sample);
    for (const run of [walk, walkInThread]) {
      const controller = new AbortController();
      const { signal } = controller;
      const walking = run({
        rootPath: tree.path,
        startPath: "",
        after: null,
        concurrency: 1,
        ignore: [],
        signal,
        disk: { ...realDisk, readdir: () => {} },
      });
      const first = walking.next();
      controller.abort("cancel");
      await expect(first).rejects.toBe("cancel");
    }
  });
});

describe("walk's read-ahead", () => {
  async function callsWhileNobodyTakes(tree: Tree): Promise<{ readdir: number; lstat: number }> {
    const calls = { readdir: 0, lstat: 0 };
    let last = 0;
    const disk: Disk = {
      ...realDisk,
      readdir: (at, callback) => {
        calls.readdir++;
        last = performance.now();
        realDisk.readdir(at, callback);
      },
      lstat: (at, callback) => {
        calls.lstat++;
        last = performance.now();
        realDisk.lstat(at, callback);
      },
    };
    const { signal } = new AbortController();
    const walking = walk({
      rootPath: tree.path,
      startPath: "",
      after: null,
      concurrency: 4,
      ignore: [],
      signal,
      disk,
    });
    await walking.next();
    while (performance.now() - last < 100) await new Promise((resolve) => setTimeout(resolve, 20));
    await walking.return(undefined);
    return calls;
  }

  it("holds as little of a wide tree as of a small one", async () => {
    const tree = await treeOf({});
    for (let i = 0; i < 500; i++) fs.mkdirSync(tree.at(`folder ${i}`));
    const { readdir } = await callsWhileNobodyTakes(tree);
    expect(readdir).toBeGreaterThan(16);
    expect(readdir).toBeLessThanOrEqual(1 + 64 + 4);
  });

  it("holds as little of a deep tree as of a small one", async () => {
    const tree = await treeOf({});
    const deep = Array.from({ length: 300 }, () => "d").join("/");
    fs.mkdirSync(tree.at(deep), { recursive: true });
    const { readdir } = await callsWhileNobodyTakes(tree);
    expect(readdir).toBeGreaterThan(16);
    expect(readdir).toBeLessThanOrEqual(1 + 64 + 4);
  });

  it("stops listing ahead when the listed folders hold many files", async () => {
    const tree = await treeOf({});
    for (let folder = 0; folder < 12; folder++) {
      fs.mkdirSync(tree.at(`${folder}`));
      for (let i = 0; i < 1000; i++) fs.writeFileSync(tree.at(`${folder}/${i}.mp3`), "");
    }
    const { lstat } = await callsWhileNobodyTakes(tree);
    expect(lstat).toBeGreaterThanOrEqual(4000);
    expect(lstat).toBeLessThanOrEqual(4096 + 4 * 1000);
  });

  it("never has more calls in flight than it may", async () => {
    const tree = await treeOf({});
    for (let folder = 0; folder < 40; folder++) {
      fs.mkdirSync(tree.at(`${folder}`));
      for (let i = 0; i < 5; i++) fs.writeFileSync(tree.at(`${folder}/${i}.mp3`), "");
    }
    let inFlight = 0;
    let most = 0;
    function counted<T extends unknown[]>(callback: (...answer: T) => void): (...answer: T) => void {
      most = Math.max(most, ++inFlight);
      return (...answer) => {
        inFlight--;
        callback(...answer);
      };
    }
    const disk: Disk = {
      ...realDisk,
      readdir: (at, callback) => realDisk.readdir(at, counted(callback)),
      lstat: (at, callback) => realDisk.lstat(at, counted(callback)),
    };
    expect(await pathsOf(tree.path, { concurrency: 5, disk })).toHaveLength(41);
    expect(most).toBe(5);
  });
});

describe("walk's problems", () => {
  it("shows names that are not UTF-8 and leaves their neighbours alone", async () => {
    const tree = await treeOf({ "A/\uFFFD.mp3": "rightly so", "A/ok.mp3": "x" });
    const folder = Buffer.from(`${tree.at("A")}/`);
    fs.writeFileSync(Buffer.concat([folder, Buffer.from([0xff]), Buffer.from(".mp3")]), "x");
    fs.writeFileSync(
      Buffer.concat([folder, Buffer.from("é"), Buffer.from([0xe9, 0x2e]), Buffer.from("m4b")]),
      "x",
    );
    fs.mkdirSync(Buffer.concat([folder, Buffer.from([0x41, 0xc3])]));
    const folders = await walkAll(tree.path);
    expect(folders.map((each) => each.path)).toEqual(["", "A"]);
    expect(namesOf(folders[1])).toEqual(["ok.mp3", "\uFFFD.mp3"]);
    expect(problemsOf(folders).toSorted()).toEqual([
      ["A/A\\xC3", "not_utf8"],
      ["A/\\xFF.mp3", "not_utf8"],
      ["A/é\\xE9.m4b", "not_utf8"],
    ]);
  });

  it("reports pipes and sockets without opening them", async () => {
    const tree = await treeOf({ "A/1.mp3": "x" });
    execFileSync("mkfifo", [tree.at("A/pipe.mp3"), tree.at("A/other")]);
    await symlink("other", tree.at("A/link.m4b"));
    const server = net.createServer().listen(tree.at("A/socket.mp3"));
    try {
      const folders = await walkAll(tree.path);
      expect(namesOf(folders[1])).toEqual(["1.mp3"]);
      expect(problemsOf(folders).toSorted()).toEqual([
        ["A/link.m4b", "not_a_file"],
        ["A/other", "not_a_file"],
        ["A/pipe.mp3", "not_a_file"],
        ["A/socket.mp3", "not_a_file"],
      ]);
      expect(folders[1]?.isComplete).toBe(true);
    } finally {
      server.close();
    }
  });

  it("follows links to files and reports those that lead nowhere or in a circle", async () => {
    const tree = await treeOf({ "A/1.mp3": "12345", "A/notes.xyz": "x" });
    await symlink("1.mp3", tree.at("A/2.mp3"));
    await symlink("notes.xyz", tree.at("A/odd.xyz"));
    await symlink("nothing", tree.at("A/broken.mp3"));
    await symlink("circle.mp3", tree.at("A/circle.mp3"));
    const folders = await walkAll(tree.path);
    expect(folders[1]?.files.map(({ name, sizeBytes }) => [name, sizeBytes])).toEqual([
      ["1.mp3", 5],
      ["2.mp3", 5],
    ]);
    expect(problemsOf(folders).toSorted()).toEqual([
      ["A/broken.mp3", "broken_link"],
      ["A/circle.mp3", "loop"],
    ]);
    expect(folders[1]?.hidden).toContain("A/broken.mp3");
  });

  it("follows a link to a folder outside, but not into itself or what is walked anyway", async () => {
    const outside = await treeOf({ "Book/1.mp3": "x", "More/2.mp3": "x" });
    const tree = await treeOf({ "A/B/1.mp3": "x", "C/1.mp3": "x" });
    await symlink(outside.path, tree.at("D"));
    await symlink("..", tree.at("A/up"));
    await symlink(tree.path, tree.at("A/root"));
    await symlink("/", tree.at("A/top"));
    await symlink("B", tree.at("A/again"));
    await symlink("../C", tree.at("A/other"));
    await symlink(outside.at("More"), outside.at("Book/within"));
    await symlink(tree.at("C"), outside.at("Book/back"));
    await symlink(outside.path, outside.at("More/circle"));
    const folders = await walkAll(tree.path);
    expect(folders.map((folder) => folder.path)).toEqual(["", "A", "A/B", "C", "D", "D/Book", "D/More"]);
    expect(problemsOf(folders).toSorted()).toEqual([
      ["A/again", "duplicate_link"],
      ["A/other", "duplicate_link"],
      ["A/root", "loop"],
      ["A/top", "loop"],
      ["A/up", "loop"],
      ["D/Book/back", "duplicate_link"],
      ["D/Book/within", "duplicate_link"],
      ["D/More/circle", "loop"],
    ]);
    expect(await pathsOf(tree.path, { after: "D/Book" })).toEqual(["D/More"]);
    expect(await pathsOf(tree.path, { startPath: "D/Book" })).toEqual(["D/Book"]);
    expect(problemsOf(await walkAll(tree.path, { startPath: "A/other" }))).toEqual([
      ["A/other", "duplicate_link"],
    ]);
  });

  it("ends where folders outside link to each other all over", async () => {
    const outside = await treeOf({});
    for (let i = 0; i < 6; i++) await mkdir(outside.at(`${i}`));
    for (let i = 0; i < 6; i++) {
      for (let k = 0; k < 6; k++) await symlink(outside.at(`${k}`), outside.at(`${i}/to ${k}`));
    }
    const tree = await treeOf({});
    await symlink(outside.at("0"), tree.at("in"));
    const folders = await walkAll(tree.path);
    expect(folders.length).toBeLessThan(500);
    expect(new Set(problemsOf(folders).map(([, code]) => code))).toEqual(new Set(["loop"]));
  });

  it.each([
    ["readdir", "/B", "EACCES", ["A/B", "unreadable_folder"], ["A/B"]],
    ["readdir", "/B", "ENOENT", ["A/B", "vanished"], []],
    ["readdir", "/B", "ENOTDIR", ["A/B", "vanished"], []],
    ["readdir", "/B", "ENAMETOOLONG", ["A/B", "path_too_long"], ["A/B"]],
    ["readdir", "/B", "EMFILE", ["A/B", "unreadable_folder"], ["A/B"]],
  ] as const)(
    "%s of a folder fails with %s%s: a problem, and the walk goes on",
    async (call, ending, code, problem, hidden) => {
      const tree = await treeOf({ "A/B/C/1.mp3": "x", "D/1.mp3": "x" });
      const folders = await walkAll(tree.path, { disk: failingDisk(call, ending, code) });
      expect(folders.map((folder) => folder.path)).toEqual(["", "A", "A/B", "D"]);
      expect(problemsOf(folders)).toEqual([problem]);
      expect(folders[2]?.hidden).toEqual(hidden);
      expect(folders[2]?.isComplete).toBe(hidden.length === 0);
    },
  );

  it.each([
    ["EACCES", "unreadable_file", false],
    ["ENOENT", "vanished", true],
    ["ENAMETOOLONG", "path_too_long", false],
  ] as const)(
    "a file fails with %s: a problem, and its folder goes on without it",
    async (code, problem, isComplete) => {
      const tree = await treeOf({ "A/1.mp3": "x", "A/2.mp3": "x", "B/3.mp3": "x" });
      const folders = await walkAll(tree.path, { disk: failingDisk("lstat", "1.mp3", code) });
      expect(problemsOf(folders)).toEqual([["A/1.mp3", problem]]);
      expect(namesOf(folders[1])).toEqual(["2.mp3"]);
      expect(folders[1]?.isComplete).toBe(isComplete);
      expect(folders).toHaveLength(3);
    },
  );

  it("tells again of a folder above the point of resumption that cannot be listed now", async () => {
    const tree = await treeOf({ "A/B/1.mp3": "x", "A/C/1.mp3": "x", "D/1.mp3": "x" });
    const disk = failingDisk("readdir", "/A", "EACCES");
    const folders = await walkAll(tree.path, { after: "A/B", disk });
    expect(folders.map((folder) => folder.path)).toEqual(["A", "D"]);
    expect(folders[0]).toMatchObject({ hidden: ["A"], isComplete: false });
  });

  it.each(["EIO", "ENOTCONN", "ESTALE", "ENODEV", "ENXIO"])(
    "%s anywhere ends the walk: the disk is lost",
    async (code) => {
      const tree = await treeOf({ "A/1.mp3": "x", "B/1.mp3": "x", "C/1.mp3": "x" });
      for (const disk of [failingDisk("readdir", "/B", code), failingDisk("lstat", "B/1.mp3", code)]) {
        await expect(walkAll(tree.path, { disk })).rejects.toMatchObject({
          code: "disk_lost",
          retryable: true,
          message: expect.stringContaining(tree.at("B")),
        });
      }
    },
  );

  it.each(["EACCES", "ENOENT", "EIO"])("a root that cannot be listed (%s) is offline", async (code) => {
    const tree = await treeOf({ "A/1.mp3": "x" });
    const disk = failingDisk("readdir", tree.path, code);
    await expect(walkAll(tree.path, { disk })).rejects.toMatchObject({
      code: "root_unavailable",
      retryable: true,
    });
    await expect(walkAll(tree.at("none"))).rejects.toMatchObject({ code: "root_unavailable" });
  });

  it("tells of a file that has become something else since its folder was listed", async () => {
    const tree = await treeOf({ "A/1.mp3": "x", "A/2.mp3": "x" });
    const disk: Disk = {
      ...realDisk,
      lstat: (at, callback) => realDisk.lstat(at.endsWith("1.mp3") ? tree.at("A") : at, callback),
    };
    const folders = await walkAll(tree.path, { disk });
    expect(problemsOf(folders)).toEqual([["A/1.mp3", "vanished"]]);
    expect(namesOf(folders[1])).toEqual(["2.mp3"]);
  });

  it("reports a tree that is deeper than the system's paths, and ends", async () => {
    const tree = await treeOf({ "Z/1.mp3": "x" });
    const name = "n".repeat(255);
    // A path this long can only be made in pieces that are put together.
    const piece = Array.from({ length: 10 }, () => name).join("/");
    await mkdir(tree.at(`other/${piece}`), { recursive: true });
    await mkdir(tree.at(`A/${piece}`), { recursive: true });
    await rename(tree.at("other"), tree.at(`A/${piece}/other`));
    const folders = await walkAll(tree.path);
    expect(problemsOf(folders).map(([, code]) => code)).toEqual(["path_too_long"]);
    expect(folders.at(-1)?.path).toBe("Z");
    execFileSync("rm", ["-rf", tree.at("A")]);
  });

  it("takes the longest names and two names for one file", async () => {
    const tree = await treeOf({ [`${"a".repeat(255)}/${"b".repeat(251)}.mp3`]: "x" });
    await link(tree.at(`${"a".repeat(255)}/${"b".repeat(251)}.mp3`), tree.at("same.mp3"));
    const folders = await walkAll(tree.path);
    expect(folders.flatMap(namesOf)).toHaveLength(2);
    expect(problemsOf(folders)).toEqual([]);
  });

  it.skipIf(process.getuid?.() === 0)("reports a folder without permission (not as root)", async () => {
    const tree = await treeOf({ "A/1.mp3": "x", "B/1.mp3": "x" });
    await chmod(tree.at("A"), 0);
    const folders = await walkAll(tree.path);
    await chmod(tree.at("A"), 0o755);
    expect(problemsOf(folders)).toEqual([["A", "unreadable_folder"]]);
  });
});

describe("the walk's disk in a thread", () => {
  it("goes through the pool while the disk is slow, and tries it again later", async () => {
    const tree = await treeOf({ "1.mp3": "x" });
    let nowMs = 0;
    let isSlow = true;
    const disk = createAdaptiveDisk(() => {
      if (isSlow) nowMs += 10;
      return nowMs;
    });
    const isDirect = async (): Promise<boolean> => {
      let answered = false;
      const { promise, resolve } = Promise.withResolvers<void>();
      disk.lstat(tree.at("1.mp3"), () => {
        answered = true;
        resolve();
      });
      const direct = answered;
      await promise;
      return direct;
    };
    expect(await isDirect()).toBe(true);
    expect(await isDirect()).toBe(false);
    isSlow = false;
    let threaded = 1;
    while (!(await isDirect())) threaded++;
    expect(threaded).toBe(1000);
    expect(await isDirect()).toBe(true);
  });

  it("answers errors as the pool does", () => {
    const disk = createAdaptiveDisk(() => 0);
    const codes: (string | undefined)[] = [];
    disk.lstat("/nowhere/at/all", (...[error]) => {
      codes.push(error?.code);
    });
    disk.readdir("/nowhere/at/all", (...[error]) => {
      codes.push(error?.code);
    });
    expect(codes).toEqual(["ENOENT", "ENOENT"]);
  });
});
