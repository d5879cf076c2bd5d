import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { connectAsync } from "mqtt";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeLibrary } from "../../src/demo/make-library.ts";
import { openStore } from "../../src/store/open.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";

/* Start, stop, kill and come back, as a user's machine does it. */

const main = path.resolve(import.meta.dirname, "../../src/main.ts");
let dir: string;
let args: readonly string[];
let runners: RunningRunner[];

beforeEach(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-lifecycle-"));
  const { libraryPath } = await makeLibrary(dir);
  args = ["--library", libraryPath, "--data", path.join(dir, "data"), "--mqtt-port", "0"];
  runners = [];
}, 60_000);
afterEach(async () => {
  for (const runner of runners) await runner.kill();
  rmSync(dir, { recursive: true, force: true });
});

async function start(...more: readonly string[]): Promise<RunningRunner> {
  const runner = await startRunner([...args, ...more]);
  runners.push(runner);
  return runner;
}

async function command(
  ...given: readonly string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [main, ...given]);
    return { code: 0, stdout, stderr };
  } catch (error) {
    const failed = error as { code: number; stdout: string; stderr: string };
    return { code: failed.code, stdout: failed.stdout, stderr: failed.stderr };
  }
}

const scanned = (scan: { state: string; operation_id: string | null }) =>
  scan.state === "idle" && scan.operation_id !== null;

test("says offline and ends with 0 on SIGTERM", async () => {
  const runner = await start();
  await runner.state("scan", scanned);
  const watcher = await connectAsync(runner.url, { protocolVersion: 4 });
  const offline = new Promise<string>((resolve) => {
    watcher.on("message", (_, payload) => {
      if (payload.toString() === "offline") resolve(payload.toString());
    });
  });
  await watcher.subscribeAsync(`${runner.base}/availability`);
  const code = runner.stop();
  expect(await offline).toBe("offline");
  expect(await code).toBe(0);
  watcher.end(true);
});

test("knows its books again after kill -9, under the same ids, and reads nothing twice", async () => {
  const first = await start();
  await first.state("scan", scanned);
  const [before] = await first.ask("query", { limit: 200 });
  await first.kill();
  const second = await start();
  const [scan] = (await second.ask("scan")).slice(-1);
  expect(scan?.data.summary).toMatchObject({ files_read: 0, added: 0, changed: 0, missing: 0 });
  const [after] = await second.ask("query", { limit: 200 });
  expect(after?.data.items).toEqual(before?.data.items);
});

test("forgets where a scan could go on when its end is on record", async () => {
  const runner = await start();
  const scan = await runner.state<{ state: string; operation_id: string }>("scan", scanned);
  await runner.state<{ counts: { completed: number } }>("queue", ({ counts }) => counts.completed > 0);
  await runner.stop();
  const store = await openStore({ dataDir: path.join(dir, "data"), now: () => new Date() });
  expect(store.operations.get(scan.operation_id)?.state).toBe("completed");
  expect(store.checkpoints.load(scan.operation_id)).toBeNull();
  await store.close();
});

test("keeps a book's id when its folder is renamed, and calls a deleted one missing", async () => {
  const runner = await start();
  await runner.state("scan", scanned);
  const library = args[1] ?? "";
  const [emma] = await runner.ask("query", { text: "emma" });
  const [pride] = await runner.ask("query", { text: "prejudice" });
  renameSync(path.join(library, "Jane Austen/Emma"), path.join(library, "Emma by Austen"));
  rmSync(path.join(library, "Jane Austen - Pride and Prejudice"), { recursive: true });
  const [, done] = await runner.ask("scan");
  expect(done?.data.summary).toMatchObject({ missing: 1, added: 0 });
  const [moved] = await runner.ask("book", { id: emma?.data.items[0].id });
  expect(moved?.data).toMatchObject({ path: "Emma by Austen", state: "present" });
  const [gone] = await runner.ask("book", { id: pride?.data.items[0].id });
  expect(gone?.data.state).toBe("missing");
  expect(runner.messages.some(({ payload }) => payload.includes('"book_missing"'))).toBe(true);
});

test("an unmounted library is offline, not empty, and its books come back", async () => {
  const library = args[1] ?? "";
  const first = await start();
  await first.state("scan", scanned);
  const [before] = await first.ask("query", { limit: 200 });
  renameSync(library, `${library}.away`);
  mkdirSync(library);
  const [, failed] = await first.ask("scan");
  expect(failed?.status).toBe("error");
  const [offline] = await first.ask("query", { state: "offline", limit: 200 });
  expect(offline?.data.total).toBe(before?.data.total);
  rmSync(library, { recursive: true });
  renameSync(`${library}.away`, library);
  const [, done] = await first.ask("scan", { root: "audiobooks" });
  expect(done?.data.summary).toMatchObject({ missing: 0, added: 0 });
  const [after] = await first.ask("query", { limit: 200 });
  expect(after?.data.items).toEqual(before?.data.items);
});

test("does not start on a missing root, says what to do, and makes nothing", async () => {
  const missing = path.join(dir, "not-there");
  const { code, stderr } = await command(
    "run",
    "--library",
    missing,
    "--data",
    path.join(dir, "data"),
    "--mqtt-port",
    "0",
  );
  expect(code).toBe(3);
  expect(stderr).toContain(missing);
  expect(() => cpSync(missing, path.join(dir, "copy"))).toThrow();
});

test("a second runner on the same data folder ends at once and names the first", async () => {
  const first = await start();
  const { code, stderr } = await command("run", ...args);
  expect(code).toBe(3);
  expect(stderr).toContain(String(first.pid));
});

test("runs where its file for other commands cannot be written, and says how to reach it", async () => {
  mkdirSync(path.join(dir, "data", "runner.json", "in the way"), { recursive: true });
  const runner = await start();
  await runner.state("scan", scanned);
  expect(runner.stderr()).toContain(`--broker ${runner.url}`);
  expect(await runner.stop()).toBe(0);
});

test("the command line finds the running runner by its data folder", async () => {
  const runner = await start();
  await runner.state("scan", scanned);
  const data = ["--data", path.join(dir, "data")];
  const query = await command("query", "emma", "--json", ...data);
  expect(query.code).toBe(0);
  expect(JSON.parse(query.stdout).items[0].title).toBe("Emma");
  const scan = await command("scan", ...data, "--json");
  expect(JSON.parse(scan.stdout)).toMatchObject({ state: "completed" });
  const doctor = await command("doctor", ...data, "--json");
  expect(JSON.parse(doctor.stdout).checks.length).toBeGreaterThan(5);
  expect((await command("status", ...data, "--json")).code).toBe(0);
  expect((await command("cancel", "nothing", ...data)).code).toBe(1);
});

test("scan without a runner starts one for the scan and leaves", async () => {
  const { code, stdout } = await command("scan", ...args.slice(0, 4), "--json");
  expect(code).toBe(0);
  expect(JSON.parse(stdout).summary.books).toBeGreaterThan(10);
  expect((await command("query", "emma", "--data", path.join(dir, "data"))).code).toBe(4);
});
