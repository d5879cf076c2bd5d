import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeBenchLibrary } from "../../bench/make-library.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";

/* kill -9 while a scan runs, again and again. KILL_SCAN_FILES=50000 makes the library a large one. */

const fileCount = Number(process.env["KILL_SCAN_FILES"] ?? 8000);
const killsWanted = 10;
/** 100 folders of five files between checkpoints, and what was ahead of the commits. */
const mostReadTwice = 100 * 5 + 1000;

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
  const runner = await startRunner(args, { env: { TOMEKEEPER_SCAN__CHECKPOINT_INTERVAL: "20" } });
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

test("a scan that is killed ten times goes on under its id and ends with the catalogue of an undisturbed one", async () => {
  const undisturbed = await start("undisturbed");
  const startedAt = performance.now();
  await undisturbed.state("scan", hasEnded);
  const wholeMs = performance.now() - startedAt;
  const expected = await wholeCatalogue(undisturbed);
  await undisturbed.stop();

  const operationIds = new Set<string>();
  let kills = 0;
  let resumes = 0;
  let doneBefore = 0;
  let finished = false;
  while (!finished) {
    const runner = await start("killed");
    const first = await runner.state<ScanState>("scan", (scan) => scan.operation_id !== null);
    operationIds.add(first.operation_id ?? "");
    if (first.resumed_from !== null) {
      resumes++;
      expect(doneBefore - first.files_done).toBeLessThanOrEqual(mostReadTwice);
    }
    // A share of the time that all of it takes: far enough for a checkpoint, on slow machines too.
    const delayMs = wholeMs * (0.2 + Math.random() * 0.3);
    if (kills < killsWanted) await new Promise((resolve) => setTimeout(resolve, delayMs));
    const last =
      kills < killsWanted ? await runner.state<ScanState>("scan") : await runner.state("scan", hasEnded);
    finished = hasEnded(last);
    if (!finished) {
      doneBefore = last.files_done;
      kills++;
      await runner.kill();
      continue;
    }
    await runner.state("queue", (queue: { counts: { completed: number } }) => queue.counts.completed > 0);
    const [answer] = await runner.ask("operations", { state: "completed" });
    const scan = answer?.data.items.at(-1);
    expect(operationIds).toEqual(new Set([scan.operation_id]));
    expect(await wholeCatalogue(runner)).toEqual(expected);
    // The other counts may lack what was committed after the last checkpoint before a kill.
    expect(scan.summary).toMatchObject({ missing: 0 });
    await runner.stop();
  }
  expect(kills).toBeGreaterThan(2);
  expect(resumes).toBeGreaterThan(0);
  console.log(`${kills} kills, ${resumes} of the starts after them went on behind a checkpoint`);
}, 600_000);
