import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeLibrary } from "../../src/demo/make-library.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";

/* The queue as a user meets it: work that comes by itself, waits, fails, is tried again, and is held back. */

let dir: string;
let inbox: string;
let library: string;
let runner: RunningRunner;

interface Operation {
  readonly operation_id: string;
  readonly kind: string;
  readonly state: string;
  readonly scope: string;
}

interface Queue {
  readonly state: string;
  readonly paused_kinds: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
  readonly waiting: readonly { readonly operation_id: string; readonly reason: string }[];
  readonly workers: Readonly<Record<string, number>>;
}

beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), "tomekeeper-queue-"));
  inbox = path.join(dir, "inbox");
  library = path.join(dir, "books");
  await mkdir(inbox);
  await mkdir(library);
});
afterEach(async () => {
  await runner.stop();
  await rm(dir, { recursive: true });
});

async function start(env: Readonly<Record<string, string>> = {}): Promise<void> {
  const roots = ["--library", library, "--inbox", inbox];
  runner = await startRunner([...roots, "--data", path.join(dir, "data"), "--mqtt-port", "0"], {
    env: { TOMEKEEPER_SCAN__ON_STARTUP: "false", ...env },
  });
}

async function operations(): Promise<readonly Operation[]> {
  const [answer] = await runner.ask("operations", { limit: 100 });
  return answer?.data.items;
}

/** An m4b or mp3 of the demonstration, some hundred kilobytes at the most. */
async function audioFile(): Promise<Buffer> {
  const { libraryPath } = await makeLibrary(path.join(dir, "sample"));
  const files = await readdir(libraryPath, { recursive: true });
  const name = files.find((file) => file.endsWith(".mp3"));
  return await readFile(path.join(libraryPath, name ?? ""));
}

test("a file that is copied slowly into the inbox is scanned once, when it is whole, and put in order by itself", async () => {
  const bytes = await audioFile();
  await start({ TOMEKEEPER_ORGANIZE__AUTO: "true" });
  await mkdir(path.join(inbox, "Some Author - Some Book"));
  const file = path.join(inbox, "Some Author - Some Book", "01.mp3");
  await writeFile(file, "");
  const parts = 8;
  for (let i = 0; i < parts; i++) {
    await appendFile(file, bytes.subarray((i * bytes.length) / parts, ((i + 1) * bytes.length) / parts));
    await delay(1000);
    expect(await operations()).toEqual([]);
  }
  await runner.state("queue", ({ counts }: Queue) => counts["completed"] === 2);
  // Long enough for the watch to have told of what the organize has done.
  await delay(13_000);
  expect((await operations()).map(({ kind, state, scope }) => `${kind} ${state} ${scope}`)).toEqual([
    "organize completed books:/",
    "scan completed inbox:/Some Author - Some Book",
  ]);
  const placed = (await readdir(library, { recursive: true })).filter((name) => name.endsWith(".mp3"));
  expect(placed).toHaveLength(1);
  const [answer] = await runner.ask("query", {});
  expect(answer?.data.items).toMatchObject([{ root_id: "books", state: "present", bytes: bytes.length }]);
}, 90_000);

test("settings that are changed while it runs survive a restart", async () => {
  await start();
  const settings = {
    scan_concurrency: 3,
    operation_concurrency: 5,
    organize_strategy: "copy",
    log_level: "warn",
  };
  const [answer] = await runner.ask("configure", settings);
  expect(answer).toMatchObject({ status: "ok", data: settings });
  expect((await runner.state("queue", ({ workers }: Queue) => workers["min"] === 5)).workers).toEqual({
    current: 5,
    min: 5,
    max: 10,
  });
  await runner.kill();
  await start();
  expect(await runner.state("settings")).toMatchObject(settings);
  const [bad] = await runner.ask("configure", { scan_concurrency: 0 });
  expect(bad).toMatchObject({ status: "error", error: { code: "invalid_payload" } });
});

