import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DemoLibrary, makeLibrary } from "../../src/demo/make-library.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";

/* The contract, seen from outside: a runner in its own process, an ordinary client. */

let dir: string;
let library: DemoLibrary;
let runner: RunningRunner;

beforeAll(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-contract-"));
  library = await makeLibrary(dir);
  runner = await startRunner([
    "--library",
    library.libraryPath,
    "--inbox",
    library.inboxPath,
    "--data",
    path.join(dir, "data"),
    "--mqtt-port",
    "0",
  ]);
  await runner.state("queue", (queue: { counts: { completed: number } }) => queue.counts.completed === 2);
}, 60_000);

afterAll(async () => {
  await runner.stop();
  rmSync(dir, { recursive: true });
});

const stamp = ["boot_id", "seq", "ts"];
const keysOf: Readonly<Record<string, readonly string[]>> = {
  info: ["schema", "version", "node", "node_id", "plugins", "roots", "capabilities"],
  scan: [
    "state",
    "operation_id",
    "root_id",
    "path",
    "dirs_found",
    "dirs_done",
    "files_found",
    "files_done",
    "books_found",
    "percent",
    "eta_seconds",
    "resumed_from",
    "problems",
  ],
  queue: [
    "state",
    "paused_kinds",
    "counts",
    "by_priority",
    "workers",
    "oldest_wait_seconds",
    "running",
    "waiting",
  ],
  library: [
    "books",
    "authors",
    "series",
    "files",
    "bytes",
    "duration_seconds",
    "missing",
    "needs_review",
    "last_scan",
    "roots",
  ],
  diagnostics: ["worst", "checks"],
  settings: ["scan_concurrency", "operation_concurrency", "organize_strategy", "log_level"],
  memory: ["level", "rss_bytes", "heap_bytes", "limit_bytes", "actions"],
  health: ["uptime_seconds", "mqtt", "event_loop_delay_p99_ms", "queue", "worst_diagnostic"],
};

