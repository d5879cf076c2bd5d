import { execFileSync } from "node:child_process";
import { chmod, mkdir, rmdir, unlink } from "node:fs/promises";
import { afterEach, describe, expect, it } from "vitest";
import { type Walk, walk } from "../../src/scan/walk.ts";
import type { WalkedFolder } from "../../src/scan/walk-ahead.ts";
import { walkInThread } from "../../src/scan/walk-in-thread.ts";
import { makeScanBench } from "../fixtures/scan.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

const releases: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

async function treeOf(files: Readonly<Record<string, string>>): Promise<Tree> {
  const tree = await makeTree(files);
  releases.push(() => tree.dispose());
  return tree;
}

function mount(...args: readonly string[]): void {
  execFileSync("mount", args, { stdio: "pipe" });
  releases.push(() => unmount(args.at(-1) ?? ""));
}

function unmount(at: string): void {
  try {
    execFileSync("umount", ["--lazy", at], { stdio: "pipe" });
  } catch {
    // The test has unmounted it itself.
  }
}

async function canMount(): Promise<boolean> {
  const tree = await makeTree({ "a/": "", "b/": "" });
  try {
    execFileSync("mount", ["--bind", tree.at("a"), tree.at("b")], { stdio: "pipe" });
    execFileSync("umount", [tree.at("b")], { stdio: "pipe" });
    return true;
  } catch {
    return false;
  } finally {
    await tree.dispose();
  }
}

async function walkAll(rootPath: string, run: Walk = walk): Promise<readonly WalkedFolder[]> {
  const { signal } = new AbortController();
  const folders: WalkedFolder[] = [];
  const options = { rootPath, startPath: "", after: null, concurrency: 16, ignore: [], signal };
  for await (const batch of run(options)) folders.push(...batch);
  return folders;
}

function problemsOf(folders: readonly WalkedFolder[]): readonly (readonly [string, string])[] {
  return folders.flatMap((folder) => folder.problems.map(({ path: at, code }) => [at, code] as const));
}

const noMounts = (await canMount()) ? null : "mounting needs root and the tool `mount`";

describe.skipIf(noMounts !== null)(
  `a root with mounts in it${noMounts === null ? "" : ` (${noMounts})`}`,
  () => {
    it("reports a folder that is mounted below itself, once, and its books are there once", async () => {
      const tree = await treeOf({ "A/B/1.mp3": "x", "A/B/again/": "", "A/with space/": "", "C/1.mp3": "x" });
      mount("--bind", tree.at("A"), tree.at("A/B/again"));
      mount("--bind", tree.path, tree.at("A/with space"));
      for (const run of [walk, walkInThread]) {
        const folders = await walkAll(tree.path, run);
        expect(folders.map((folder) => folder.path)).toEqual([
          "",
          "A",
          "A/B",
          "A/B/again",
          "A/with space",
          "C",
        ]);
        expect(problemsOf(folders)).toEqual([
          ["A/B/again", "loop"],
          ["A/with space", "loop"],
        ]);
      }
    });

    it("goes into a disk that is mounted inside the root", async () => {
      const tree = await treeOf({ "A/1.mp3": "x", "disk/": "" });
      mount("-t", "tmpfs", "none", tree.at("disk"));
      await tree.write({ "disk/B/1.mp3": "x" });
      const folders = await walkAll(tree.path);
      expect(folders.map((folder) => folder.path)).toEqual(["", "A", "disk", "disk/B"]);
      expect(problemsOf(folders)).toEqual([]);
    });

    it("keeps all books when the disk is unmounted, before a scan or in the middle of it", async () => {
      const bench = await makeScanBench({});
      releases.push(() => bench.dispose());
      mount("-t", "tmpfs", "none", bench.root.path);
      const files = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`A${i}/B/1.mp3`, `${i}`]));
      await bench.root.write(files);
      expect(await bench.scan()).toMatchObject({ books: 200 });
      const before = bench.books();
      const unmounting: Walk = async function* (options) {
        let count = 0;
        for await (const folders of walk(options)) {
          for (const folder of folders) {
            if (count++ === 50) unmount(bench.root.path);
            yield [folder];
          }
        }
      };
      await expect(
        bench.scan({ settings: { checkpointInterval: 1 }, deps: { walk: unmounting, warn: () => {} } }),
      ).rejects.toMatchObject({ code: "root_unavailable" });
      expect(bench.books()).toEqual(before);
      await expect(bench.scan()).rejects.toMatchObject({ code: "root_unavailable" });
      expect(bench.books()).toEqual(before);
    });
  },
);

const isRoot = process.geteuid?.() === 0;

describe.skipIf(!isRoot)(
  `a user without permission${isRoot ? "" : " (changing the user needs root)"}`,
  () => {
    /** As somebody who may not look everywhere, in this very process. */
    async function asNobody<T>(work: () => Promise<T>): Promise<T> {
      process.seteuid?.(65534);
      try {
        return await work();
      } finally {
        process.seteuid?.(0);
      }
    }

    it("gets a problem for each folder and file that may not be seen, and all the rest", async () => {
      const tree = await treeOf({ "A/1.mp3": "x", "B/1.mp3": "x", "B/C/1.mp3": "x", "D/1.mp3": "x" });
      await chmod(tree.path, 0o755);
      await chmod(tree.at("A"), 0o000);
      await chmod(tree.at("B"), 0o444);
      const folders = await asNobody(() => walkAll(tree.path));
      expect(folders.map((folder) => folder.path)).toEqual(["", "A", "B", "B/C", "D"]);
      expect(problemsOf(folders)).toEqual([
        ["A", "unreadable_folder"],
        ["B/1.mp3", "unreadable_file"],
        ["B/C", "unreadable_folder"],
      ]);
      expect(folders.map((folder) => folder.isComplete)).toEqual([true, false, false, false, true]);
    });

    it("is told that a root is offline that may not be listed", async () => {
      const tree = await treeOf({});
      await mkdir(tree.at("root"), { mode: 0o700 });
      await chmod(tree.path, 0o755);
      await expect(asNobody(() => walkAll(tree.at("root")))).rejects.toMatchObject({
        code: "root_unavailable",
      });
      await rmdir(tree.at("root"));
      await tree.write({ file: "x" });
      await expect(walkAll(tree.at("file"))).rejects.toMatchObject({ code: "root_unavailable" });
      await unlink(tree.at("file"));
    });
  },
);
