import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CommandData } from "../../src/bus/topics.ts";
import { AppError } from "../../src/errors.ts";
import { Cleanup, completed, operation } from "../bus/harness.ts";
import { type Desk, makeDesk, startScripted } from "./scripted-runner.ts";

let cleanup: Cleanup;
let desk: Desk;
beforeEach(() => {
  cleanup = new Cleanup();
  desk = makeDesk(cleanup);
});
afterEach(() => cleanup.run());

type Found = CommandData<"query">["items"][number];

function found(title: string, changes: Partial<Found> = {}): Found {
  return {
    id: "0b4ea0f6-3f34-4a5e-b3a5-4b54f9ed5d8c",
    root_id: "books",
    path: "A/B",
    state: "present",
    title,
    subtitle: null,
    authors: ["Ursula K. Le Guin"],
    narrators: ["Rob Inglis"],
    series: [{ name: "Earthsea", position: "1" }],
    year: 1968,
    publisher: null,
    language: null,
    asin: null,
    isbn: null,
    duration_seconds: 26_000,
    bytes: 200_000_000,
    format: "m4b",
    track_count: 1,
    chapter_count: 10,
    has_cover: true,
    added_at: "2026-01-02T03:04:05.000Z",
    changed_at: "2026-01-02T03:04:05.000Z",
    ...changes,
  };
}

const whole: CommandData<"book"> = {
  ...found("A Wizard of Earthsea"),
  description: null,
  genres: [],
  explicit: null,
  abridged: null,
  reason: "folder",
  review_reason: null,
  cover: null,
  tracks: [
    {
      path: "01.m4b",
      title: null,
      disc: null,
      track: null,
      duration_seconds: 26_000,
      bytes: 200_000_000,
      format: "m4b",
    },
  ],
  chapters: [],
  companions: [],
  provenance: { title: "tags", authors: "user" },
  matches: [],
  candidates: [],
  history: [],
};

describe("query", () => {
  const seen: unknown[] = [];
  const answering = (items: readonly Found[], total = items.length) => ({
    query: {
      run: (input: unknown) => {
        seen.push(input);
        return { data: { items, total, generation: 3, cached: false } };
      },
    },
  });
  beforeEach(() => seen.splice(0));

  test("sends what its flags say and prints a table with the exact total", async () => {
    await startScripted(cleanup, desk, { handlers: answering([found("A Wizard of Earthsea")], 51) });
    const { exitCode, out } = await desk.type([
      "query",
      "wizard",
      "sea",
      "--author",
      "guin",
      "--series",
      "earth",
      "--narrator",
      "rob",
      "--state",
      "present",
      "--sort",
      "author",
      "--limit",
      "1",
      "--offset",
      "50",
    ]);
    expect(exitCode).toBe(0);
    expect(seen).toEqual([
      expect.objectContaining({
        text: "wizard sea",
        author: "guin",
        series: "earth",
        narrator: "rob",
        state: "present",
        sort: "author",
        limit: 1,
        offset: 50,
      }),
    ]);
    expect(out.split("\n")[1]).toMatch(
      /^A Wizard of Earthsea +Ursula K\. Le Guin +Earthsea #1 +Rob Inglis +7 h 13 min +present +0b4ea0f6-\S+$/,
    );
    expect(out).toContain("51 books, 51 to 51 shown");
  });

  test("takes --text for the words", async () => {
    await startScripted(cleanup, desk, { handlers: answering([]) });
    expect(await desk.type(["query", "--text", "1984"])).toMatchObject({
      exitCode: 0,
      out: "No book matches.",
    });
    expect(await desk.type(["query", "1984"])).toMatchObject({ exitCode: 0 });
    expect(seen).toEqual([
      expect.objectContaining({ text: "1984" }),
      expect.objectContaining({ text: "1984" }),
    ]);
  });

  test("prints the answer's data as one JSON document", async () => {
    const items = [found("X")];
    await startScripted(cleanup, desk, { handlers: answering(items) });
    expect(await desk.typeJson(["query"])).toEqual({
      exitCode: 0,
      json: { items, total: 1, generation: 3, cached: false },
    });
  });

  test("lets no title steer the terminal", async () => {
    const title = "\u001b[2J\u001b]0;owned\u0007Evil\u009b31m\u202e\nBook";
    await startScripted(cleanup, desk, { handlers: answering([found(title)]) });
    const { out } = await desk.type(["query"]);
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(out.split("\n")[1]).toMatch(/^Evil31m Book /);
  });

  test("fits the terminal, however wide titles are", async () => {
    const items = [found("獣の奏者".repeat(20)), found("x".repeat(300)), found("é".repeat(50))];
    await startScripted(cleanup, desk, { handlers: answering(items) });
    for (const columns of [40, 80, 120]) {
      const { out } = await desk.type(["query"], { isTerminal: true, columns });
      const lines = out.split("\n").slice(0, 4);
      const places = lines.map((line) =>
        [...line].reduce((sum, letter) => sum + (letter > "\u2e80" ? 2 : 1), 0),
      );
      expect(Math.max(...places)).toBeLessThanOrEqual(columns);
      expect(lines[2]).toContain("…");
      expect(lines[0]).toContain("Title");
    }
  });

  test("colours only where it is asked for", async () => {
    await startScripted(cleanup, desk, { handlers: answering([found("X")]) });
    expect((await desk.type(["query"], { hasColor: true })).out).toContain("\u001b[");
    expect((await desk.type(["query"], { hasColor: false })).out).not.toContain("\u001b[");
  });
});