test("what has failed is tried again on request, under its own id and with its history", async () => {
  await mkdir(path.join(library, "Gone"));
  await start();
  await runner.ask("pause", { kind: "scan" });
  expect((await runner.state("queue", (queue: Queue) => queue.paused_kinds.length === 1)).state).toBe(
    "running",
  );
  runner.publish("scan", { root: "books", path: "Gone" });
  await runner.state("queue", ({ waiting }: Queue) => waiting[0]?.reason === "paused");
  await rm(path.join(library, "Gone"), { recursive: true });
  // `false` is resume, so that one topic serves a switch.
  await runner.ask("pause", { kind: "scan", paused: false });
  await runner.state("queue", ({ counts }: Queue) => counts["failed"] === 1);
  await mkdir(path.join(library, "Gone"));
  const [{ operation_id: id } = { operation_id: "" }] = await operations();
  const answers = await runner.ask("retry", { operation_id: id });
  expect(answers).toMatchObject([
    { status: "accepted", data: { operation_id: id } },
    { status: "ok", data: { operation_id: id, state: "completed" } },
  ]);
  const [again] = await runner.ask("retry", { operation_id: id });
  expect(again).toMatchObject({ status: "error", error: { code: "conflict" } });
});

test("beyond its limit it says so, and that the same may be asked for later", async () => {
  for (let i = 0; i < 4; i++) await mkdir(path.join(library, `Author ${i}`));
  await start({ TOMEKEEPER_QUEUE__LIMIT: "3" });
  await runner.ask("pause");
  for (let i = 0; i < 3; i++) runner.publish("scan", { root: "books", path: `Author ${i}` });
  await runner.state("queue", ({ counts }: Queue) => counts["waiting"] === 3);
  const [answer] = await runner.ask("scan", { root: "books", path: "Author 3" });
  expect(answer).toMatchObject({ status: "error", error: { code: "queue_full", retryable: true } });
  await runner.ask("resume");
  await runner.state("queue", ({ counts }: Queue) => counts["completed"] === 3);
});

test("waiting scans that a new one covers are answered by it, each transaction once", async () => {
  await cp((await makeLibrary(path.join(dir, "sample"))).libraryPath, library, { recursive: true });
  const [folder] = await readdir(library);
  await start();
  await runner.ask("pause");
  const small = runner.ask("scan", { root: "books", path: folder });
  await runner.state("queue", ({ counts }: Queue) => counts["waiting"] === 1);
  const whole = runner.ask("scan", { root: "books" });
  await runner.state("queue", ({ waiting }: Queue) => waiting.length === 2);
  await runner.ask("resume");
  const [, answerOfSmall] = await small;
  const [, answerOfWhole] = await whole;
  expect(answerOfWhole).toMatchObject({ status: "ok", data: { state: "completed" } });
  expect(answerOfSmall?.data.summary).toEqual(answerOfWhole?.data.summary);
  expect(answerOfWhole?.data.summary.books).toBeGreaterThan(10);
});

test("answers for its health and its figures over HTTP", async () => {
  await start({ TOMEKEEPER_HTTP__PORT: "0", TOMEKEEPER_LOG_LEVEL: "info" });
  const address = /http:\/\/127\.0\.0\.1:\d+/.exec(runner.stderr())?.[0];
  const health = await fetch(`${address}/health`);
  expect(health.status).toBe(200);
  expect(await health.json()).toMatchObject({
    status: "ok",
    queue: { state: "running" },
    mqtt: { connected: true },
  });
  await runner.ask("scan", { root: "books" });
  const text = await (await fetch(`${address}/metrics`)).text();
  expect(text).toContain('tomekeeper_operations_ended_total{kind="scan",state="completed"} 1');
  expect(text).toContain('tomekeeper_queue_workers{bound="min"} 2');
  expect(text).toContain('tomekeeper_breaker_state{source="open-library"} 0');
  expect(text).toContain('tomekeeper_source_requests{source="open-library"} 0');
  expect((await fetch(`${address}/metrics`, { method: "POST" })).status).toBe(405);
  expect((await fetch(`${address}/other`)).status).toBe(404);
});
