import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeLibrary } from "../../src/demo/make-library.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";
import { contents, snapshot } from "../organize/library.ts";

/* Organizing as a user meets it: the demonstration's books as downloads, a runner, and a client that asks. */

let dir: string;
let inbox: string;
let library: string;
let runner: RunningRunner;

beforeEach(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-organize-"));
  const made = await makeLibrary(dir);
  inbox = made.libraryPath;
  library = path.join(dir, "books");
  mkdirSync(library);
  runner = await start();
  await runner.state("queue", (queue: { counts: { completed: number } }) => queue.counts.completed === 2);
}, 60_000);
afterEach(async () => {
  await runner.stop();
  rmSync(dir, { recursive: true });
});

function start(): Promise<RunningRunner> {
  const roots = ["--library", library, "--inbox", inbox];
  return startRunner([...roots, "--data", path.join(dir, "data"), "--mqtt-port", "0"]);
}

interface Book {
  readonly id: string;
  readonly root_id: string;
  readonly path: string;
  readonly title: string;
  readonly state: string;
}

interface Diagnostics {
  readonly worst: string;
  readonly checks: readonly { readonly check: string; readonly severity: string; readonly message: string }[];
}

async function books(asked: object = {}): Promise<readonly Book[]> {
  const [answer] = await runner.ask("query", { limit: 200, ...asked });
  return answer?.data.items;
}

/** What is known of it, wherever it lies. */
function plain(book: object): object {
  const { authors, narrators, series, year, asin, isbn, title } = book as Readonly<Record<string, unknown>>;
  return { authors, narrators, series, year, asin, isbn, title };
}

async function ended(command: string, payload: object = {}) {
  const [accepted, final] = await runner.ask(command, payload);
  expect(accepted).toMatchObject({ status: "accepted", data: { operation_id: expect.any(String) } });
  return { id: String(accepted?.data.operation_id), answer: final };
}

const organizeKeys = [
  "state",
  "operation_id",
  "books_total",
  "books_done",
  "files_total",
  "files_done",
  "bytes_total",
  "bytes_done",
  "percent",
  "last_batch",
  "conflicts",
];

