import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeBenchLibrary } from "../../bench/make-library.ts";
import { openStore, type Store } from "../../src/store/open.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";

/*
 * kill -9 at ten moments spread at random over one scan, and at up to two more around its end. KILL_SCAN_FILES=50000
 * makes the library a large one, KILL_SCAN_SEED takes the moments of an earlier run again.
 */

const fileCount = Number(process.env["KILL_SCAN_FILES"] ?? 8000);
const seed = Number(process.env["KILL_SCAN_SEED"] ?? Date.now() % 2 ** 31);
const killCount = 10;
const checkpointInterval = 20;
const tracksPerBook = 5;
/** The folders of one checkpoint interval, a batch of the walk's (64), and the 512 files that are read ahead. */
const mostReadTwice = (checkpointInterval + 64) * tracksPerBook + 512;

interface ScanState {
  readonly state: string;
  readonly operation_id: string | null;
  readonly resumed_from: string | null;
  readonly files_done: number;
}

/** Some time after the checkpoint that covers so many files: anywhere between it, the next commits and theirs. */
interface Moment {
  readonly files: number;
  readonly waitMs: number;
}

let dir: string;
let libraryPath: string;
let runner: RunningRunner | null = null;
/** What happened at each kill, told at the end. */
const story = [`KILL_SCAN_SEED=${seed} KILL_SCAN_FILES=${fileCount}`];

beforeAll(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-kill-"));
  libraryPath = (await makeBenchLibrary(dir, fileCount)).path;
}, 300_000);
afterAll(async () => {
  console.log(story.join("\n"));
  await runner?.kill();
  rmSync(dir, { recursive: true, force: true });
});

const at = (name: string) => path.join(dir, name);

function momentsBetween(from: number, to: number, longestWaitMs: number, count: number): readonly Moment[] {
  const moment = fc.record({
    files: fc.integer({ min: Math.ceil(from * fileCount), max: Math.floor(to * fileCount) }),
    waitMs: fc.integer({ min: 0, max: longestWaitMs }),
  });
  const moments = fc.sample(fc.noBias(moment), { seed, numRuns: count });
  return moments.toSorted((a, b) => a.files - b.files);
}

/** Starts a runner on the data folder; which files it reads goes to `<data>.reads-<run>`. */
async function start(data: string, run: number): Promise<RunningRunner> {
  runner = await startRunner(["--library", libraryPath, "--data", at(data), "--mqtt-port", "0"], {
    env: {
      TOMEKEEPER_SCAN__ON_STARTUP: "false",
      TOMEKEEPER_SCAN__CHECKPOINT_INTERVAL: String(checkpointInterval),
      NODE_OPTIONS: `--import=${path.join(import.meta.dirname, "log-reads.mjs")}`,
      LOG_READS_OF: libraryPath,
      LOG_READS_TO: at(`${data}.reads-${run}`),
    },
  });
  if (run === 0) runner.publish("scan", {});
  return runner;
}

function readsOf(data: string, run: number): readonly string[] {
  return readFileSync(at(`${data}.reads-${run}`), "utf8")
    .split("\n")
    .filter((file) => file !== "");
}

/** How many files the newest checkpoint covers, seen from beside the runner that saves it. */
function filesSaved(data: string): number {
  const text = readFileSync(path.join(at(data), "checkpoints.db"), "latin1");
  return Number([...text.matchAll(/\\"files\\":(\d+),/g)].at(-1)?.[1] ?? 0);
}

/** Waits until the one scan there is has ended, and stops the runner. */
async function endOf(scanning: RunningRunner): Promise<Record<string, unknown>> {
  type Counts = { readonly counts: { readonly completed: number } };
  await scanning.state<Counts>("queue", ({ counts }) => counts.completed > 0, 300_000);
  const [answer] = await scanning.ask("operations");
  expect(answer?.data).toMatchObject({ total: 1 });
  expect(await scanning.stop()).toBe(0);
  return answer?.data.items[0];
}

async function inStore<T>(folder: string, look: (store: Store) => T): Promise<T> {
  const store = await openStore({ dataDir: folder, now: () => new Date() });
  try {
    return look(store);
  } finally {
    await store.close();
  }
}