test("book prints fields with where each came from, and its tracks", async () => {
  await startScripted(cleanup, desk, { handlers: { book: { run: () => ({ data: whole }) } } });
  const { exitCode, out } = await desk.type(["book", whole.id]);
  expect(exitCode).toBe(0);
  expect(out).toMatch(/^Title +A Wizard of Earthsea {2}\(tags\)$/m);
  expect(out).toMatch(/^Authors +Ursula K\. Le Guin {2}\(user\)$/m);
  expect(out).toMatch(/^01\.m4b +7 h 13 min +200 MB$/m);
  expect((await desk.typeJson(["book", whole.id])).json).toEqual(whole);
});

test("set reads lists, series, numbers and empty values", async () => {
  const seen: unknown[] = [];
  const set = {
    run: (input: unknown) => {
      seen.push(input);
      return { data: whole };
    },
  };
  await startScripted(cleanup, desk, { handlers: { set } });
  const fields = [
    "title=1=2",
    "authors=A; B",
    "series=Name #1.5; Other",
    "year=1999",
    "narrators=",
    "subtitle=",
    "explicit=true",
  ];
  expect((await desk.type(["set", "id1", ...fields])).exitCode).toBe(0);
  expect(seen).toEqual([
    expect.objectContaining({
      book: "id1",
      fields: {
        title: "1=2",
        authors: ["A", "B"],
        series: [
          { name: "Name", position: "1.5" },
          { name: "Other", position: null },
        ],
        year: 1999,
        narrators: [],
        subtitle: null,
        explicit: true,
      },
    }),
  ]);
  expect(await desk.type(["set", "id1", "title"])).toMatchObject({
    exitCode: 2,
    err: expect.stringContaining("field=value"),
  });
  expect(await desk.type(["set", "id1", "titel=x"])).toMatchObject({
    exitCode: 2,
    err: expect.stringContaining("titel"),
  });
});

test("operations lists them and cancel ends one", async () => {
  const item = {
    operation_id: "op1",
    kind: "scan",
    state: "failed",
    priority: "normal",
    scope: "books:/A",
    scopes: ["books:/A"],
    percent: 12.5,
    attempts: 1,
    created_at: "2026-01-02T03:04:05.000Z",
    started_at: null,
    finished_at: null,
    transaction: null,
    error: { code: "internal", message: "the disk is gone", retryable: true, details: null },
    summary: null,
  } as const;
  await startScripted(cleanup, desk, {
    handlers: {
      operations: { run: () => ({ data: { items: [item], total: 1 } }) },
      cancel: { run: ({ operation_id = "" }) => ({ data: { operation_id, state: "cancelled" } }) },
    },
  });
  const { out } = await desk.type(["operations", "--state", "failed"]);
  expect(out).toMatch(/^op1 +scan +failed +12 +books:\/A +2026-01-02 03:04:05 +the disk is gone$/m);
  expect(await desk.type(["cancel", "op1"])).toMatchObject({
    exitCode: 0,
    out: "operation op1 is cancelled",
  });
});

test("doctor asks the running runner, prints what to do, and ends with 3 where something is fatal", async () => {
  const data = {
    worst: "fatal",
    checks: [
      { check: "runtime", severity: "ok", message: "Node 24", remedy: null },
      {
        check: "root_exists:books",
        severity: "fatal",
        message: "/books does not exist",
        remedy: "mount its disk",
      },
    ],
  } as const;
  await startScripted(cleanup, desk, { handlers: { diagnose: { run: () => ({ data }) } } });
  const { exitCode, out } = await desk.type(["doctor"]);
  expect(exitCode).toBe(3);
  expect(out).toMatch(/^fatal {2}root_exists:books {2}\/books does not exist\n {7}→ mount its disk$/m);
  expect(await desk.typeJson(["doctor"])).toEqual({ exitCode: 3, json: data });
});