test("a dry run answers with the plan and touches nothing", async () => {
  const before = await snapshot(dir);
  const [answer] = await runner.ask("organize", { dry_run: true });
  expect(answer).toMatchObject({ command: "organize", status: "ok", error: null });
  const { moves, move_count, conflicts, conflict_count, bytes_needed, bytes_free } = answer?.data ?? {};
  expect(moves).toHaveLength(move_count);
  expect(move_count).toBeGreaterThan(30);
  expect(moves[0]).toEqual({
    book: expect.any(String),
    from: expect.stringMatching(/^audiobooks:\//),
    to: expect.stringMatching(/^books:\//),
    strategy: "auto",
    bytes: expect.any(Number),
  });
  expect([conflicts, conflict_count, bytes_needed]).toEqual([[], 0, 0]);
  expect(bytes_free).toBeGreaterThan(0);
  const after = await snapshot(dir);
  const own = (name: string) => name.startsWith("data");
  expect(Object.keys(after).filter((name) => !own(name))).toEqual(
    Object.keys(before).filter((name) => !own(name)),
  );
});

test("books get their places, a scan finds nothing to do, and an undo leaves the disk and the catalogue as they were", async () => {
  const treeBefore = await snapshot(inbox);
  const booksBefore = await books();
  const { id, answer } = await ended("organize", { strategy: "hardlink" });
  expect(answer).toMatchObject({ status: "ok", data: { operation_id: id, state: "completed" } });
  expect(answer?.data.summary).toMatchObject({ conflict_count: 0, conflicts: [], skipped: 1 });
  const { books: organized, files, strategy } = answer?.data.summary ?? {};
  expect(strategy).toEqual({ hardlink: files });
  expect(Object.keys(await contents(library))).toHaveLength(files);
  expect(Object.keys(await contents(library))).toContain(
    "L. Frank Baum/Oz/01-03 - The Oz Omnibus (1907)/The Oz Omnibus.m4b",
  );
  expect(await snapshot(inbox)).toEqual(treeBefore);

  const placed = await books();
  expect(placed.map(({ id: bookId }) => bookId).sort()).toEqual(
    booksBefore.map(({ id: bookId }) => bookId).sort(),
  );
  expect(placed.filter(({ root_id }) => root_id === "books")).toHaveLength(organized);
  const state = await runner.state<Record<string, unknown>>(
    "organize",
    (value) => value["last_batch"] !== null,
  );
  expect(Object.keys(state).sort()).toEqual([...organizeKeys, "boot_id", "seq", "ts"].sort());
  expect(state).toMatchObject({
    state: "idle",
    last_batch: { operation_id: id, books: organized, files, undoable_until: expect.stringMatching(/Z$/) },
  });

  const { answer: scanned } = await ended("scan");
  expect(scanned?.data.summary).toMatchObject({
    files_read: 0,
    added: 0,
    missing: 0,
    books: booksBefore.length,
  });
  // Only of books whose chapters are called as their files are.
  expect(scanned?.data.summary.changed).toBeLessThanOrEqual(4);
  // What only the names of their old folders said of them is known all the same.
  const knownOf = (known: readonly Book[]) =>
    known
      .map(({ id: bookId, ...each }) => [bookId, plain(each)])
      .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  expect(knownOf(await books())).toEqual(knownOf(booksBefore));
  const again = await ended("organize");
  expect(again.answer?.data.summary).toMatchObject({ books: 0, files: 0 });

  const { answer: undone } = await ended("undo");
  expect(undone).toMatchObject({ status: "ok", data: { summary: { books: organized, files } } });
  expect(await snapshot(inbox)).toEqual(treeBefore);
  expect(await contents(library)).toEqual({});
  const back = await books();
  expect(back.map(({ id: bookId, path: at }) => [bookId, at]).sort()).toEqual(
    booksBefore.map(({ id: bookId, path: at }) => [bookId, at]).sort(),
  );
  const events = runner.messages
    .filter(({ topic }) => topic.endsWith("/event"))
    .map(({ payload }) => JSON.parse(payload));
  const types = events.map(({ event_type }) => event_type);
  expect(types).toContain("organize_finished");
  expect(types).toContain("undo_finished");
  const [history] = await runner.ask("history");
  expect(history?.data.items.map((item: { kind: string; state: string }) => [item.kind, item.state])).toEqual(
    [
      ["undo", "ended"],
      ["organize", "undone"],
    ],
  );
});

test("where a book was copied from is no second book, until something comes to it", async () => {
  await ended("organize", { strategy: "copy" });
  const organized = await books();
  await ended("scan", { root: "audiobooks", force: true });
  expect(await books()).toHaveLength(organized.length);
  const folder = organizedFrom("Dracula");
  cpSync(path.join(folder, "01.mp3"), path.join(folder, "09.mp3"));
  await ended("scan", { root: "audiobooks" });
  const now = await books();
  expect(now).toHaveLength(organized.length + 1);
  expect(
    now
      .filter(({ title }) => title === "Dracula")
      .map(({ root_id }) => root_id)
      .sort(),
  ).toEqual(["audiobooks", "books"]);
});

test("a file of the user's in the way is a conflict that names it, and the other books go on", async () => {
  const own = path.join(library, "Bram Stoker/Dracula/Dracula - 01.mp3");
  mkdirSync(path.dirname(own), { recursive: true });
  writeFileSync(own, "mine");
  const { answer } = await ended("organize");
  expect(answer?.data.summary).toMatchObject({
    conflict_count: 1,
    conflicts: [{ code: "destination_taken", path: "books:/Bram Stoker/Dracula/Dracula - 01.mp3" }],
  });
  expect(answer?.data.summary.books).toBeGreaterThan(15);
  expect(readFileSync(own, "utf8")).toBe("mine");
});

test("a moved book goes back although the runner was killed and started again in between", async () => {
  const before = await snapshot(inbox);
  const wanted = (await books({ text: "Dracula" }))[0];
  const { id } = await ended("organize", { books: [wanted?.id], strategy: "move" });
  expect((await books({ text: "Dracula" }))[0]).toMatchObject({
    root_id: "books",
    path: "Bram Stoker/Dracula",
  });
  await runner.kill();
  runner = await start();
  expect(await runner.state("organize")).toMatchObject({ last_batch: { operation_id: id } });
  const { answer } = await ended("undo", { operation_id: id });
  expect(answer?.status).toBe("ok");
  // The root itself is tried at every start, whether it can be written to.
  expect({ ...(await snapshot(inbox)), ".": before["."] }).toEqual(before);
});

describe("verify", () => {
  test("tells bit rot from a user's change, as a problem and as a diagnostic", async () => {
    await ended("organize", { strategy: "copy" });
    const rotten = path.join(library, "Jane Austen/Emma (1815)/Emma.m4b");
    const good = path.join(dir, "good");
    execFileSync("cp", ["-p", rotten, good]);
    const content = readFileSync(rotten);
    content.writeUInt8(content.readUInt8(2000) ^ 1, 2000);
    writeFileSync(rotten, content);
    execFileSync("touch", ["-r", good, rotten]);
    const edited = path.join(library, "Bram Stoker/Dracula/Dracula - 01.mp3");
    writeFileSync(edited, "the user's own cut");
    const { answer } = await ended("verify");
    expect(answer?.data.summary).toMatchObject({ rotten: 1, changed: 1, missing: 0, problem_count: 2 });
    expect(answer?.data.summary.problems).toContainEqual({
      path: "books:/Jane Austen/Emma (1815)/Emma.m4b",
      code: "rotten",
      message: expect.stringContaining("Restore it"),
    });
    const warned = await runner.state<Diagnostics>("diagnostics", ({ worst }) => worst === "warn");
    const check = warned.checks.find(({ check: name }) => name === "bit_rot");
    expect(check).toMatchObject({ severity: "warn", message: expect.stringContaining("Emma.m4b") });

    execFileSync("cp", ["-p", good, rotten]);
    const { answer: after } = await ended("verify");
    expect(after?.data.summary).toMatchObject({ rotten: 0, changed: 0, problem_count: 0 });
    await runner.state<Diagnostics>("diagnostics", ({ checks }) =>
      checks.some(({ check: name, severity }) => name === "bit_rot" && severity === "ok"),
    );
  });

  test("finds every file as it was, and the diagnostics say so", async () => {
    const { answer: organized } = await ended("organize");
    const { answer } = await ended("verify", { root: "books", path: "Bram Stoker" });
    expect(answer?.data.summary).toMatchObject({ changed: 0, missing: 0, rotten: 0, problem_count: 0 });
    expect(answer?.data.summary.files).toBeGreaterThan(0);
    expect(answer?.data.summary.files).toBeLessThan(organized?.data.summary.files);
    const diagnostics = await runner.state<Diagnostics>("diagnostics");
    expect(diagnostics.checks).toContainEqual(expect.objectContaining({ check: "bit_rot", severity: "ok" }));
  });
});

test("each wrong command gets its error, and nothing is done", async () => {
  const unknownKey = await runner.ask("organize", { dryrun: true });
  expect(unknownKey[0]).toMatchObject({ status: "error", error: { code: "invalid_payload" } });
  const unknownStrategy = await runner.ask("organize", { strategy: "teleport" });
  expect(unknownStrategy[0]?.error.code).toBe("invalid_payload");
  const [unknownBook] = await runner.ask("organize", { books: ["nothing"] });
  expect(unknownBook?.error.code).toBe("not_found");
  const [nothingToUndo] = await runner.ask("undo");
  expect(nothingToUndo?.error.code).toBe("not_found");
  const [outside] = await runner.ask("verify", { root: "books", path: "../.." });
  expect(outside?.error.code).toBe("outside_root");
  expect(await contents(library)).toEqual({});
});

function organizedFrom(title: string): string {
  const names = readdirSync(inbox, { recursive: true, encoding: "utf8" });
  const found = names.find((name) => name.endsWith(`${title}/01.mp3`));
  if (found === undefined) throw new Error(`no ${title} in the inbox`);
  return path.dirname(path.join(inbox, found));
}
