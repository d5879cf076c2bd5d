import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeBenchLibrary } from "../../bench/make-library.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";

/* Whatever kills the runner each time that it does the same must not keep it from all else. */

let dir: string;
let library: string;
let runner: RunningRunner;

beforeAll(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-loop-"));
  library = (await makeBenchLibrary(dir, 20_000)).path;
});
afterAll(async () => {
  await runner.stop();
  rmSync(dir, { recursive: true });
});

/** `interval`: folders between two checkpoints; with very many there is none in the time that a run has. */
async function start(interval: number): Promise<void> {
  runner = await startRunner(["--library", library, "--data", path.join(dir, "data"), "--mqtt-port", "0"], {
    env: {
      TOMEKEEPER_SCAN__ON_STARTUP: "false",
      TOMEKEEPER_SCAN__CHECKPOINT_INTERVAL: String(interval),
    },
  });
}

interface Queue {
  readonly running: readonly { readonly operation_id: string }[];
  readonly counts: { readonly failed: number; readonly completed: number };
}

const isRunning = ({ running }: Queue): boolean => running.length === 1;

test("a scan that is running at three crashes, and comes no further, has failed; others go on, and it can be asked for again", async () => {
  await start(100_000);
  runner.publish("scan", {});
  for (let crash = 1; crash <= 3; crash++) {
    await runner.state("queue", isRunning);
    await runner.kill();
    await start(100_000);
  }
  await runner.state("queue", ({ counts }: Queue) => counts.failed === 1);
  const [answer] = await runner.ask("operations", { state: "failed" });
  const [failed] = answer?.data.items ?? [];
  expect(failed).toMatchObject({ kind: "scan", attempts: 3, error: { code: "internal" } });
  expect(failed.error.message).toContain("3 times in a row");
  const [, other] = await runner.ask("verify");
  expect(other).toMatchObject({ status: "ok" });
  const [, again] = await runner.ask("retry", { operation_id: failed.operation_id });
  expect(again).toMatchObject({ status: "ok", data: { state: "completed", summary: { files: 20_000 } } });
});

test("a scan that comes further each time goes on after any number of crashes", async () => {
  await runner.stop();
  await start(10);
  runner.publish("scan", { force: true });
  for (let crash = 1; crash <= 5; crash++) {
    const { files_done: from } = await runner.state(
      "scan",
      (scan: { files_done: number }) => scan.files_done > 0,
    );
    await runner.state("scan", (scan: { files_done: number }) => scan.files_done > from + 500);
    await runner.kill();
    await start(10);
  }
  await runner.state("queue", ({ counts }: Queue) => counts.completed === 3);
});