describe("scan", () => {
  const summary = {
    dirs: 3,
    files: 5,
    files_read: 4,
    books: 2,
    added: 2,
    changed: 0,
    missing: 1,
    problem_count: 1,
    problems: [{ path: "A/bad.mp3", code: "unreadable_audio", message: "is cut off" }],
    seconds: 1.5,
    resumed_from: null,
  };

  async function scripted(ended = completed("op1", summary)) {
    const seen: unknown[] = [];
    let isEnded = false;
    const { bus } = await startScripted(cleanup, desk, {
      findOperation: (id) => (isEnded ? { ...ended, id } : operation(id)),
      handlers: {
        scan: {
          run: (input: unknown) => {
            seen.push(input);
            setTimeout(() => {
              isEnded = true;
              bus.operationEnded(ended);
            }, 50);
            return { operationIds: ["op1"] };
          },
        },
      },
    });
    return seen;
  }

  test("waits for the end and prints the summary with its problems", async () => {
    const seen = await scripted();
    const { exitCode, out } = await desk.type([
      "scan",
      "--root",
      "books",
      "--path",
      "A",
      "--force",
      "--priority",
      "high",
    ]);
    expect(exitCode).toBe(0);
    expect(seen).toEqual([
      expect.objectContaining({ root: "books", path: "A", force: true, priority: "high" }),
    ]);
    expect(out).toContain(
      "Scanned 3 folders with 5 files (4 read) in 2 s.\n2 books: 2 new, 0 changed, 1 missing.",
    );
    expect(out).toMatch(/^A\/bad\.mp3 +unreadable_audio +is cut off$/m);
  });

  test("prints the last answer's data as JSON", async () => {
    await scripted();
    const { json } = await desk.typeJson(["scan"]);
    expect(json).toMatchObject({ operation_id: "op1", state: "completed", summary });
  });

  test("does not wait with --no-wait", async () => {
    await scripted();
    expect(await desk.type(["scan", "--no-wait"])).toMatchObject({
      exitCode: 0,
      out: "operation op1 is queued",
    });
  });

  test("understands an absolute path as a folder of its root", async () => {
    const seen = await scripted();
    desk.configure("data_dir: .\nroots: [{path: books}, {path: more, id: m}]\n");
    await desk.type(["scan", `${desk.dir}/more/A/B`]);
    await desk.type(["scan", "./books"]);
    await desk.type(["scan", "A/B", "--root", "m"]);
    expect(seen).toEqual([
      expect.objectContaining({ root: "m", path: "A/B" }),
      expect.objectContaining({ root: "books", path: "" }),
      expect.objectContaining({ root: "m", path: "A/B" }),
    ]);
  });

  test("that fails ends with 1 and says why", async () => {
    const error = { code: "internal", message: "the disk is gone", retryable: true, details: null } as const;
    await scripted({ ...completed("op1"), state: "failed", error });
    expect(await desk.type(["scan"])).toMatchObject({ exitCode: 1, err: "tomekeeper: the disk is gone" });
  });

  test("that the user leaves goes on, and says how to end it", async () => {
    await startScripted(cleanup, desk, {
      findOperation: (id) => operation(id),
      handlers: { scan: { run: () => ({ operationIds: ["op1"] }) } },
    });
    const leaving = new AbortController();
    setTimeout(() => leaving.abort(), 300);
    const { exitCode, err } = await desk.type(["scan"], { signal: leaving.signal });
    expect(exitCode).toBe(130);
    expect(err).toContain("tomekeeper cancel op1");
  });
});

test("an error of the runner ends with 1, a command that it finds wrong with 2", async () => {
  await startScripted(cleanup, desk, {
    handlers: {
      book: {
        run: () => {
          throw new AppError("not_found", "there is no book x");
        },
      },
    },
  });
  expect(await desk.type(["book", "x"])).toMatchObject({
    exitCode: 1,
    err: "tomekeeper: there is no book x",
  });
  expect(await desk.typeJson(["book", "x"])).toMatchObject({
    exitCode: 1,
    json: { error: { code: "not_found" } },
  });
  expect(await desk.type(["query", "--limit", "999"])).toMatchObject({ exitCode: 2 });
});
