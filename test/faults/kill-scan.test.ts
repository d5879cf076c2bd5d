import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeBenchLibrary } from "../../bench/make-library.ts";
import { openStore, type Store } from "../../src/store/open.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";

/*
 * kill -9 at ten moments spread at random over one scan. KILL_SCAN_FILES=50000 makes the library a large one,
 * KILL_SCAN_SEED takes the moments of an earlier run again.
 */

const fileCount = Number(process.env["KILL_SCAN_FILES"] ?? 8000);
const seed = Number(process.env["KILL_SCAN_SEED"] ?? Date.now() % 2 ** 31);
const killCount = 10;
const checkpointInterval = 20;
const tracksPerBook = 5;
/** The folders of one checkpoint interval, 512 files read ahead of the commits and a batch of the walk's folders. */
const mostReadTwice = (checkpointInterval + 64) * tracksPerBook + 512;

interface ScanState {
  readonly state: string;
  readonly operation_id: string | null;
  readonly resumed_from: string | null;
  readonly files_done: number;
}

let dir: string;
let libraryPath: string;
let runner: RunningRunner | null = null;

beforeAll(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-kill-"));
  libraryPath = (await makeBenchLibrary(dir, fileCount)).path;
}, 300_000);
afterAll(async () => {
  await runner?.kill();
  rmSync(dir, { recursive: true, force: true });
});

const at = (name: string) => path.join(dir, name);

/** Starts a runner on the data folder; which files it reads goes to `<data>.reads-<run>`. */
async function start(data: string, run: number): Promise<RunningRunner> {
  runner = await startRunner(["--library", libraryPath, "--data", at(data), "--mqtt-port", "0"], {
    env: {
      TOMEKEEPER_SCAN__CHECKPOINT_INTERVAL: String(checkpointInterval),
      NODE_OPTIONS: `--import=${path.join(import.meta.dirname, "log-reads.mjs")}`,
      LOG_READS_OF: libraryPath,
      LOG_READS_TO: at(`${data}.reads-${run}`),
    },
  });
  return runner;
}

function readsOf(data: string, run: number): readonly string[] {
  const file = at(`${data}.reads-${run}`);
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
}

/** How many files the newest checkpoint covers, seen from beside the runner that is saving it. */
function filesSaved(data: string): number {
  const text = readFileSync(path.join(at(data), "checkpoints.db"), "latin1");
  return Number([...text.matchAll(/\\"files\\":(\d+),/g)].at(-1)?.[1] ?? 0);
}

/** Waits for the scan to end well and stops the runner. */
async function endOf(scanning: RunningRunner): Promise<Record<string, unknown>> {
  type Counts = { readonly counts: { readonly completed: number } };
  await scanning.state<Counts>("queue", ({ counts }) => counts.completed > 0, 300_000);
  const [answer] = await scanning.ask("operations", {});
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

/** What a killed runner left, seen in a copy: the next start shall find it as it was. */
async function leftBehind(data: string, operationId: string) {
  cpSync(at(data), at("copy"), { recursive: true });
  const left = await inStore(at("copy"), ({ catalogue, checkpoints }) => ({
    checkpoint: checkpoints.load(operationId)?.checkpoint,
    committed: catalogue.committedBy(operationId),
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
    for (const { path: unitPath, ...unit } of catalogue.unitsAfter("library", null, fileCount)) {
      const entries = catalogue.unitEntries("library", unitPath);
      lines.push(JSON.stringify({ unitPath, ...unit, entries }));
      for (const { id } of catalogue.unitBooks("library", unitPath)) {
        lines.push(JSON.stringify({ ...catalogue.book(id), id: null, addedAt: null, changedAt: null }));
      }
    }
    return lines;
  });
}

test(`a scan of ${fileCount} files that is killed ten times ends as an undisturbed one`, async () => {
  console.log(`KILL_SCAN_SEED=${seed}`);
  const undisturbed = await endOf(await start("undisturbed", 0));
  const expected = await contentOf("undisturbed");

  const moment = fc.record({
    permille: fc.integer({ min: 5, max: 900 }),
    waitMs: fc.integer({ min: 0, max: 50 }),
  });
  const moments = fc
    .sample(fc.noBias(moment), { seed, numRuns: killCount })
    .sort((a, b) => a.permille - b.permille);
  const readBefore = new Set<string>();
  let readTwice = 0;
  let operationId: string | null = null;
  let left: Awaited<ReturnType<typeof leftBehind>> | null = null;

  /** Starts the runner again and sees that the scan goes on where the last checkpoint says. */
  async function goOn(run: number): Promise<RunningRunner> {
    const started = await start("killed", run);
    const first = await started.state<ScanState>("scan", (scan) => scan.operation_id !== null);
    operationId ??= first.operation_id;
    expect(first.operation_id).toBe(operationId);
    expect(first.resumed_from).toBe(left?.checkpoint?.cursor ?? null);
    expect(first.files_done).toBeGreaterThanOrEqual(left?.checkpoint?.counts.files ?? 0);
    return started;
  }

  function countReads(run: number): number {
    const reads = readsOf("killed", run);
    const again = reads.filter((file) => readBefore.has(file)).length;
    for (const file of reads) readBefore.add(file);
    expect(again).toBeLessThanOrEqual(mostReadTwice);
    readTwice += again;
    return again;
  }

  for (const [run, { permille, waitMs }] of moments.entries()) {
    const started = await goOn(run);
    const savedBefore = left?.checkpoint?.counts.files ?? 0;
    const wanted = Math.max((permille / 1000) * fileCount, savedBefore + 1);
    while (filesSaved("killed") < wanted) await delay(1);
    await delay(waitMs);
    await started.kill();
    left = await leftBehind("killed", operationId ?? "");
    expect(left.checkpoint?.counts.files).toBeGreaterThan(savedBefore);
    const again = countReads(run);
    console.log(
      `kill ${run + 1}: ${waitMs} ms after the checkpoint at ${Math.ceil(wanted)} files; left with one at ` +
        `${left.checkpoint?.counts.files} and ${left.committed.filesRead} committed; ${again} had been read before`,
    );
  }

  const operation = await endOf(await goOn(killCount));
  const again = countReads(killCount);
  console.log(`after the last kill ${again} files were read again, ${readTwice} over all`);
  expect(operation["operation_id"]).toBe(operationId);
  expect(readBefore.size).toBe(fileCount);
  expect(operation["summary"]).toEqual({
    ...(undisturbed["summary"] as object),
    seconds: expect.any(Number),
    resumed_from: left?.checkpoint?.cursor,
  });
  const found = await contentOf("killed");
  expect(found).toHaveLength(expected.length);
  expect(found.filter((line, index) => line !== expected[index])).toEqual([]);
}, 900_000);
