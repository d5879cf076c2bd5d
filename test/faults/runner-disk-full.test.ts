import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeLibrary } from "../../src/demo/make-library.ts";
import { openStore } from "../../src/store/open.ts";
import { operation } from "../contracts/operation-store.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";
import { canMountTmpfs } from "./tmpfs.ts";

let dir: string;
let disk: string;
let libraryPath: string;
let runner: RunningRunner;

beforeEach(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-full-"));
  disk = path.join(dir, "disk");
  mkdirSync(disk);
  spawnSync("mount", ["-t", "tmpfs", "-o", "size=16m", "tmpfs", disk]);
  ({ libraryPath } = await makeLibrary(dir));
});
afterEach(async () => {
  await runner.kill();
  spawnSync("umount", [disk]);
  rmSync(dir, { recursive: true });
});

async function start(): Promise<void> {
  const args = ["--library", libraryPath, "--data", path.join(disk, "data"), "--mqtt-port", "0"];
  const env = { TOMEKEEPER_SCAN__ON_STARTUP: "false", TOMEKEEPER_QUEUE__RETRY__SCAN__FIRST_SECONDS: "1" };
  runner = await startRunner(args, { env });
}

function fill(): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(path.join(disk, "ballast"), Buffer.alloc(bavail * bsize));
}

function freeAll(): void {
  rmSync(path.join(disk, "ballast"));
}

let lastTransaction = 0;

/** Scans until the command itself is refused; the transactions of those that were accepted, and of that one. */
async function scanUntilRefused(): Promise<{ accepted: readonly string[]; refused: string; error: unknown }> {
  const accepted: string[] = [];
  for (;;) {
    const transaction = `scan-${lastTransaction++}`;
    const answers = await runner.ask("scan", { transaction });
    if (answers[0]?.status === "error") return { accepted, refused: transaction, error: answers[0].error };
    accepted.push(transaction);
  }
}

interface Diagnostics {
  readonly checks: readonly { readonly check: string; readonly severity: string }[];
}

/** The checks of the store that are not well. */
const badStores = ({ checks }: Diagnostics) =>
  checks.filter(({ check, severity }) => check.startsWith("store_schema") && severity !== "ok");

describe.skipIf(!canMountTmpfs)("a runner whose data folder's disk is full (needs root and mount)", () => {
  test("refuses commands for now, answers queries, and takes commands again when there is space", async () => {
    await start();
    expect((await runner.ask("scan")).at(-1)).toMatchObject({
      status: "ok",
      data: { summary: { missing: 0 } },
    });
    const [before] = await runner.ask("query");
    fill();
    const { accepted, refused, error } = await scanUntilRefused();
    expect(error).toMatchObject({ code: "read_only", retryable: true });
    const [, full] = await Promise.all([
      runner.state<Diagnostics>("diagnostics", (diagnostics) => badStores(diagnostics).length > 0),
      runner.ask("scan").then((answers) => answers.at(-1)),
    ]);
    expect(full).toMatchObject({ status: "error", error: { code: "read_only", retryable: true } });
    expect((await runner.ask("query"))[0]?.data.items).toEqual(before?.data.items);

    freeAll();
    await delay(1100);
    // The refused transaction is not used up.
    const again = await runner.ask("scan", { transaction: refused });
    expect(again.map(({ status }) => status)).toEqual(["accepted", "ok"]);
    expect((await runner.ask("diagnose"))[0]?.data.checks).toContainEqual(
      expect.objectContaining({ check: "store_schema", severity: "ok" }),
    );
    await runner.state<Diagnostics>("diagnostics", (diagnostics) => badStores(diagnostics).length === 0);

    await runner.kill();
    await start();
    const [operations] = await runner.ask("operations", { limit: 200 });
    const known = operations?.data.items.map((operation: { transaction: string }) => operation.transaction);
    expect(known).toEqual(expect.arrayContaining([...accepted, refused]));
  });

  test("starts, answers queries, and takes commands when there is space", async () => {
    await start();
    await runner.ask("scan");
    const [before] = await runner.ask("query");
    fill();
    await scanUntilRefused();
    await runner.kill();
    await start();
    expect((await runner.ask("query"))[0]?.data.items).toEqual(before?.data.items);
    const [refused] = await runner.ask("scan");
    expect(refused).toMatchObject({ status: "error", error: { code: "read_only", retryable: true } });
    freeAll();
    await delay(1100);
    expect((await runner.ask("scan")).at(-1)).toMatchObject({ status: "ok" });
    await runner.state<Diagnostics>("diagnostics", (diagnostics) => badStores(diagnostics).length === 0);
  });

  test("starts with a scan that was interrupted, which waits with the reason, and goes on when there is space", async () => {
    const store = await openStore({ dataDir: path.join(disk, "data"), now: () => new Date() });
    const input = { root_id: "audiobooks", path: "", force: false };
    const interrupted = operation({ state: "running", attempts: 1, scopes: ["audiobooks:/"], input });
    await store.operations.put(interrupted);
    await store.close();
    fill();
    await start();
    const found = async () => {
      const [answer] = await runner.ask("operations");
      return answer?.data.items.find(
        ({ operation_id }: { operation_id: string }) => operation_id === interrupted.id,
      );
    };
    await expect
      .poll(found, { interval: 20 })
      .toMatchObject({ state: "waiting", error: { code: "read_only", retryable: true } });
    freeAll();
    await expect.poll(found, { timeout: 10_000 }).toMatchObject({ state: "completed" });
    expect((await runner.ask("query"))[0]?.data.total).toBeGreaterThan(0);
    await runner.kill();
    await start();
    expect(await found()).toMatchObject({ state: "completed" });
  });
});
