import { appendFile, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isIgnoredName } from "../../src/domain/file-kinds.ts";
import { createWatcher, type Watcher, type WatchTrouble } from "../../src/library/watch.ts";
import { createFolderPoll } from "../../src/library/watch-sources.ts";

const timings = { quietMs: 150, mostMs: 2000, standStillMs: 150, pollMs: 50 };

let root: string;
let told: (readonly string[])[];
let troubles: (WatchTrouble | null)[];
let watcher: Watcher;

beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), "tomekeeper-watch-"));
  told = [];
  troubles = [];
  await put("Author/Old/1.mp3");
});
afterEach(async () => {
  await watcher.stop();
  await rm(root, { recursive: true });
});

async function put(file: string, content = "x"): Promise<void> {
  await mkdir(path.dirname(path.join(root, file)), { recursive: true });
  await writeFile(path.join(root, file), content);
}

async function watch(kind: "library" | "inbox", change: object = {}): Promise<void> {
  watcher = createWatcher({
    roots: [{ id: "r", path: root, kind, watch: true, ...change }],
    isLeftOut: (_folder, name) => isIgnoredName(name),
    onChanged: (_id, folders) => told.push(folders),
    onTrouble: (_id, trouble) => troubles.push(trouble),
    timings,
  });
  await watcher.setOnline("r", true);
  await delay(50);
}

/** All that is told until nothing was for a while. */
async function heard(): Promise<readonly (readonly string[])[]> {
  const begunMs = Date.now();
  while (told.length === 0 && Date.now() - begunMs < 10_000) await delay(20);
  await delay(500);
  return told;
}

describe.each(["library", "inbox"] as const)("a watched %s", (kind) => {
  beforeEach(() => watch(kind));

  test("tells the folder of a new file", async () => {
    await put("Author/Old/2.mp3");
    expect(await heard()).toEqual([["Author/Old"]]);
  });

  test("tells a file that is copied slowly once, after it is whole", async () => {
    await put("New/Book/1.mp3");
    for (let i = 0; i < 15; i++) {
      await delay(80);
      await appendFile(path.join(root, "New/Book/1.mp3"), "more");
      expect(told).toEqual([]);
    }
    expect((await heard()).map((folders) => folders.join())).toEqual(["New"]);
  });

  test("tells a download that comes file by file, in several folders, once", async () => {
    for (let i = 0; i < 12; i++) {
      await put(`Series/CD${1 + (i % 3)}/${i}.mp3`);
      await delay(40);
    }
    expect(await heard()).toEqual([["Series"]]);
  });

  test("misses nothing in a tree that is made at once", async () => {
    await Promise.all(Array.from({ length: 40 }, (_, i) => put(`Deep/a/b/c${i % 4}/d/${i}.mp3`)));
    await heard();
    told = [];
    await put("Deep/a/b/c2/d/late.mp3");
    expect(await heard()).toEqual([["Deep/a/b/c2/d"]]);
  });

  test("tells the folder that held what was renamed or is gone", async () => {
    await rename(path.join(root, "Author/Old"), path.join(root, "Author/Other"));
    expect(await heard()).toEqual([["Author"]]);
    told = [];
    await put("Author/Other/2.mp3");
    expect(await heard()).toEqual([["Author/Other"]]);
    told = [];
    await rm(path.join(root, "Author"), { recursive: true });
    expect(await heard()).toEqual([[""]]);
  });

  test("passes over partial downloads until they have their name, and hidden files", async () => {
    await put("Author/Old/2.mp3.part");
    await put("Author/Old/.hidden.mp3");
    await delay(700);
    expect(told).toEqual([]);
    await rename(path.join(root, "Author/Old/2.mp3.part"), path.join(root, "Author/Old/2.mp3"));
    expect(await heard()).toEqual([["Author/Old"]]);
  });

  test("tells many folders as the one that holds them", async () => {
    for (let i = 0; i < 60; i++) await put(`Author/Book ${i}/1.mp3`);
    expect((await heard()).flat()).toEqual(["Author"]);
  });

  test("is silent about what the runner itself did", async () => {
    await put("Author/New/1.mp3");
    await delay(30);
    watcher.forget("r", ["Author/New"]);
    await put("Author/New/2.mp3");
    await delay(700);
    expect(told).toEqual([]);
    await put("Elsewhere/1.mp3");
    expect(await heard()).toEqual([["Elsewhere"]]);
  });

  test("ends and begins again with its disk, and stops with events under way", async () => {
    await watcher.setOnline("r", false);
    await put("Author/Old/2.mp3");
    await delay(500);
    expect(told).toEqual([]);
    await watcher.setOnline("r", true);
    await put("Author/Old/3.mp3");
    expect(await heard()).toEqual([["Author/Old"]]);
    await put("Author/Old/4.mp3");
    await watcher.stop();
    told = [];
    await delay(500);
    expect(told).toEqual([]);
  });
});

test("a root that is not to be watched is not", async () => {
  await watch("inbox", { watch: false });
  await put("Author/Old/2.mp3");
  await delay(600);
  expect(told).toEqual([]);
});

test("polling finds new, changed and vanished folders, and nothing where nothing is", async () => {
  await watch("inbox", { watch: false });
  const folders: string[] = [];
  const poll = createFolderPoll(
    {
      path: root,
      isLeftOut: (_folder, name) => isIgnoredName(name),
      onFolder: (folder) => folders.push(folder),
    },
    30,
  );
  await poll.start();
  try {
    await delay(200);
    expect(folders).toEqual([]);
    await put("Author/Old/2.mp3");
    await put("New/Book/1.mp3");
    await rm(path.join(root, "Author/Old"), { recursive: true });
    await delay(300);
    expect(new Set(folders)).toEqual(new Set(["", "Author", "New", "New/Book"]));
  } finally {
    await poll.stop();
  }
});
