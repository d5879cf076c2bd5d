import { mkdtempSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeBenchLibrary } from "../../bench/make-library.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";

/* kill -9 while a scan runs, again and again. KILL_SCAN_FILES=50000 makes the library a large one. */

const fileCount = Number(process.env["KILL_SCAN_FILES"] ?? 8000);
const killsWanted = 10;
const checkpointInterval = 20;
const filesPerFolder = 5;
/** What lies between two checkpoints, and what was read ahead of the commits. */
const mostReadTwice = checkpointInterval * filesPerFolder + 1000;

interface ScanState {
  readonly state: string;
  readonly operation_id: string | null;
  readonly resumed_from: string | null;
  readonly files_done: number;
}

let dir: string;
let libraryPath: string;
const runners: RunningRunner[] = [];

beforeAll(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-kill-"));
  libraryPath = (await makeBenchLibrary(dir, fileCount)).path;
}, 300_000);
afterAll(async () => {
  for (const runner of runners) await runner.kill();
  rmSync(dir, { recursive: true, force: true });
});

async function start(data: string): Promise<RunningRunner> {
  const args = ["--library", libraryPath, "--data", path.join(dir, data), "--mqtt-port", "0"];
  const runner = await startRunner(args, {
    env: { TOMEKEEPER_SCAN__CHECKPOINT_INTERVAL: String(checkpointInterval) },
  });
  runners.push(runner);
  return runner;
}

const hasEnded = (scan: ScanState) => scan.state === "idle" && scan.operation_id !== null;

async function wholeCatalogue(runner: RunningRunner): Promise<readonly unknown[]> {
  const books: unknown[] = [];
  for (let offset = 0; ; offset += 200) {
    const [answer] = await runner.ask("query", { limit: 200, offset, sort: "title" });
    const items: Record<string, unknown>[] = answer?.data.items;
    if (items.length === 0) break;
    // What differs from run to run by its nature.
    books.push(...items.map(({ id: _, added_at, changed_at, ...book }) => book));
  }
  return books.map((book) => JSON.stringify(book)).sort();
}

/** Resolves when the checkpoints' file grows. */
async function checkpointSaved(data: string): Promise<void> {
  const file = path.join(dir, data, "checkpoints.db");
  const before = statSync(file).size;
  const giveUpAt = Date.now() + 30_000;
  while (statSync(file).size <= before) {
    if (Date.now() > giveUpAt) throw new Error("no checkpoint was saved within 30 s");
    await setTimeout(1);
  }
}

function lastScan(runner: RunningRunner): ScanState {
  const message = runner.messages.findLast(({ topic }) => topic === `${runner.base}/scan`);
  return JSON.parse(message?.payload ?? "{}");
}

/** Of the only scan that there was, without what differs from run to run by its nature. */
async function scanSummary(runner: RunningRunner): Promise<Record<string, unknown>> {
  await runner.state("queue", (queue: { counts: { completed: number } }) => queue.counts.completed > 0);
  const [answer] = await runner.ask("operations", {});
  expect(answer?.data.items).toHaveLength(1);
  const { seconds: _, resumed_from: __, ...summary } = answer?.data.items[0]?.summary ?? {};
  return summary;
}

test("a scan that is killed ten times goes on under its id and ends with the catalogue of an undisturbed one", async () => {
  const undisturbed = await start("undisturbed");
  const startedAt = performance.now();
  await undisturbed.state("scan", hasEnded);
  const wholeMs = performance.now() - startedAt;
  const expected = { books: await wholeCatalogue(undisturbed), summary: await scanSummary(undisturbed) };
  await undisturbed.stop();

  const operationIds = new Set<string>();
  const moments: string[] = [];
  let resumes = 0;
  for (let kills = 0; kills < killsWanted; kills++) {
    const runner = await start("killed");
    const first = await runner.state<ScanState>("scan", (scan) => scan.operation_id !== null);
    operationIds.add(first.operation_id ?? "");
    if (first.resumed_from !== null) resumes++;
    // Each start gets behind a checkpoint, and ten of them stay within what the whole scan takes.
    await checkpointSaved("killed");
    const delayMs = (wholeMs / 14) * Math.random();
    await setTimeout(delayMs);
    await runner.kill();
    const last = lastScan(runner);
    expect(last.state, `the scan ended before kill ${kills + 1}`).not.toBe("idle");
    moments.push(`${last.files_done} files after ${delayMs.toFixed(0)} ms`);
  }
  console.log(`killed at ${moments.join(", ")}; ${resumes} starts went on behind a checkpoint`);

  const runner = await start("killed");
  const { operation_id: id } = await runner.state("scan", hasEnded);
  expect(operationIds).toEqual(new Set([id]));
  expect(await wholeCatalogue(runner)).toEqual(expected.books);
  const summary = await scanSummary(runner);
  const filesRead = Number(summary["files_read"]);
  expect(summary).toEqual({ ...expected.summary, files_read: filesRead });
  expect(filesRead).toBeGreaterThan(0);
  expect(filesRead).toBeLessThanOrEqual(fileCount + killsWanted * mostReadTwice);
  await runner.stop();
  expect(resumes).toBe(killsWanted - 1);
}, 600_000);