test.each(Object.entries(keysOf))(
  "publishes %s retained, with exactly the keys of the contract",
  async (topic, keys) => {
    const value = await runner.state(topic);
    expect(Object.keys(value).sort()).toEqual([...keys, ...stamp].sort());
    expect(value["ts"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  },
);

test("says online, plain and retained", () => {
  const availability = runner.messages.find((message) => message.topic === `${runner.base}/availability`);
  expect(availability).toMatchObject({ payload: "online", retain: true });
});

test("counts the library after the scan of the start, in all and per root", async () => {
  interface Library {
    books: number;
    files: number;
    last_scan: string | null;
    roots: Record<string, { books: number; files: number }>;
  }
  const all = await runner.state<Library>(
    "library",
    (value) => value.last_scan !== null && value.roots["inbox"] !== undefined,
  );
  expect(Object.keys(all.roots).sort()).toEqual(["audiobooks", "inbox"]);
  expect(all.books).toBe((all.roots["audiobooks"]?.books ?? 0) + (all.roots["inbox"]?.books ?? 0));
  // All but the damaged one.
  expect(all.files).toBe(library.fileCount - 1);
});

test("answers a scan with accepted, then ok with the summary", async () => {
  const answers = await runner.ask("scan", { root: "audiobooks" });
  expect(answers.map((answer) => answer.status)).toEqual(["accepted", "ok"]);
  const [accepted, ok] = answers;
  expect(Object.keys(accepted ?? {}).sort()).toEqual(["command", "data", "error", "status", "transaction"]);
  expect(ok?.data.operation_id).toBe(accepted?.data.operation_id);
  expect(ok?.data.state).toBe("completed");
  expect(Object.keys(ok?.data.summary).sort()).toEqual(
    [
      "dirs",
      "files",
      "files_read",
      "books",
      "added",
      "changed",
      "missing",
      "problem_count",
      "problems",
      "seconds",
      "resumed_from",
    ].sort(),
  );
  expect(ok?.data.summary).toMatchObject({ added: 0, changed: 0, missing: 0 });
});

test("scans all roots with one operation each and adds their summaries up", async () => {
  const [accepted, ok] = await runner.ask("scan");
  expect(accepted?.data.operation_ids).toHaveLength(2);
  expect(accepted?.data.operation_id).toBe(accepted?.data.operation_ids[0]);
  expect(ok?.data.summary.files).toBe(library.fileCount);
});

test.each([
  [{ text: "stud scarl" }, "A Study in Scarlet"],
  [{ author: "austen", text: "prejudice" }, "Pride and Prejudice"],
  [{ narrator: "Elena Ruiz" }, "Emma"],
  [{ series: "oz", sort: "series" }, "Little Wizard Stories of Oz"],
])("finds a book by %o", async (query, title) => {
  const [answer] = await runner.ask("query", query);
  expect(answer?.status).toBe("ok");
  expect(answer?.data.items[0].title).toBe(title);
  expect(answer?.data.total).toBe(answer?.data.items.length);
});

test("keeps the position of a book in its series as text, and its order natural", async () => {
  const [answer] = await runner.ask("query", { series: "oz", sort: "series" });
  const positions = answer?.data.items.map(
    (item: { series: { position: string }[] }) => item.series[0]?.position,
  );
  expect(positions.slice(0, 3)).toEqual(["0.5", "1-3", "4"]);
});

test("counts all matches whatever the page", async () => {
  const [whole] = await runner.ask("query", { limit: 200 });
  const [page] = await runner.ask("query", { limit: 3, offset: 2 });
  expect(page?.data.items).toEqual(whole?.data.items.slice(2, 5));
  expect(page?.data.total).toBe(whole?.data.items.length);
});

test("shows one book whole, with its tracks, chapters, provenance and history", async () => {
  const [found] = await runner.ask("query", { text: "oz omnibus" });
  const [answer] = await runner.ask("book", { id: found?.data.items[0].id });
  const book = answer?.data;
  expect(book.chapters).toHaveLength(5);
  expect(book.chapters[1].start_ms).toBe(book.chapters[0].end_ms);
  expect(book.provenance).toMatchObject({ title: "tags", series: "tags" });
  expect(book.tracks[0]).toMatchObject({ format: "m4b" });
  expect(book.history.map((operation: { kind: string }) => operation.kind)).toEqual(["scan"]);
});

test("keeps what the user sets, through a forced scan and against every source", async () => {
  const [found] = await runner.ask("query", { text: "emma" });
  const id = found?.data.items[0].id;
  const [set] = await runner.ask("set", {
    book: id,
    fields: { title: "Emma (annotated)", narrators: ["Me"] },
  });
  expect(set).toMatchObject({
    status: "ok",
    data: { title: "Emma (annotated)", provenance: { title: "user" } },
  });
  await runner.ask("scan", { root: "audiobooks", force: true });
  const [book] = await runner.ask("book", { id });
  expect(book?.data).toMatchObject({
    title: "Emma (annotated)",
    narrators: ["Me"],
    authors: ["Jane Austen"],
  });
});

test("answers the same transaction again and does nothing twice", async () => {
  const transaction = "twice-1";
  const [first] = await runner.ask("scan", { root: "audiobooks", transaction });
  const before = (await runner.ask("operations", { limit: 200 }))[0]?.data.total;
  runner.publish("scan", { root: "audiobooks", transaction });
  await runner.ask("query", {});
  const answers = runner.messages
    .filter((message) => message.topic === `${runner.base}/response/scan`)
    .map((message) => JSON.parse(message.payload))
    .filter((answer) => answer.transaction === transaction);
  expect(new Set(answers.map((answer) => answer.data.operation_id))).toEqual(
    new Set([first?.data.operation_id]),
  );
  expect(answers.length).toBeGreaterThan(2);
  expect((await runner.ask("operations", { limit: 200 }))[0]?.data.total).toBe(before);
});

test.each([
  ["an unknown command", "dance", {}, "unknown_command"],
  ["an unknown key", "query", { titel: "x" }, "invalid_payload"],
  ["a bad value", "query", { limit: 500 }, "invalid_payload"],
  ["a hostile key", "query", JSON.parse('{"__proto__": {"a": 1}}'), "invalid_payload"],
  ["an unknown root", "scan", { root: "nowhere" }, "not_found"],
  ["an unknown operation", "cancel", { operation_id: "nothing" }, "not_found"],
  ["an unknown book", "book", { id: "nothing" }, "not_found"],
  ["a path that leads up", "scan", { root: "audiobooks", path: "../" }, "outside_root"],
])("answers %s with its error", async (_, command, payload, code) => {
  const answers = await runner.ask(command, payload);
  expect(answers.map((answer) => [answer.status, answer.error?.code])).toEqual([["error", code]]);
});

test("names the unknown key in the answer", async () => {
  const [answer] = await runner.ask("query", { titel: "x" });
  expect(JSON.stringify(answer?.error)).toContain("titel");
});

test("refuses a path through a link that leads out of the root", async () => {
  symlinkSync(os.tmpdir(), path.join(library.libraryPath, "link"));
  const [answer] = await runner.ask("scan", { root: "audiobooks", path: "link" });
  rmSync(path.join(library.libraryPath, "link"));
  expect(answer?.error?.code).toBe("outside_root");
});

function errorsWithoutTransaction(command: string): readonly string[] {
  return runner.messages
    .filter((message) => message.topic === `${runner.base}/response/${command}`)
    .map((message) => JSON.parse(message.payload))
    .filter((answer) => answer.transaction === null && answer.status === "error")
    .map((answer) => answer.error.code);
}

test("survives broken JSON, 300 KB, something that is no object, and silence", async () => {
  runner.publish("scan", "{broken");
  runner.publish("scan", Buffer.alloc(300 * 1024, 0x20));
  runner.publish("scan", "[1,2]");
  runner.publish("scan", "");
  const [answer] = await runner.ask("query", {});
  expect(answer?.status).toBe("ok");
  expect([...errorsWithoutTransaction("scan")].sort()).toEqual([
    "invalid_json",
    "invalid_payload",
    "payload_too_large",
  ]);
});

test("never executes a retained command", async () => {
  const before = (await runner.ask("operations", {}))[0]?.data.total;
  runner.client.publish(`${runner.base}/cmd/scan`, '{"transaction":"retained-1"}', { qos: 1, retain: true });
  await runner.ask("query", {});
  expect((await runner.ask("operations", {}))[0]?.data.total).toBe(before);
  expect(
    runner.messages.some(
      (message) => message.payload.includes('"retained-1"') && message.topic.includes("/response/"),
    ),
  ).toBe(false);
  runner.client.publish(`${runner.base}/cmd/scan`, "", { qos: 1, retain: true });
});

test("lists operations newest first and reloads the configuration", async () => {
  const [answer] = await runner.ask("operations", { state: "completed", limit: 2 });
  const items: { created_at: string; scope: string }[] = answer?.data.items;
  expect(items.map((item) => item.created_at)).toEqual(
    items
      .map((item) => item.created_at)
      .sort()
      .reverse(),
  );
  expect(items[0]?.scope).toMatch(/^(audiobooks|inbox):\//);
  expect((await runner.ask("reload"))[0]).toMatchObject({
    status: "ok",
    data: { applied: [], needs_restart: [] },
  });
});

test("checks again on request", async () => {
  const [answer] = await runner.ask("diagnose");
  expect(answer?.data.checks.map((check: { check: string }) => check.check)).toEqual(
    expect.arrayContaining([
      "root_writable:audiobooks",
      "root_exists:inbox",
      "data_dir_writable",
      "lock",
      "clock",
      "runtime",
    ]),
  );
});
