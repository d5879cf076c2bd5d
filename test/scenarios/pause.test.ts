import { createHash } from "node:crypto";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeBenchLibrary } from "../../bench/make-library.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";

/*
 * Paused in the middle of its work, killed, started again and resumed. PAUSE_SCAN_FILES=50000 makes the library of the
 * scan a large one.
 */

const scanFiles = Number(process.env["PAUSE_SCAN_FILES"] ?? 8000);

interface Queue {
  readonly state: string;
  readonly running: readonly {
    readonly operation_id: string;
    readonly kind: string;
    readonly percent: number;
  }[];
  readonly waiting: readonly { readonly operation_id: string; readonly reason: string }[];
  readonly counts: { readonly completed: number };
}

let dir: string;
let runner: RunningRunner;

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-pause-"));
});
afterEach(async () => {
  await runner.stop();
  rmSync(dir, { recursive: true });
});

async function start(args: readonly string[]): Promise<void> {
  runner = await startRunner([...args, "--data", path.join(dir, "data"), "--mqtt-port", "0"], {
    env: { TOMEKEEPER_SCAN__ON_STARTUP: "false", TOMEKEEPER_SCAN__CHECKPOINT_INTERVAL: "20" },
  });
}

/** Files below the folder that the runner holds open. */
function openFiles(folder: string): readonly string[] {
  const fds = `/proc/${runner.pid}/fd`;
  return readdirSync(fds).flatMap((fd) => {
    try {
      const target = readlinkSync(path.join(fds, fd));
      return target.startsWith(`${folder}/`) ? [target] : [];
    } catch {
      return [];
    }
  });
}

/** Pauses, and says how long it took until nothing ran any more. */
async function pause(): Promise<number> {
  const begunMs = Date.now();
  const [answer] = await runner.ask("pause");
  expect(answer).toMatchObject({ status: "ok", data: { state: "paused" } });
  await runner.state("queue", (queue: Queue) => queue.state === "paused" && queue.running.length === 0);
  return Date.now() - begunMs;
}

async function operation(id: string) {
  const [answer] = await runner.ask("operations", { limit: 50 });
  return answer?.data.items.find((each: { readonly operation_id: string }) => each.operation_id === id);
}

test("a scan parks, stays parked over kill -9, and finishes as if nothing had been", async () => {
  const { path: library } = await makeBenchLibrary(dir, scanFiles);
  await start(["--library", library]);
  runner.publish("scan", {});
  const { operation_id: id } = await runner.state(
    "scan",
    (scan: { readonly files_done: number; readonly operation_id: string }) => scan.files_done > scanFiles / 4,
  );
  const tookMs = await pause();
  console.log(`the scan parked after ${tookMs} ms`);
  expect((await runner.state("scan")).state).toBe("paused");
  expect(openFiles(library)).toEqual([]);
  expect(await operation(id)).toMatchObject({ state: "waiting" });
  await runner.kill();
  await start(["--library", library]);
  const queue: Queue = await runner.state("queue", ({ state }: Queue) => state === "paused");
  expect(queue).toMatchObject({ running: [], waiting: [{ operation_id: id, reason: "paused" }] });
  await runner.ask("resume");
  await runner.state("queue", ({ counts }: Queue) => counts.completed === 1);
  const { state, attempts, summary } = await operation(id);
  expect({ state, attempts }).toEqual({ state: "completed", attempts: 1 });
  expect(summary).toMatchObject({ files: scanFiles, missing: 0, problem_count: 0 });
  expect(summary.resumed_from).not.toBeNull();
  const [answer] = await runner.ask("query", { limit: 1 });
  expect(answer?.data.total).toBe(summary.books);
  expect(summary.added).toBe(summary.books);
}, 300_000);

test("a batch of copies parks, keeps what it has over kill -9, and goes on from there", async () => {
  const { path: inbox } = await makeBenchLibrary(dir, 400);
  for (const file of filesIn(inbox)) appendFileSync(file, Buffer.alloc(4 * 1024 * 1024, file));
  const books = path.join(dir, "books");
  mkdirSync(books);
  const roots = ["--library", books, "--inbox", inbox];
  await start(roots);
  await runner.ask("scan");
  const before = hashesOf(inbox);
  runner.publish("organize", { strategy: "copy" });
  const { operation_id: id } = await runner.state(
    "organize",
    (organize: { readonly files_done: number; readonly operation_id: string }) => organize.files_done >= 40,
  );
  const tookMs = await pause();
  console.log(`the batch parked after ${tookMs} ms`);
  expect((await runner.state("organize")).state).toBe("paused");
  expect(openFiles(dir).filter((file) => !file.startsWith(path.join(dir, "data")))).toEqual([]);
  const placed = inodesOf(books);
  expect(placed.size).toBeGreaterThanOrEqual(40);
  expect(placed.size).toBeLessThan(400);
  expect([...placed.keys()].filter((file) => file.endsWith(".part"))).toEqual([]);
  await runner.kill();
  await start(roots);
  await runner.state("queue", ({ state }: Queue) => state === "paused");
  expect(inodesOf(books)).toEqual(placed);
  await runner.ask("resume");
  await runner.state("queue", ({ counts }: Queue) => counts.completed === 3);
  expect(await operation(id)).toMatchObject({ state: "completed", attempts: 1, summary: { files: 400 } });
  const after = inodesOf(books);
  for (const [file, inode] of placed) expect(after.get(file), file).toBe(inode);
  expect([...hashesOf(books).values()].sort()).toEqual([...before.values()].sort());
  expect(hashesOf(inbox)).toEqual(before);
  const [accepted, undone] = await runner.ask("undo");
  expect(accepted?.status).toBe("accepted");
  expect(undone).toMatchObject({ status: "ok" });
  expect(filesIn(books)).toEqual([]);
}, 300_000);

test("a parked batch that is cancelled is taken back", async () => {
  const { path: inbox } = await makeBenchLibrary(dir, 200);
  for (const file of filesIn(inbox)) appendFileSync(file, Buffer.alloc(4 * 1024 * 1024, file));
  const books = path.join(dir, "books");
  mkdirSync(books);
  await start(["--library", books, "--inbox", inbox]);
  await runner.ask("scan");
  runner.publish("organize", { strategy: "copy" });
  const { operation_id: id } = await runner.state(
    "organize",
    (organize: { readonly files_done: number; readonly operation_id: string }) => organize.files_done >= 20,
  );
  await pause();
  expect(filesIn(books).length).toBeGreaterThan(0);
  const [answer] = await runner.ask("cancel", { operation_id: id });
  expect(answer).toMatchObject({ status: "ok", data: { state: "cancelled" } });
  expect(filesIn(books)).toEqual([]);
  expect(filesIn(inbox)).toHaveLength(200);
}, 300_000);

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

function inodesOf(folder: string): ReadonlyMap<string, number> {
  return new Map(filesIn(folder).map((file) => [file, statSync(file).ino]));
}

function hashesOf(folder: string): ReadonlyMap<string, string> {
  return new Map(
    filesIn(folder).map((file) => [file, createHash("sha256").update(readFileSync(file)).digest("hex")]),
  );
}
