import { writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { liveSettings } from "../../src/app/live-settings.ts";
import { createOrganizing, type Organizing } from "../../src/app/organizing.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { OperationRequest } from "../../src/domain/operation.ts";
import type { LastBatch, OrganizeProgress } from "../../src/domain/organize.ts";
import { createLog, operation } from "../bus/harness.ts";
import { makeScanBench, type ScanBench } from "../fixtures/scan.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

let bench: ScanBench;
let elsewhere: Tree;
let organizing: Organizing;
let told: { readonly progress: OrganizeProgress; readonly last: LastBatch | null }[];

beforeEach(async () => {
  bench = await makeScanBench({
    "Jane Austen/Emma/01.mp3": "one",
    "Jane Austen/Emma/02.mp3": "two",
    "Bram Stoker/Dracula/dracula.mp3": "three",
  });
  elsewhere = await makeTree();
  await bench.scan();
  told = [];
  const roots = [
    { id: "books", path: bench.root.path },
    { id: "inbox", path: elsewhere.path, kind: "inbox" },
  ];
  const { config } = loadConfig({
    file: null,
    flags: [
      { path: ["roots"], flag: "test", value: roots },
      { path: ["organize", "library"], flag: "test", value: true },
      { path: ["data_dir"], flag: "test", value: elsewhere.at("data") },
    ],
    env: {},
    cwd: elsewhere.path,
    home: elsewhere.path,
  });
  organizing = createOrganizing({
    config,
    live: () => liveSettings(config, bench.store.settings.get()),
    readPicture: async () => null,
    goesOn: () => true,
    store: bench.store,
    log: { ...createLog(), setLevel: () => {} },
    onProgress: (progress, last) => told.push({ progress, last }),
    onBooks: () => {},
  });
});
afterEach(async () => {
  await bench.dispose();
  await elsewhere.dispose();
});

const asked = { priority: "normal", transaction: "t1" } as const;

function idOf(title: string): string {
  const found = bench.books().find((book) => book.title === title);
  if (found === undefined) throw new Error(`no ${title}`);
  return found.id;
}

/** Runs a request as the queue would. */
async function run(id: string, request: OperationRequest, signal = new AbortController().signal) {
  const { kind } = request;
  if (kind !== "organize" && kind !== "undo" && kind !== "verify") throw new Error(`no run of ${kind}`);
  return await organizing.runs[kind](operation(id, request), { signal, report: () => {} });
}

const newest = () => told.at(-1);

describe("what is asked for", () => {
  test("touches the destination first, then what it takes from; all roots where that is everything", async () => {
    expect(await organizing.organizeRequest({ books: [idOf("Emma")] }, asked)).toEqual({
      kind: "organize",
      priority: "normal",
      transaction: "t1",
      scopes: ["books:/"],
      input: { books: [idOf("Emma")], query: null, strategy: null },
    });
    expect((await organizing.organizeRequest({ query: "emma" }, asked)).scopes).toEqual([
      "books:/",
      "inbox:/",
    ]);
    expect((await organizing.organizeRequest({}, asked)).scopes).toEqual(["books:/", "inbox:/"]);
  });

  test("of a verify are the folders of its books, or the folder that was named", async () => {
    const books = [idOf("Emma")];
    expect((await organizing.verifyRequest({ folder: null, books }, asked)).scopes).toEqual([
      "books:/Jane Austen/Emma",
    ]);
    expect((await organizing.verifyRequest({ folder: null }, asked)).scopes).toEqual(["books:/", "inbox:/"]);
  });

  test("for a book that nobody knows is refused", async () => {
    const books = [idOf("Emma"), "nobody"];
    const refusal = { code: "not_found", details: { book: "nobody" } };
    await expect(organizing.organizeRequest({ books }, asked)).rejects.toMatchObject(refusal);
    await expect(organizing.verifyRequest({ folder: null, books }, asked)).rejects.toMatchObject(refusal);
    await expect(organizing.plan({ books }, new AbortController().signal)).rejects.toMatchObject(refusal);
  });

  test("is planned once however often a book is named", async () => {
    const books = [idOf("Emma"), idOf("Emma")];
    const plan = await organizing.plan({ books }, new AbortController().signal);
    expect(plan.books.map(({ title }) => title)).toEqual(["Emma"]);
    expect(plan.conflicts).toEqual([]);
  });
});

describe("how far it is", () => {
  test("is told up to a last value with all that was done, and what can be undone", async () => {
    const summary = await run("op-1", await organizing.organizeRequest({}, asked));
    expect(summary).toMatchObject({ books: 2, files: 3 });
    const states = [...new Set(told.map(({ progress }) => progress.state))];
    expect(states).toEqual(["planning", "placing", "committing", "idle"]);
    expect(newest()).toMatchObject({
      progress: {
        operationId: "op-1",
        booksDone: 2,
        booksTotal: 2,
        filesDone: 3,
        filesTotal: 3,
        percent: 100,
      },
      last: { operationId: "op-1", books: 2, files: 3, undoableUntil: expect.stringMatching(/Z$/) },
    });
    expect(organizing.wasRolledBack("op-1")).toBe(false);
  });

  test("says failed where it failed, and remembers the batch before", async () => {
    await run("op-1", await organizing.organizeRequest({ books: [idOf("Emma")] }, asked));
    const before = newest()?.last;
    const request = await organizing.organizeRequest({ books: [idOf("Dracula")] }, asked);
    await expect(run("op-2", { ...request, input: { books: ["nobody"] } })).rejects.toThrow("nobody");
    expect(newest()).toMatchObject({ progress: { state: "failed", operationId: "op-2" }, last: before });
  });

  test("is idle again where it was cancelled", async () => {
    const request = await organizing.organizeRequest({}, asked);
    await expect(run("op-1", request, AbortSignal.abort("cancel"))).rejects.toBe("cancel");
    expect(newest()).toMatchObject({ progress: { state: "idle", operationId: "op-1" }, last: null });
  });

  test("can be said again, with what can be undone by now", async () => {
    await run("op-1", await organizing.organizeRequest({}, asked));
    const before = newest();
    organizing.publish();
    expect(newest()).toEqual(before);
  });
});

describe("looking back", () => {
  const page = { limit: 50, offset: 0 };

  test("lists batches newest first, and one with from where to where", async () => {
    await run("op-1", await organizing.organizeRequest({ books: [idOf("Emma")] }, asked));
    await run("op-2", await organizing.organizeRequest({ books: [idOf("Dracula")] }, asked));
    const { items, total } = await organizing.history({ ...page, limit: 1 });
    expect(total).toBe(2);
    expect(items).toMatchObject([{ batch: { operationId: "op-2", books: 1, files: 1 } }]);
    expect(items[0]?.moves).toBeUndefined();
    const one = await organizing.history({ ...page, operationId: "op-1" });
    expect(one.items[0]?.moves).toEqual(
      [
        {
          from: { rootId: "books", path: "Jane Austen/Emma/01.mp3" },
          to: { rootId: "books", path: "Jane Austen/Emma/Emma - 01.mp3" },
        },
        {
          from: { rootId: "books", path: "Jane Austen/Emma/02.mp3" },
          to: { rootId: "books", path: "Jane Austen/Emma/Emma - 02.mp3" },
        },
      ].map((move) => expect.objectContaining(move)),
    );
    await expect(organizing.history({ ...page, operationId: "op-9" })).rejects.toMatchObject({
      code: "not_found",
    });
  });

  test("undoes the newest batch that can be, then the one before, then nothing", async () => {
    await run("op-1", await organizing.organizeRequest({ books: [idOf("Emma")] }, asked));
    await run("op-2", await organizing.organizeRequest({ books: [idOf("Dracula")] }, asked));
    const undo = async () => await organizing.undoRequest({ partial: false }, asked);
    expect(await undo()).toMatchObject({ scopes: ["books:/"], input: { batch: "op-2", partial: false } });
    told = [];
    await run("op-3", await undo());
    expect([...new Set(told.map(({ progress }) => progress.state))]).toEqual([
      "undoing",
      "committing",
      "idle",
    ]);
    expect(newest()?.last).toMatchObject({ operationId: "op-2", undoableUntil: null });
    expect((await undo()).input).toMatchObject({ batch: "op-1" });
    await run("op-4", await undo());
    await expect(undo()).rejects.toMatchObject({ code: "not_found" });
    await expect(
      organizing.undoRequest({ operationId: "op-1", partial: false }, asked),
    ).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("undone already") });
  });

  test("knows what was rolled back", async () => {
    const stopping = new AbortController();
    const request = await organizing.organizeRequest({}, asked);
    const going = organizing.runs.organize(operation("op-1", request), {
      signal: stopping.signal,
      // Files are being placed by now.
      report: () => stopping.abort("cancel"),
    });
    await expect(going).rejects.toBeDefined();
    expect(organizing.wasRolledBack("op-1")).toBe(true);
    const { items } = await organizing.history({ ...page, operationId: "op-1" });
    expect(items).toMatchObject([{ batch: { state: "rolled_back" }, undoableUntil: null, moves: [] }]);
  });
});

test("a verify of books reads those alone", async () => {
  await run("op-1", await organizing.organizeRequest({}, asked));
  await writeFile(bench.root.at("Bram Stoker/Dracula/Dracula.mp3"), "changed");
  const books = [idOf("Emma")];
  const summary = await run("op-2", await organizing.verifyRequest({ folder: null, books }, asked));
  expect(summary).toMatchObject({ files: 2, ok: 2, problem_count: 0 });
  expect(newest()).toMatchObject({ progress: { state: "idle", operationId: "op-2" } });
});
