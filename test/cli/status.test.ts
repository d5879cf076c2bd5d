import { afterEach, beforeEach, expect, test } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import { Cleanup } from "../bus/harness.ts";
import { type Desk, makeDesk, startScripted } from "./scripted-runner.ts";

let cleanup: Cleanup;
let desk: Desk;
beforeEach(() => {
  cleanup = new Cleanup();
  desk = makeDesk(cleanup);
});
afterEach(() => cleanup.run());

function publishAll(bus: Bus, scanState: "idle" | "reading"): void {
  const totals = {
    books: 14,
    authors: 3,
    series: 2,
    files: 40,
    bytes: 1_500_000_000,
    duration_seconds: 360_000,
    missing: 1,
    needs_review: 2,
    last_scan: null,
  };
  bus.publishState("info", {
    schema: "1",
    version: "9.9.9",
    node: "main",
    node_id: "x",
    plugins: [],
    capabilities: [],
    roots: [{ id: "books", kind: "library", state: "online" }],
  });
  bus.publishState("library", { ...totals, roots: {} });
  bus.publishState("queue", {
    state: "running",
    paused_kinds: [],
    counts: { queued: 1, waiting: 1, running: 1, completed: 0, failed: 0, cancelled: 0, interrupted: 0 },
    by_priority: { low: 0, normal: 3, high: 0 },
    workers: { current: 2, min: 2, max: 2 },
    oldest_wait_seconds: 0,
    running: [{ operation_id: "op1", kind: "scan", scope: "books:/\u001b[31mA", percent: 12.5 }],
    waiting: [],
  });
  bus.publishState("scan", {
    state: scanState,
    operation_id: "op1",
    root_id: "books",
    path: "A",
    dirs_found: 1,
    dirs_done: 1,
    files_found: 40,
    files_done: 5,
    books_found: 2,
    percent: 12.5,
    eta_seconds: 90,
    resumed_from: null,
    problems: 1,
  });
  bus.publishState("diagnostics", {
    worst: "warn",
    checks: [{ check: "clock", severity: "warn", message: "is late", remedy: "set it" }],
  });
  bus.publishState("memory", {
    level: "normal",
    rss_bytes: 1e8,
    heap_bytes: 5e7,
    limit_bytes: 4e9,
    actions: 0,
  });
}

test("into a pipe prints one snapshot of everything and ends", async () => {
  const { bus, url } = await startScripted(cleanup, desk);
  publishAll(bus, "reading");
  const { exitCode, out } = await desk.type(["status"]);
  expect(exitCode).toBe(0);
  expect(out.split("\n")).toEqual([
    `Runner     tomekeeper/main at ${url}, online, version 9.9.9`,
    "Library    14 books, 3 authors, 2 series, 100 h, 1.5 GB, 1 missing, 2 to review",
    "Root       books (library), online",
    "Queue      running, 1 running, 2 waiting, 2 workers",
    "Scan       reading, 12 %, 5 of 40 files, 2 books, 1 problem, 2 min left",
    "Running    scan of books:/A, 12 %",
    "Memory     normal, 100 MB of 4.0 GB",
    "Diagnosis  warn",
    "           warn clock: is late",
  ]);
});

test("as JSON is one document with the topics as they are", async () => {
  const { bus } = await startScripted(cleanup, desk);
  publishAll(bus, "idle");
  const { json } = await desk.typeJson(["status"]);
  expect(json).toMatchObject({
    availability: "online",
    library: { books: 14, needs_review: 2 },
    scan: { state: "idle", seq: 1 },
    diagnostics: { worst: "warn" },
  });
});

test("of a runner that has said little ends all the same", async () => {
  await startScripted(cleanup, desk);
  expect((await desk.typeJson(["status"])).json).toEqual({ availability: "online" });
});

test("with --watch prints what changes until it is interrupted", async () => {
  const { bus } = await startScripted(cleanup, desk);
  publishAll(bus, "idle");
  const lines: string[] = [];
  const leaving = new AbortController();
  const watching = desk.type(["status", "--watch"], {
    signal: leaving.signal,
    out: (text) => {
      lines.push(text);
      if (text.startsWith("Scan       idle")) publishAll(bus, "reading");
      const seen = lines.join("\n");
      if (/^Scan {7}reading/m.test(seen) && /^Library/m.test(seen)) leaving.abort();
    },
  });
  expect((await watching).exitCode).toBe(0);
  expect(lines.filter((text) => text.startsWith("Library"))).toHaveLength(1);
});

test("with --watch and --json prints a document per change", async () => {
  const { bus } = await startScripted(cleanup, desk);
  publishAll(bus, "idle");
  const topics: string[] = [];
  const leaving = new AbortController();
  const watching = desk.type(["status", "--watch", "--json"], {
    signal: leaving.signal,
    out: (text) => {
      topics.push(JSON.parse(text).topic);
      if (topics.length === 7) leaving.abort();
    },
  });
  expect((await watching).exitCode).toBe(0);
  expect(topics.toSorted()).toEqual([
    "availability",
    "diagnostics",
    "info",
    "library",
    "memory",
    "queue",
    "scan",
  ]);
});
