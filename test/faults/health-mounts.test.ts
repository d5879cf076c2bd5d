import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Root } from "../../src/domain/book.ts";
import { runDiagnostics } from "../../src/health/diagnostics.ts";

const canMount = process.platform === "linux" && process.getuid?.() === 0 && tryMount();

function mount(...args: readonly string[]): boolean {
  return spawnSync("mount", args).status === 0;
}

function tryMount(): boolean {
  const dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-mount-"));
  const isMounted = mount("-t", "tmpfs", "tmpfs", dir);
  if (isMounted) spawnSync("umount", [dir]);
  rmSync(dir, { recursive: true });
  return isMounted;
}

let dir: string;
let place: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-health-"));
  place = path.join(dir, "place");
  mkdirSync(place);
  mkdirSync(path.join(dir, "data"));
});
afterEach(() => {
  spawnSync("umount", [place]);
  rmSync(dir, { recursive: true, force: true });
});

async function diagnose(changes: {
  readonly root?: Partial<Root>;
  readonly dataDir?: string;
  readonly knownBooks?: number;
}) {
  const root: Root = {
    id: "books",
    path: place,
    kind: "library",
    optional: false,
    watch: true,
    ...changes.root,
  };
  const { checks } = await runDiagnostics({
    roots: [root],
    knownBooks: { books: changes.knownBooks ?? 0 },
    watchedFolders: 0,
    dataDir: changes.dataDir ?? path.join(dir, "data"),
    lockProblem: null,
    storeFindings: [],
    rotten: { count: 0, first: [] },
    configWarnings: [],
    broker: { url: "", reach: null },
    newestStoredAt: null,
    now: () => new Date(),
  });
  return (name: string) => checks.find((check) => check.check === name);
}

describe.skipIf(!canMount)("with mounts of its own (needs root and mount)", () => {
  test("a root on a read-only file system is fatal, optional a warning, and stays online", async () => {
    expect(mount("-t", "tmpfs", "-o", "ro", "tmpfs", place)).toBe(true);
    const found = await diagnose({});
    expect(found("root_exists:books")).toMatchObject({ severity: "ok" });
    expect(found("root_writable:books")).toMatchObject({
      severity: "fatal",
      message: expect.stringContaining("its file system is read-only"),
      remedy: "mount it so that it can be written to; optional: true lets it be read as it is",
    });
    expect((await diagnose({ root: { optional: true } }))("root_writable:books")).toMatchObject({
      severity: "warn",
    });
  });

  test("an unmounted disk is told from an emptied library, and its mount point is left alone", async () => {
    expect(mount("-t", "tmpfs", "tmpfs", place)).toBe(true);
    writeFileSync(path.join(place, "book.m4b"), "x");
    expect((await diagnose({ knownBooks: 1 }))("root_writable:books")).toMatchObject({ severity: "ok" });
    spawnSync("umount", [place]);
    expect((await diagnose({ knownBooks: 1 }))("root_exists:books")).toMatchObject({ severity: "fatal" });
    expect(readdirSync(place)).toEqual([]);
  });

  test("a full data folder is a warning, a read-only one is fatal", async () => {
    expect(mount("-t", "tmpfs", "-o", "size=64k,nr_inodes=2", "tmpfs", place)).toBe(true);
    writeFileSync(path.join(place, "last"), "");
    expect((await diagnose({ dataDir: place }))("data_dir_writable")).toMatchObject({
      severity: "warn",
      message: expect.stringContaining("is full"),
    });
    expect((await diagnose({ dataDir: place }))("free_space:data")).toMatchObject({ severity: "warn" });
    spawnSync("umount", [place]);
    expect(mount("-t", "tmpfs", "-o", "ro", "tmpfs", place)).toBe(true);
    expect((await diagnose({ dataDir: place }))("data_dir_writable")).toMatchObject({ severity: "fatal" });
  });
});
