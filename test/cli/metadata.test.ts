import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CommandData } from "../../src/bus/topics.ts";
import { wireBook } from "../../src/bus/wire.ts";
import type { Book } from "../../src/domain/book.ts";
import { Cleanup, completed } from "../bus/harness.ts";
import { type Desk, makeDesk, startScripted } from "./scripted-runner.ts";

let cleanup: Cleanup;
let desk: Desk;

beforeEach(() => {
  cleanup = new Cleanup();
  desk = makeDesk(cleanup);
});
afterEach(() => cleanup.run());

const candidate = (id: string, author: string) => ({
  ...{ source: "shelf", id, score: 0.8, reasons: ["title 100 %", "no author to compare"], title: "Dune" },
  ...{ authors: [author], narrators: [], series: [], year: 1965, durationSeconds: 3600 },
});

function book(changes: Partial<Book> = {}): CommandData<"book"> {
  const layers = {
    match: { candidates: [candidate("1", "Frank Herbert"), candidate("2", "Brian Herbert")] },
  };
  return wireBook(
    {
      ...{ id: "b1", rootId: "books", path: "Dune", state: "needs_review", title: "Dune", subtitle: null },
      ...{ authors: [], narrators: [], series: [], year: null, publisher: null, language: null },
      ...{ description: null, genres: [], asin: null, isbn: null, explicit: null, abridged: null },
      ...{ durationSeconds: 3600, sizeBytes: 5, format: "mp3", tracks: [], chapters: [], companions: [] },
      ...{
        cover: null,
        reason: "folder",
        reviewReason: "sources offer 2 books that may be this one",
        layers,
      },
      ...{
        provenance: {},
        fingerprint: "",
        addedAt: "2026-01-01T00:00:00Z",
        changedAt: "2026-01-01T00:00:00Z",
      },
      ...changes,
    },
    [],
  );
}

describe("review", () => {
  let matched: unknown[];
  beforeEach(async () => {
    matched = [];
    await startScripted(cleanup, desk, {
      handlers: {
        query: { run: () => ({ data: { items: [book()], total: 1, generation: 1, cached: false } }) },
        book: { run: () => ({ data: book() }) },
        match: {
          run: ({ book: id, source, id: chosen, reject }) => {
            matched.push({ id, source, chosen, reject });
            return { data: book({ authors: ["Frank Herbert"], layers: {}, state: "present" }) };
          },
        },
      },
    });
  });

  const answering = (...answers: readonly (string | null)[]) => {
    const left = [...answers];
    return { ask: async () => left.shift() ?? null };
  };

  test("shows what may be meant, and takes what is chosen", async () => {
    const { exitCode, out } = await desk.type(["review"], answering("9", "x", "1"));
    expect(exitCode).toBe(0);
    expect(out).toContain("Dune  author unknown  (1 of 1)");
    expect(out).toContain("1) Dune · Frank Herbert · 1965");
    expect(out).toContain("[shelf, 80 %: title 100 %, no author to compare]");
    expect(out).toContain("it is Dune by Frank Herbert");
    expect(matched).toEqual([{ id: "b1", source: "shelf", chosen: "1", reject: false }]);
  });

  test("rejects all of them with n, and does nothing with s, q and at the end of the input", async () => {
    for (const answer of ["s", "", "q", null]) await desk.type(["review"], answering(answer));
    expect(matched).toEqual([]);
    await desk.type(["review"], answering("n"));
    expect(matched).toEqual([{ id: "b1", source: undefined, chosen: undefined, reject: true }]);
  });

  test("is a list where nobody can be asked", async () => {
    expect((await desk.type(["review"])).out).toContain("2) Dune · Brian Herbert");
    expect((await desk.typeJson(["review"])).json).toMatchObject([
      { id: "b1", candidates: [{ id: "1" }, { id: "2" }] },
    ]);
    expect(matched).toEqual([]);
  });
});

describe("fetch", () => {
  test("says what was found, what needs a decision, and who did not answer", async () => {
    const summary = {
      ...{ books: 12, matched: 7, needs_review: 2, not_found: 1, unanswered: 2, changed: 6 },
      ...{ unavailable: ["open-library"], seconds: 3 },
    };
    const inputs: unknown[] = [];
    const { bus } = await startScripted(cleanup, desk, {
      handlers: {
        fetch: {
          run: ({ query, sources, priority }) => {
            inputs.push({ query, sources, priority });
            setTimeout(() => bus.operationEnded(completed("op-1", summary)), 50);
            return { operationIds: ["op-1"] };
          },
        },
      },
      findOperation: (id) => completed(id, summary),
    });
    const { exitCode, out } = await desk.type(["fetch", "--query", "dune", "--source", "shelf"]);
    expect(exitCode).toBe(0);
    expect(inputs).toEqual([{ query: "dune", sources: ["shelf"], priority: "normal" }]);
    expect(out).toContain("Asked about 12 books in 3 s: 7 found, 1 not, 6 changed.");
    expect(out).toContain("2 books need your decision: tomekeeper review");
    expect(out).toContain("No answer from open-library, so nothing is known of 2 books: tomekeeper sources");
  });
});

describe("sources", () => {
  const breaker = {
    ...({ source: "shelf", state: "open", failures: 5, calls: 20, coalesced: 980 } as const),
    ...{ opened_at: "2026-01-01T10:00:00.000Z", next_probe_at: "2026-01-01T10:00:30.000Z" },
    last_error: { code: "source_unavailable", message: "shelf.example answers 503" },
  } as const;

  test("shows how each is, and switches one off and on", async () => {
    const acts: unknown[] = [];
    const { bus } = await startScripted(cleanup, desk, {
      handlers: {
        breaker: {
          run: ({ source, action }) => {
            acts.push([source, action]);
            return { data: { ...breaker, state: action === "reset" ? "closed" : "isolated" } };
          },
        },
      },
    });
    bus.publishState("breaker", breaker);
    bus.publishState("breaker", { ...breaker, source: "attic", state: "closed", next_probe_at: null });
    const { exitCode, out } = await desk.type(["sources"]);
    expect(exitCode).toBe(0);
    expect(out).toMatch(/attic +works +20 +980/);
    expect(out).toMatch(/shelf +left alone +20 +980 +\d\d:\d\d:30 +shelf\.example answers 503/);
    expect((await desk.typeJson(["sources", "shelf"])).json).toMatchObject([
      { source: "shelf", state: "open" },
    ]);
    expect((await desk.type(["sources", "shelf", "--isolate"])).out).toContain("switched off");
    await desk.type(["sources", "shelf", "--reset"]);
    expect(acts).toEqual([
      ["shelf", "isolate"],
      ["shelf", "reset"],
    ]);
    expect((await desk.type(["sources", "--reset"])).exitCode).toBe(2);
    expect((await desk.type(["sources", "nobody"])).exitCode).toBe(1);
  });
});