/** What a killed runner left, seen in a copy: the next start shall find it as it is. */
async function leftBy(data: string, operationId: string) {
  cpSync(at(data), at("copy"), { recursive: true });
  const left = await inStore(at("copy"), ({ operations, catalogue, checkpoints }) => ({
    state: operations.get(operationId)?.state,
    cursor: checkpoints.load(operationId)?.checkpoint.cursor ?? null,
    filesSaved: checkpoints.load(operationId)?.checkpoint.counts.files ?? 0,
    filesCommitted: catalogue.committedBy(operationId).filesRead,
  }));
  rmSync(at("copy"), { recursive: true });
  return left;
}

/** Everything in the catalogue but what differs from run to run by its nature. */
async function contentOf(data: string): Promise<readonly string[]> {
  return await inStore(at(data), ({ catalogue, issues }) => {
    expect(issues).toEqual([]);
    const { roots: _, ...totals } = catalogue.totals();
    const lines = [JSON.stringify({ ...totals, lastScan: null })];
    for (const unit of catalogue.unitsAfter("library", null, fileCount)) {
      lines.push(JSON.stringify({ unit, entries: catalogue.unitEntries("library", unit.path) }));
      for (const { id } of catalogue.unitBooks("library", unit.path)) {
        lines.push(JSON.stringify({ ...catalogue.book(id), id: null, addedAt: null, changedAt: null }));
      }
    }
    return lines;
  });
}

test(`a scan of ${fileCount} files that is killed ten times ends as an undisturbed one`, async () => {
  const undisturbed = await endOf(await start("undisturbed", 0));
  const expected = await contentOf("undisturbed");

  // A kill that comes late must still come before the end.
  const sure = momentsBetween(0.005, 0.65, 50, killCount);
  const late = momentsBetween(0.95, 1, Math.ceil(fileCount / 200), 2);
  const readBefore = new Set<string>();
  let readTwice = 0;
  let operationId: string | null = null;
  let left: Awaited<ReturnType<typeof leftBy>> = {
    state: undefined,
    cursor: null,
    filesSaved: 0,
    filesCommitted: 0,
  };
  let run = 0;

  /** Starts the runner again and sees that the scan goes on where its last checkpoint says. */
  async function goOn(): Promise<RunningRunner> {
    const started = await start("killed", run);
    if (left.state === "completed") return started;
    const first = await started.state<ScanState>("scan", (scan) => scan.operation_id !== null);
    operationId ??= first.operation_id;
    expect(first.operation_id).toBe(operationId);
    expect(first.resumed_from).toBe(left.cursor);
    expect(first.files_done).toBeGreaterThanOrEqual(left.filesSaved);
    return started;
  }

  function readAgain(): number {
    const reads = readsOf("killed", run);
    const again = reads.filter((file) => readBefore.has(file)).length;
    for (const file of reads) readBefore.add(file);
    readTwice += again;
    expect(again).toBeLessThanOrEqual(mostReadTwice);
    return again;
  }

  async function killAt({ files, waitMs }: Moment): Promise<void> {
    const before = left.filesSaved;
    const started = await goOn();
    while (filesSaved("killed") < Math.min(Math.max(files, before + 1), fileCount)) await delay(1);
    await delay(waitMs);
    await started.kill();
    left = await leftBy("killed", operationId ?? "");
    story.push(
      `kill ${run + 1}, ${waitMs} ms after a checkpoint beyond ${files} files: ${left.state}, saved up to ` +
        `${left.filesSaved}, ${left.filesCommitted} committed, ${readAgain()} read again in this run`,
    );
    run++;
    if (run > killCount) return;
    expect(left.state).toBe("running");
    expect(left.filesSaved).toBeGreaterThan(before);
  }

  for (const moment of sure) await killAt(moment);
  // A late one may find that the scan has ended.
  for (const moment of late) if (left.state !== "completed") await killAt(moment);
  const operation = await endOf(await goOn());
  story.push(`${readAgain()} read again in the last run, ${readTwice} in all`);
  expect(operation["operation_id"]).toBe(operationId);
  expect(operation["summary"]).toEqual({
    ...Object(undisturbed["summary"]),
    seconds: expect.any(Number),
    resumed_from: expect.any(String),
  });
  expect(readBefore.size).toBe(fileCount);
  const found = await contentOf("killed");
  expect(found).toHaveLength(expected.length);
  expect(found.filter((line, index) => line !== expected[index])).toEqual([]);
}, 900_000);
