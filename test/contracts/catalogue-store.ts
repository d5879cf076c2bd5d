import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BookDraft, BookFields, BookSummary, Track } from "../../src/domain/book.ts";
import type { BookQuery, UnitChange, UnitEntry } from "../../src/domain/catalogue.ts";
import type { Relocation } from "../../src/domain/organize.ts";
import type { TrackTags } from "../../src/domain/scan.ts";
import type { Catalogue } from "../../src/store/ports.ts";

/*
 * Long, because a port has one suite: whoever makes another catalogue runs it with one call, and all of it shares one set-up.
 */

/** Whatever keeps the catalogue; each `open` is a new start of the runner on it. */
export interface CatalogueBackend {
  open(now: () => Date): Promise<Catalogue>;
  close(): Promise<void>;
  dispose(): Promise<void>;
}

interface DraftOptions {
  readonly root?: string;
  readonly fields?: BookFields;
  readonly seconds?: number;
  readonly trackCount?: number;
  readonly fingerprint?: string;
  readonly review?: string | null;
  readonly mtimeMs?: number;
  readonly isBareName?: boolean;
}

function track(path: string, fields: Partial<Track> = {}): Track {
  return {
    path,
    title: null,
    disc: null,
    track: null,
    durationSeconds: 60.5,
    sizeBytes: 1000,
    mtimeMs: 1_700_000_000_000,
    format: "mp3",
    ...fields,
  };
}

export function draft(path: string, options: DraftOptions = {}): BookDraft {
  const { root = "books", seconds = 60.5, trackCount = 1, mtimeMs = 1_700_000_000_000 } = options;
  const review = options.review ?? null;
  return {
    rootId: root,
    path,
    reason: "folder",
    layers: { tags: options.fields ?? { title: path, authors: ["Anna Autor"] } },
    tracks: Array.from({ length: trackCount }, (_, index) =>
      track(`${path}/${index + 1}.mp3`, { durationSeconds: seconds, mtimeMs }),
    ),
    chapters: [{ title: "One", startMs: 0, endMs: 60_500 }],
    companions: [{ path: `${path}/cover.jpg`, kind: "image", sizeBytes: 5 }],
    cover: { kind: "file", path: `${path}/cover.jpg` },
    fingerprint: options.fingerprint ?? `print of ${path}`,
    reviewReason: review,
    titleIsBareName: options.isBareName ?? false,
  };
}

/** A unit whose folder is the book's own. */
export function unit(
  path: string,
  books: readonly { readonly id: string | null; readonly draft: BookDraft }[] = [
    { id: null, draft: draft(path) },
  ],
  rootId = "books",
): UnitChange {
  return { kind: "write", rootId, path, signature: `signature of ${path}`, entries: [], books };
}

const tags: TrackTags = {
  title: "Kapitel 1",
  album: "Titel",
  artists: ["Anna"],
  albumArtists: [],
  composers: [],
  narrators: ["Nora"],
  performers: [],
  disc: 1,
  track: 2,
  subtitle: null,
  year: 1999,
  publisher: null,
  language: "de",
  description: "é\u2028",
  comment: "",
  genres: [],
  asin: null,
  isbn: null,
  explicit: false,
  abridged: null,
  series: ["Reihe"],
  seriesParts: ["0.5"],
  grouping: null,
};

const entries: readonly UnitEntry[] = [
  {
    file: { name: "CD1/01.mp3", sizeBytes: 10, mtimeMs: 1.5 },
    result: {
      ok: true,
      reading: {
        tags,
        durationSeconds: 0,
        bitrateKbps: null,
        chapters: [{ title: "One", startMs: 0, endMs: 10 }],
        hasPicture: true,
        headHash: "0123456789abcdef",
      },
    },
  },
  {
    file: { name: "CD1/02.mp3", sizeBytes: 0, mtimeMs: 2 },
    result: { ok: false, code: "unreadable_audio", message: "empty" },
  },
  { file: { name: "cover.jpg", sizeBytes: 5, mtimeMs: 3 }, result: null },
];

/** What every catalogue promises. */
export function catalogueContract(name: string, createBackend: () => Promise<CatalogueBackend>): void {
  describe(`${name} as a catalogue`, () => {
    let backend: CatalogueBackend;
    let now: Date;
    let catalogue: Catalogue;

    beforeEach(async () => {
      now = new Date("2026-01-01T00:00:00.000Z");
      backend = await createBackend();
      catalogue = await backend.open(() => now);
    });

    afterEach(async () => {
      await backend.close();
      await backend.dispose();
    });

    async function restart(): Promise<void> {
      await backend.close();
      catalogue = await backend.open(() => now);
    }

    function add(path: string, options: DraftOptions = {}): BookSummary {
      const rootId = options.root ?? "books";
      const { added } = catalogue.commit("op-add", [
        unit(path, [{ id: null, draft: draft(path, options) }], rootId),
      ]);
      const [book] = added;
      if (book === undefined) throw new Error(`${path} was not added`);
      return book;
    }

    function titles(query: Partial<BookQuery> = {}): readonly string[] {
      return catalogue.query({ limit: 200, offset: 0, ...query }).items.map(({ title }) => title);
    }

    describe("units", () => {
      test("come in the order of the walk, page by page", () => {
        const paths = ["", "A", "A/b", "A!", "Z", "a", "é", "\u{10000}"];
        catalogue.commit(
          "op",
          paths.toReversed().map((path) => unit(path, [])),
        );
        expect(catalogue.unitsAfter("books", null, 100).map(({ path }) => path)).toEqual(paths);
        expect(catalogue.unitsAfter("books", "A", 2).map(({ path }) => path)).toEqual(["A/b", "A!"]);
        expect(catalogue.unitsAfter("books", "A/a/x", 1).map(({ path }) => path)).toEqual(["A/b"]);
        expect(catalogue.unitsAfter("books", "\u{10000}", 5)).toEqual([]);
        expect(catalogue.unitsAfter("inbox", null, 5)).toEqual([]);
      });

      test("remember their signature, how many books they hold and what was read", async () => {
        const change = unit("A");
        catalogue.commit("op", [{ ...change, entries } as UnitChange]);
        await restart();
        expect(catalogue.unitsAfter("books", null, 5)).toEqual([
          { path: "A", signature: "signature of A", bookCount: 1 },
        ]);
        expect(catalogue.unitEntries("books", "A")).toEqual(entries);
        expect(catalogue.unitEntries("books", "B")).toBeNull();
      });

      test("are replaced by a second write", () => {
        const { added } = catalogue.commit("op", [unit("A")]);
        const again = unit("A", [{ id: added[0]?.id ?? null, draft: draft("A") }]);
        catalogue.commit("op", [{ ...again, signature: "other", entries } as UnitChange]);
        expect(catalogue.unitsAfter("books", null, 5)).toEqual([
          { path: "A", signature: "other", bookCount: 1 },
        ]);
        expect(catalogue.unitEntries("books", "A")).toEqual(entries);
        expect(catalogue.unitCount()).toBe(1);
      });

      test("tell which books they hold, and which books are alike", () => {
        const one = add("A", { fingerprint: "same" });
        const two = add("B", { fingerprint: "same" });
        add("C", { fingerprint: "same", root: "inbox" });
        expect(catalogue.unitBooks("books", "A")).toEqual([
          { id: one.id, path: "A", unitPath: "A", state: "present", fingerprint: "same" },
        ]);
        const alike = catalogue.booksByFingerprint("books", "same");
        expect(alike.map(({ id }) => id).sort()).toEqual([one.id, two.id].sort());
        expect(catalogue.booksByFingerprint("books", "other")).toEqual([]);
      });
    });

    describe("a book", () => {
      test("is given back whole, after a restart too", async () => {
        const fields: BookFields = {
          title: "Der Titel",
          subtitle: "ein Zusatz",
          authors: ["Anna Autor", "Ben"],
          narrators: ["Nora"],
          series: [{ name: "Reihe", position: "0.5" }],
          year: 1999,
          publisher: "Verlag",
          language: "de",
          description: "lang",
          genres: ["Krimi"],
          asin: "B000000000",
          isbn: "9783000000000",
          explicit: false,
          abridged: true,
        };
        const summary = add("A", { fields, trackCount: 3, seconds: 0.1 });
        expect(summary).toMatchObject({
          path: "A",
          state: "present",
          title: "Der Titel",
          durationSeconds: 0.3,
          sizeBytes: 3000,
          format: "mp3",
          trackCount: 3,
          chapterCount: 1,
          hasCover: true,
          addedAt: now.toISOString(),
          changedAt: now.toISOString(),
        });
        await restart();
        const made = draft("A", { fields, trackCount: 3, seconds: 0.1 });
        expect(catalogue.book(summary.id)).toMatchObject({
          ...fields,
          id: summary.id,
          rootId: "books",
          reason: "folder",
          tracks: made.tracks,
          chapters: made.chapters,
          companions: made.companions,
          cover: made.cover,
          layers: made.layers,
          provenance: { title: "tags", authors: "tags" },
          reviewReason: null,
          fingerprint: "print of A",
        });
        expect(catalogue.query({ limit: 5, offset: 0 }).items).toEqual([summary]);
      });

      test("without a title is called by its folder", () => {
        expect(add("Author/Some Folder", { fields: {}, review: "no title" }).title).toBe("Some Folder");
      });

      test("keeps its id, its time of adding and its time of change when nothing of it changed", () => {
        const { id } = add("A");
        now = new Date("2026-01-02T00:00:00.000Z");
        const outcome = catalogue.commit("op-2", [
          unit("A", [{ id, draft: draft("A", { mtimeMs: 1_800_000_000_000 }) }]),
        ]);
        expect(outcome).toMatchObject({ added: [], changed: [], needsReview: [] });
        const book = catalogue.book(id);
        expect(book?.changedAt).toBe("2026-01-01T00:00:00.000Z");
        expect(book?.tracks[0]?.mtimeMs).toBe(1_800_000_000_000);
      });

      test("keeps its id and its time of adding when it changed", () => {
        const { id } = add("A");
        now = new Date("2026-01-02T00:00:00.000Z");
        const { added, changed } = catalogue.commit("op-2", [
          unit("A", [{ id, draft: draft("A", { trackCount: 2 }) }]),
        ]);
        expect(added).toEqual([]);
        expect(changed).toMatchObject([
          { id, trackCount: 2, addedAt: "2026-01-01T00:00:00.000Z", changedAt: "2026-01-02T00:00:00.000Z" },
        ]);
      });

      test("is found by its new words, and no more by its old ones", () => {
        const { id } = add("A", { fields: { title: "Morgen", authors: ["Alt"], narrators: ["Nora"] } });
        const changed = draft("A", { fields: { title: "Abend", authors: ["Neu"], narrators: [] } });
        catalogue.commit("op-2", [unit("A", [{ id, draft: changed }])]);
        expect(titles({ text: "morgen" })).toEqual([]);
        expect(titles({ author: "alt" })).toEqual([]);
        expect(titles({ narrator: "nora" })).toEqual([]);
        expect(titles({ text: "abend" })).toEqual(["Abend"]);
        expect(titles({ author: "neu" })).toEqual(["Abend"]);
      });

      test("is null for an id that never was", () => {
        expect(catalogue.book("no such id")).toBeNull();
      });

      test("names the operations that touched it, the newest first", () => {
        const { id } = add("A");
        catalogue.commit("op-same", [unit("A", [{ id, draft: draft("A") }])]);
        catalogue.commit("op-change", [unit("A", [{ id, draft: draft("A", { trackCount: 2 }) }])]);
        catalogue.commit("op-gone", [{ kind: "vanished", rootId: "books", path: "A" }]);
        expect(catalogue.historyOf(id)).toEqual(["op-gone", "op-change", "op-add"]);
      });
    });

    describe("what an operation has committed", () => {
      const changed = (id: string, trackCount: number): UnitChange =>
        unit("A", [{ id, draft: draft("A", { trackCount }) }]);

      test("is summed up over its commits and restarts, apart from other operations", async () => {
        const { id } = add("A");
        catalogue.commit("op", [unit("B"), unit("C")], 10);
        await restart();
        catalogue.commit("op", [changed(id, 2), unit("D")], 5);
        expect(catalogue.committedBy("op")).toEqual({ added: 3, changed: 1, filesRead: 15 });
        expect(catalogue.committedBy("op-add")).toEqual({ added: 1, changed: 0, filesRead: 0 });
        expect(catalogue.committedBy("op-never")).toEqual({ added: 0, changed: 0, filesRead: 0 });
      });

      test("counts files that were read and changed nothing", () => {
        const { id } = add("A");
        catalogue.commit("op", [unit("A", [{ id, draft: draft("A") }])], 3);
        catalogue.commit("op", [], 4);
        expect(catalogue.committedBy("op")).toEqual({ added: 0, changed: 0, filesRead: 7 });
      });

      test("counts a book once, however often the operation comes upon it", () => {
        const { id } = add("A");
        catalogue.commit("op-add", [changed(id, 2)]);
        expect(catalogue.committedBy("op-add")).toMatchObject({ added: 1, changed: 0 });
        catalogue.commit("op", [changed(id, 3)]);
        catalogue.commit("op", [changed(id, 4)]);
        expect(catalogue.committedBy("op")).toMatchObject({ added: 0, changed: 1 });
      });

      test("counts a book as changed that it missed at first and then found elsewhere", () => {
        const { id } = add("A");
        catalogue.commit("op", [{ kind: "vanished", rootId: "books", path: "A" }]);
        catalogue.commit("op", [unit("B", [{ id, draft: draft("B") }])]);
        expect(catalogue.committedBy("op")).toMatchObject({ added: 0, changed: 1 });
      });
    });

    describe("a missing book", () => {
      test("is one that its unit no longer names", () => {
        const first = add("A");
        const outcome = catalogue.commit("op-2", [unit("A", [{ id: null, draft: draft("A/other") }])]);
        expect(outcome.added.map(({ path }) => path)).toEqual(["A/other"]);
        expect(catalogue.book(first.id)?.state).toBe("missing");
        expect(catalogue.missingBy("op-2").map(({ id }) => id)).toEqual([first.id]);
        expect(catalogue.missingBy("op-add")).toEqual([]);
      });

      test("is one whose unit vanished, and the unit is gone", () => {
        const { id } = add("A");
        catalogue.commit("op-2", [{ kind: "vanished", rootId: "books", path: "A" }]);
        expect(catalogue.unitsAfter("books", null, 5)).toEqual([]);
        expect(catalogue.unitEntries("books", "A")).toBeNull();
        expect(catalogue.book(id)?.state).toBe("missing");
        expect(catalogue.unitBooks("books", "A")).toMatchObject([{ id, state: "missing" }]);
        expect(catalogue.booksByFingerprint("books", "print of A")).toMatchObject([{ id, state: "missing" }]);
      });

      test("is present again, under its id and as a change, when it comes back", () => {
        const { id } = add("A");
        catalogue.commit("op-2", [{ kind: "vanished", rootId: "books", path: "A" }]);
        now = new Date("2026-01-02T00:00:00.000Z");
        const { added, changed } = catalogue.commit("op-3", [unit("A", [{ id, draft: draft("A") }])]);
        expect(added).toEqual([]);
        expect(changed).toMatchObject([{ id, state: "present", addedAt: "2026-01-01T00:00:00.000Z" }]);
        expect(catalogue.missingBy("op-2")).toEqual([]);
      });

      test("is not one that moved to another unit, in whatever order the changes come", () => {
        const gone: UnitChange = { kind: "vanished", rootId: "books", path: "A" };
        for (const goneFirst of [true, false]) {
          const { id } = add("A", { fingerprint: `moves ${goneFirst}` });
          const moved = unit("B", [{ id, draft: draft("B", { fingerprint: `moves ${goneFirst}` }) }]);
          catalogue.commit("op-2", goneFirst ? [gone, moved] : [moved, gone]);
          expect(catalogue.book(id)).toMatchObject({ path: "B", state: "present" });
          expect(catalogue.missingBy("op-2")).toEqual([]);
          catalogue.commit("op-3", [{ kind: "vanished", rootId: "books", path: "B" }]);
        }
      });

      test("is not one that moved in an earlier commit", () => {
        const { id } = add("A");
        catalogue.commit("op-2", [unit("B", [{ id, draft: draft("B") }])]);
        catalogue.commit("op-2", [{ kind: "vanished", rootId: "books", path: "A" }]);
        expect(catalogue.book(id)).toMatchObject({ path: "B", state: "present" });
      });

      test("keeps its path when two books change places", () => {
        const one = add("A");
        const two = add("B");
        catalogue.commit("op-2", [
          unit("A", [{ id: two.id, draft: draft("A", { fingerprint: "print of B" }) }]),
          unit("B", [{ id: one.id, draft: draft("B", { fingerprint: "print of A" }) }]),
        ]);
        expect(catalogue.book(one.id)).toMatchObject({ path: "B", state: "present" });
        expect(catalogue.book(two.id)).toMatchObject({ path: "A", state: "present" });
      });
    });

    describe("what sources say", () => {
      const match = {
        title: "Right",
        authors: ["Anna Autor"],
        sources: { title: "shelf", authors: "shelf" },
        taken: [{ source: "shelf", id: "1", score: 0.9 }],
        candidates: [],
      };
      const offer = {
        ...{ source: "shelf", id: "2", score: 0.7, reasons: ["title 90 %"], title: "Right", authors: [] },
        ...{ narrators: [], series: [], year: null, durationSeconds: null },
      };

      test("stands above the files and below the user, names its source, and survives a scan", () => {
        const { id } = add("A", { fields: { title: "Wrong", authors: ["Anna Autor"] } });
        const outcome = catalogue.setMatch(id, () => match, "op-fetch");
        expect(outcome.changed).toMatchObject([{ id, title: "Right" }]);
        expect(catalogue.book(id)).toMatchObject({ title: "Right", provenance: { title: "shelf" } });
        expect(catalogue.historyOf(id)[0]).toBe("op-fetch");
        catalogue.setFields(id, { title: "Mine" });
        const rescanned = draft("A", { fields: { title: "Wrong again", authors: ["Anna Autor"] } });
        catalogue.commit("op-2", [unit("A", [{ id, draft: rescanned }])]);
        expect(catalogue.book(id)).toMatchObject({
          title: "Mine",
          provenance: { title: "user", authors: "shelf" },
        });
        catalogue.clearFields(id, ["title"]);
        expect(catalogue.book(id)).toMatchObject({ title: "Right" });
        catalogue.setMatch(id, () => null, null);
        expect(catalogue.book(id)).toMatchObject({ title: "Wrong again", provenance: { title: "tags" } });
      });

      test("changes nothing where it says the same again", () => {
        const { id } = add("A");
        catalogue.setMatch(id, () => match, "op-1");
        const before = catalogue.generation();
        expect(catalogue.setMatch(id, () => ({ ...match }), "op-2").changed).toEqual([]);
        expect(catalogue.generation()).toBe(before);
        expect(catalogue.historyOf(id)).not.toContain("op-2");
        expect(() => catalogue.setMatch("nobody", () => match, null)).toThrow(
          expect.objectContaining({ code: "not_found" }),
        );
      });

      test("calls for a decision while there is something to choose, unless the user has set the title", () => {
        const { id } = add("A");
        const unsure = { ...match, title: null, taken: [], candidates: [offer] };
        const outcome = catalogue.setMatch(id, () => ({ candidates: [offer] }), "op-1");
        expect(outcome.needsReview).toMatchObject([{ id, state: "needs_review" }]);
        expect(catalogue.setMatch(id, () => ({ ...unsure }), "op-2").needsReview).toEqual([]);
        expect(catalogue.query({ state: "needs_review", limit: 5, offset: 0 }).total).toBe(1);
        expect(catalogue.setFields(id, { title: "Mine" }).state).toBe("present");
        catalogue.clearFields(id, ["title"]);
        catalogue.setMatch(id, () => match, "op-3");
        expect(catalogue.book(id)).toMatchObject({ state: "present", reviewReason: null });
      });

      test("may give a cover, where the book has none of its own", () => {
        const { id } = add("A");
        const own = catalogue.book(id)?.cover ?? null;
        catalogue.setMatch(id, () => ({ ...match, coverFile: "covers/x.jpg" }), null);
        expect(catalogue.book(id)?.cover).toEqual(own ?? { kind: "fetched", path: "covers/x.jpg" });
        expect(catalogue.query({ limit: 1, offset: 0 }).items[0]?.hasCover).toBe(true);
      });

      test("begins below the files where it is a guess", () => {
        const { id } = add("A", { fields: { title: "Title" }, review: "no author" });
        catalogue.setMatch(id, () => ({ guess: { title: "Guess", authors: ["Ann Guess"] } }), null);
        expect(catalogue.book(id)).toMatchObject({
          title: "Title",
          authors: ["Ann Guess"],
          provenance: { title: "tags", authors: "ai" },
          state: "needs_review",
          reviewReason: "title or author are a guess",
        });
      });

      test("the places in series are those of all books that are not missing", () => {
        const series = [{ name: "Saga", position: "2" }];
        const { id } = add("A", { fields: { title: "x", authors: ["Anna Autor", "Ben"], series } });
        add("B", { fields: { title: "y" } });
        const { id: other } = add("C", {
          fields: { title: "z", series: [{ name: "Saga", position: null }] },
        });
        const place = { bookId: id, series: "Saga", position: "2", author: "Anna Autor" };
        const first = catalogue.seriesPlaces(0, 2);
        expect(first).toEqual({ places: [place], next: expect.any(Number) });
        expect(catalogue.seriesPlaces(first.next ?? 0, 2)).toEqual({
          places: [expect.objectContaining({ bookId: other, position: null })],
          next: null,
        });
      });
    });

    describe("review", () => {
      test("is needed where the scan says so, and told once", () => {
        const first = catalogue.commit("op-1", [
          unit("A", [{ id: null, draft: draft("A", { fields: { title: "x" }, review: "no author" }) }]),
        ]);
        expect(first.needsReview).toMatchObject([{ path: "A", state: "needs_review" }]);
        const id = first.added[0]?.id ?? "";
        const changed = draft("A", { fields: { title: "y" }, review: "no author" });
        const second = catalogue.commit("op-2", [unit("A", [{ id, draft: changed }])]);
        expect(second.changed).toMatchObject([{ state: "needs_review" }]);
        expect(second.needsReview).toEqual([]);
        expect(catalogue.book(id)?.reviewReason).toBe("no author");
      });

      test("ends with a correction and begins again when it is taken back", () => {
        const { id } = add("A", { fields: { title: "x" }, review: "no author" });
        expect(catalogue.setFields(id, { authors: ["Anna"] })).toMatchObject({
          state: "present",
          reviewReason: null,
        });
        expect(catalogue.clearFields(id, ["authors"])).toMatchObject({
          state: "needs_review",
          reviewReason: "no author",
        });
      });
    });

    describe("a correction", () => {
      test("wins over the scan, survives it and a restart, and is found", async () => {
        const { id } = add("A", { fields: { title: "Falsch", authors: ["Anna"], year: 1999 } });
        now = new Date("2026-01-02T00:00:00.000Z");
        const book = catalogue.setFields(id, { title: "Richtig", year: null, authors: undefined as never });
        expect(book).toMatchObject({
          title: "Richtig",
          year: null,
          authors: ["Anna"],
          provenance: { title: "user", year: "user", authors: "tags" },
          changedAt: "2026-01-02T00:00:00.000Z",
        });
        const rescanned = draft("A", { fields: { title: "Neu", authors: ["Ben"], year: 2000 } });
        catalogue.commit("op-2", [unit("A", [{ id, draft: rescanned }])]);
        await restart();
        expect(catalogue.book(id)).toMatchObject({ title: "Richtig", year: null, authors: ["Ben"] });
        expect(titles({ text: "richtig" })).toEqual(["Richtig"]);
        expect(titles({ text: "neu" })).toEqual([]);
      });

      test("adds to the corrections before it, and is taken back field by field", () => {
        const { id } = add("A", { fields: { title: "x", authors: ["Anna"] } });
        catalogue.setFields(id, { title: "y" });
        catalogue.setFields(id, { authors: ["Ben"] });
        expect(catalogue.book(id)).toMatchObject({ title: "y", authors: ["Ben"] });
        expect(catalogue.clearFields(id, ["title", "isbn"])).toMatchObject({ title: "x", authors: ["Ben"] });
        expect(catalogue.clearFields(id, ["authors"]).layers).toEqual({
          tags: { title: "x", authors: ["Anna"] },
        });
      });

      test("does not bring a missing book back", () => {
        const { id } = add("A");
        catalogue.commit("op-2", [{ kind: "vanished", rootId: "books", path: "A" }]);
        expect(catalogue.setFields(id, { title: "y" })).toMatchObject({ title: "y", state: "missing" });
        expect(catalogue.missingBy("op-2")).toMatchObject([{ id, title: "y" }]);
      });

      test("of an unknown book is refused", () => {
        expect(() => catalogue.setFields("nobody", { title: "x" })).toThrow(
          expect.objectContaining({ code: "not_found" }),
        );
        expect(() => catalogue.clearFields("nobody", ["title"])).toThrow(
          expect.objectContaining({ code: "not_found" }),
        );
      });
    });

    describe("a query", () => {
      beforeEach(() => {
        const books: readonly BookFields[] = [
          {
            title: "Thérèse Raquin",
            authors: ["Émile Zola"],
            narrators: ["Nora Nagel"],
            series: [{ name: "Œuvres", position: "1" }],
          },
          { title: "Catch-22", authors: ["Joseph Heller"], narrators: ["Jay O'Sanders"] },
          { title: "1984", authors: ["George Orwell"], narrators: ["Nora Nagel", "Ben Bass"] },
          { title: "Straßenmusik", authors: ["Søren Ægir", "George Orwell"] },
          { title: "羊をめぐる冒険", authors: ["村上春樹"] },
        ];
        for (const [index, fields] of books.entries()) add(`Book ${index}`, { fields });
      });

      test.each([
        ["therese", ["Thérèse Raquin"]],
        ["THÉRÈSE  raq", ["Thérèse Raquin"]],
        ["raquin zola nora", ["Thérèse Raquin"]],
        ["oeuvres", ["Thérèse Raquin"]],
        ["catch 22", ["Catch-22"]],
        ["catch-22", ["Catch-22"]],
        ["o'sand", ["Catch-22"]],
        ["22", ["Catch-22"]],
        ["84", []],
        ["strassen", ["Straßenmusik"]],
        ["soren aegir", ["Straßenmusik"]],
        ["冒険", ["羊をめぐる冒険"]],
        ["春樹", ["羊をめぐる冒険"]],
        ["orwell", ["1984", "Straßenmusik"]],
        ['"orwell" OR zola NOT', []],
        ["title:1984", []],
        ["* ( ) \" ' ^ -", []],
        ["NEAR(orwell, 2)", []],
      ])("for the text %j finds %j", (text, expected) => {
        expect(titles({ text })).toEqual(expected);
      });

      test("without anything but spaces in the text finds all", () => {
        expect(titles({ text: "  " })).toHaveLength(5);
      });

      test("finds an author, a narrator or a series by any part of the name, and by all of them together", () => {
        expect(titles({ author: "george orwell" })).toEqual(["1984", "Straßenmusik"]);
        expect(titles({ author: "RWEL" })).toEqual(["1984", "Straßenmusik"]);
        expect(titles({ author: "emile z" })).toEqual(["Thérèse Raquin"]);
        expect(titles({ author: "nora" })).toEqual([]);
        expect(titles({ narrator: "nagel" })).toEqual(["1984", "Thérèse Raquin"]);
        expect(titles({ series: "œuvr" })).toEqual(["Thérèse Raquin"]);
        expect(titles({ narrator: "nagel", author: "orwell" })).toEqual(["1984"]);
        expect(titles({ narrator: "nagel", text: "raquin" })).toEqual(["Thérèse Raquin"]);
        expect(titles({ narrator: "nagel", author: "heller" })).toEqual([]);
        expect(titles({ author: "l\ng" })).toEqual([]);
        expect(titles({ author: "%" })).toEqual([]);
      });

      test("finds a name that was added after the first query", () => {
        expect(titles({ author: "neumann" })).toEqual([]);
        add("New", { fields: { title: "Neu", authors: ["Nina Neumann"] } });
        expect(titles({ author: "neumann" })).toEqual(["Neu"]);
      });

      test("pages through all matches with an exact total, also past the end", () => {
        const all = titles();
        expect(all).toHaveLength(5);
        const seen: string[] = [];
        for (let offset = 0; offset < 6; offset += 2) {
          const page = catalogue.query({ limit: 2, offset });
          expect(page.total).toBe(5);
          seen.push(...page.items.map(({ title }) => title));
        }
        expect(seen).toEqual(all);
        expect(catalogue.query({ text: "orwell", limit: 1, offset: 1 })).toMatchObject({
          items: [{ title: "Straßenmusik" }],
          total: 2,
        });
        expect(catalogue.query({ limit: 2, offset: 100 })).toEqual({ items: [], total: 5 });
      });

      test("filters by state", () => {
        const review = add("Review", { fields: { title: "Prüfen" }, review: "no author" });
        const gone = add("Gone", { fields: { title: "Weg", authors: ["George Orwell"] } });
        catalogue.commit("op-2", [{ kind: "vanished", rootId: "books", path: "Gone" }]);
        expect(titles({ state: "needs_review" })).toEqual(["Prüfen"]);
        expect(titles({ state: "missing" })).toEqual(["Weg"]);
        expect(titles({ state: "present" })).toHaveLength(5);
        expect(titles({ state: "offline" })).toEqual([]);
        expect(titles()).toHaveLength(7);
        expect(titles({ state: "missing", author: "orwell" })).toEqual(["Weg"]);
        expect(titles({ state: "present", author: "orwell" })).toEqual(["1984", "Straßenmusik"]);
        expect(catalogue.query({ state: "present", limit: 1, offset: 0 }).total).toBe(5);
        expect([review.state, gone.state]).toEqual(["needs_review", "present"]);
      });
    });

    describe("the order", () => {
      function addAll(books: readonly (BookFields & { readonly seconds?: number })[]): void {
        for (const [index, { seconds = 60, ...fields }] of books.entries()) {
          now = new Date(Date.UTC(2026, 0, 1) + index);
          add(`Book ${index}`, { fields, seconds });
        }
      }

      test("by title is that of folded text, nothing ignored", () => {
        addAll([
          { title: "The B" },
          { title: "étude" },
          { title: "Apfel" },
          { title: "zoo" },
          { title: "Eule" },
        ]);
        expect(titles({ sort: "title" })).toEqual(["Apfel", "étude", "Eule", "The B", "zoo"]);
        expect(titles()).toEqual(titles({ sort: "title" }));
      });

      test("by author is that of the first one, then by title, books without one last", () => {
        addAll([
          { title: "2", authors: ["Ben", "Anna"] },
          { title: "0" },
          { title: "1", authors: ["ben"] },
          { title: "3", authors: ["Anna"] },
        ]);
        expect(titles({ sort: "author" })).toEqual(["3", "1", "2", "0"]);
      });

      test("by series is natural in the position, books without a series last", () => {
        const positions = ["10", "2", "1a", "1-3", "1", "0.5", "1.5", "1-10", "Prolog", null];
        addAll([
          { title: "none" },
          ...positions.map((position) => ({ title: `${position}`, series: [{ name: "R", position }] })),
          { title: "other", series: [{ name: "A", position: "7" }] },
        ]);
        expect(titles({ sort: "series" })).toEqual([
          "other",
          "0.5",
          "1",
          "1-3",
          "1-10",
          "1a",
          "1.5",
          "2",
          "10",
          "Prolog",
          "null",
          "none",
        ]);
      });

      test("by time of adding and by duration begins with the oldest and the shortest", () => {
        addAll([
          { title: "b", seconds: 30 },
          { title: "a", seconds: 7200.5 },
          { title: "c", seconds: 5 },
        ]);
        expect(titles({ sort: "added" })).toEqual(["b", "a", "c"]);
        expect(titles({ sort: "duration" })).toEqual(["c", "b", "a"]);
      });

      test("is the same from page to page where everything is equal", () => {
        const fields = { title: "Same", authors: ["Same"], series: [{ name: "S", position: "1" }] };
        for (let index = 0; index < 30; index++) add(`Book ${index}`, { fields });
        for (const sort of ["title", "author", "series", "added", "duration"] as const) {
          const whole = catalogue.query({ sort, limit: 200, offset: 0 }).items.map(({ id }) => id);
          const paged: string[] = [];
          for (let offset = 0; offset < 30; offset += 7) {
            paged.push(...catalogue.query({ sort, limit: 7, offset }).items.map(({ id }) => id));
          }
          expect(paged).toEqual(whole);
          expect(new Set(whole).size).toBe(30);
        }
      });

      test("is that of the matches too, asked once or again, and after a change", () => {
        const titled = (index: number): string =>
          `${String((index * 7) % 30).padStart(2, "0")} ${index % 3 === 0 ? "fox" : "dog"}`;
        for (let index = 0; index < 30; index++) add(`Book ${index}`, { fields: { title: titled(index) } });
        const foxes = Array.from({ length: 30 }, (_, index) => titled(index))
          .filter((title) => title.endsWith("fox"))
          .sort();
        const page = (offset: number) =>
          catalogue.query({ text: "fox", sort: "title", limit: 4, offset }).items;
        for (let asked = 0; asked < 3; asked++) {
          const paged = [0, 4, 8, 12].flatMap(page).map(({ title }) => title);
          expect(paged).toEqual(foxes);
        }
        add("Book 30", { fields: { title: "00 a fox" } });
        for (let asked = 0; asked < 3; asked++) expect(page(0)[1]?.title).toBe("00 fox");
        for (let asked = 0; asked < 3; asked++) expect(page(0)[0]?.title).toBe("00 a fox");
      });
    });

    describe("a relocation", () => {
      const moved = (from: string, to: string, sourceStays: boolean): Relocation => ({
        bookId: catalogue.query({ limit: 1, offset: 0 }).items[0]?.id ?? "",
        to: { rootId: "books", path: to, unitPath: to },
        files: [
          {
            from: { rootId: "inbox", path: `${from}/1.mp3` },
            to: { rootId: "books", path: `${to}/Title.mp3` },
            sizeBytes: 1000,
            mtimeMs: 1_700_000_000_000,
            sha256: "a".repeat(64),
          },
          {
            from: { rootId: "inbox", path: `${from}/cover.jpg` },
            to: { rootId: "books", path: `${to}/cover.jpg` },
            sizeBytes: 5,
            mtimeMs: 5,
            sha256: null,
          },
        ],
        sourceStays,
      });
      const addToInbox = (): string => {
        const made = draft("Download", { root: "inbox" });
        const entries: readonly UnitEntry[] = [
          {
            file: { name: "1.mp3", sizeBytes: 1000, mtimeMs: 1_700_000_000_000 },
            result: { ok: false, code: "unreadable_audio", message: "x" },
          },
          { file: { name: "cover.jpg", sizeBytes: 5, mtimeMs: 5 }, result: null },
        ];
        const change = unit("Download", [{ id: null, draft: made }], "inbox");
        catalogue.commit("op", [{ ...change, entries } as UnitChange]);
        return catalogue.query({ limit: 1, offset: 0 }).items[0]?.id ?? "";
      };

      test("takes a book with its id, its user's word and its files to another root", () => {
        const id = addToInbox();
        catalogue.setFields(id, { title: "Mine" });
        const { changed } = catalogue.relocate("op-2", [moved("Download", "Author/Title", false)]);
        expect(changed.map((book) => book.id)).toEqual([id]);
        const book = catalogue.book(id);
        expect(book).toMatchObject({
          rootId: "books",
          path: "Author/Title",
          title: "Mine",
          state: "present",
        });
        expect(book?.tracks.map(({ path }) => path)).toEqual(["Author/Title/Title.mp3"]);
        expect(book?.companions.map(({ path }) => path)).toEqual(["Author/Title/cover.jpg"]);
        expect(book?.cover?.path).toBe("Author/Title/cover.jpg");
        expect(catalogue.historyOf(id)[0]).toBe("op-2");
        expect(catalogue.unitEntries("inbox", "Download")).toBeNull();
        expect(catalogue.unitEntries("books", "Author/Title")?.map(({ file }) => file.name)).toEqual([
          "Title.mp3",
          "cover.jpg",
        ]);
        const { roots, books } = catalogue.totals();
        expect([books, roots["books"]?.books, roots["inbox"]?.books ?? 0]).toEqual([1, 1, 0]);
        expect(catalogue.query({ text: "mine", limit: 5, offset: 0 }).total).toBe(1);
        expect(
          catalogue.placedFiles({ rootId: "books", under: "Author", after: null, limit: 5 }),
        ).toMatchObject([
          { path: "Author/Title/Title.mp3", bookId: id, operationId: "op-2", sizeBytes: 1000 },
        ]);
      });

      test("forgets nothing that only the names of its old folders said", () => {
        const folder = {
          title: "Title",
          authors: ["Folder Author"],
          narrators: ["Nora"],
          asin: "B000000001",
        };
        const made = draft("Download", { root: "inbox", fields: { authors: ["Tag Author"] } });
        const layers = { ...made.layers, folder };
        catalogue.commit("op", [unit("Download", [{ id: null, draft: { ...made, layers } }], "inbox")]);
        const id = catalogue.query({ limit: 1, offset: 0 }).items[0]?.id ?? "";
        catalogue.relocate("op-2", [moved("Download", "Author/Title", false)]);
        const placed = draft("Author/Title", { root: "books", fields: { authors: ["Tag Author"] } });
        const renamed = {
          ...placed,
          layers: { ...placed.layers, folder: { title: "Title", narrators: ["Nina"] } },
        };
        catalogue.commit("op-3", [unit("Author/Title", [{ id, draft: renamed }], "books")]);
        expect(catalogue.book(id)).toMatchObject({
          title: "Title",
          authors: ["Tag Author"],
          narrators: ["Nina"],
          asin: "B000000001",
          provenance: { asin: "folder", narrators: "folder", authors: "tags" },
        });
      });

      test("of a book that keeps its folder follows the names of its files", () => {
        const id = addToInbox();
        catalogue.relocate("op-2", [moved("Download", "Author/Title", false)]);
        const place = (name: string) => ({ rootId: "books", path: `Author/Title/${name}` });
        const renamed: Relocation = {
          bookId: id,
          to: { rootId: "books", path: "Author/Title", unitPath: "Author/Title" },
          files: [
            {
              from: place("Title.mp3"),
              to: place("Title - 01.mp3"),
              sizeBytes: 1000,
              mtimeMs: 1_700_000_000_000,
              sha256: "b".repeat(64),
            },
          ],
          sourceStays: false,
        };
        expect(catalogue.relocate("op-3", [renamed]).changed.map((book) => book.id)).toEqual([id]);
        expect(catalogue.book(id)?.tracks.map(({ path }) => path)).toEqual(["Author/Title/Title - 01.mp3"]);
        expect(catalogue.unitEntries("books", "Author/Title")?.map(({ file }) => file.name)).toEqual([
          "Title - 01.mp3",
          "cover.jpg",
        ]);
        const placed = catalogue.placedFiles({ rootId: "books", under: "", after: null, limit: 5 });
        expect(placed).toMatchObject([{ path: "Author/Title/Title - 01.mp3", operationId: "op-3" }]);
        expect(catalogue.unitsAfter("books", null, 5)).toMatchObject([{ bookCount: 1 }]);
        expect(catalogue.relocate("op-3", [renamed]).changed).toEqual([]);
      });

      test("done twice changes nothing, and a book that is not known is passed over", () => {
        addToInbox();
        const relocation = moved("Download", "Author/Title", false);
        catalogue.relocate("op-2", [relocation]);
        const generation = catalogue.generation();
        expect(catalogue.relocate("op-2", [relocation]).changed).toEqual([]);
        expect(catalogue.relocate("op-2", [{ ...relocation, bookId: "nobody" }]).changed).toEqual([]);
        expect(catalogue.generation()).toBe(generation);
        expect(catalogue.totals().books).toBe(1);
      });

      test("remembers where a copy came from, and forgets it when the book goes back", () => {
        const id = addToInbox();
        catalogue.relocate("op-2", [moved("Download", "Author/Title", true)]);
        expect(catalogue.originsOf("inbox", "Download").map(({ name }) => name)).toEqual([
          "1.mp3",
          "cover.jpg",
        ]);
        expect(catalogue.unitsAfter("inbox", null, 5)).toMatchObject([{ path: "Download", bookCount: 0 }]);
        const back = moved("Download", "Author/Title", false);
        catalogue.relocate("op-3", [
          {
            bookId: id,
            to: { rootId: "inbox", path: "Download", unitPath: "Download" },
            files: back.files.map((file) => ({ ...file, from: file.to, to: file.from, sha256: null })),
            sourceStays: false,
          },
        ]);
        expect(catalogue.book(id)).toMatchObject({ rootId: "inbox", path: "Download" });
        expect(catalogue.originsOf("inbox", "Download")).toEqual([]);
        expect(catalogue.unitsAfter("books", null, 5)).toEqual([]);
        expect(catalogue.placedFiles({ rootId: "books", under: "", after: null, limit: 5 })).toEqual([]);
        expect(catalogue.totals()).toMatchObject({ books: 1, missing: 0 });
      });

      test("is kept over a restart, as are the files that were found to have rotten", async () => {
        addToInbox();
        catalogue.relocate("op-2", [moved("Download", "Author/Title", false)]);
        const place = { rootId: "books", path: "Author/Title/Title.mp3" };
        catalogue.markRotten(place, "2026-01-01T00:00:00.000Z");
        catalogue.saveVerifyPosition("op-4", "here");
        await restart();
        expect(catalogue.rottenFiles()).toMatchObject({ count: 1, first: [place] });
        expect(catalogue.verifyPosition("op-4")).toBe("here");
        catalogue.markRotten(place, null);
        catalogue.saveVerifyPosition("op-4", null);
        expect(catalogue.rottenFiles().count).toBe(0);
        expect(catalogue.verifyPosition("op-4")).toBeNull();
      });
    });

    describe("roots", () => {
      test("that are offline make their books offline, and nothing else of them", () => {
        const { id } = add("A", { root: "books" });
        const review = add("R", { root: "books", fields: { title: "r" }, review: "no author" });
        add("B", { root: "inbox", fields: { title: "b", authors: ["Ben"] } });
        catalogue.configureRoots([{ id: "books" }, { id: "inbox" }]);
        catalogue.setRootOnline("books", false);
        expect(catalogue.book(id)?.state).toBe("offline");
        expect(titles({ state: "offline" }).toSorted()).toEqual(["A", "r"]);
        expect(titles({ state: "offline", author: "anna" })).toEqual(["A"]);
        expect(titles({ state: "present" })).toEqual(["b"]);
        expect(titles({ state: "present", author: "anna" })).toEqual([]);
        expect(titles({ state: "present", author: "b" })).toEqual(["b"]);
        expect(titles({ state: "needs_review" })).toEqual([]);
        expect(catalogue.totals()).toMatchObject({ books: 1, authors: 1, needsReview: 0 });
        expect(catalogue.totals().roots["books"]).toMatchObject({ books: 0 });
        expect(catalogue.unitBooks("books", "A")).toMatchObject([{ state: "present" }]);
        expect(catalogue.knownBooks("books")).toBe(2);
        catalogue.setRootOnline("books", true);
        expect(catalogue.book(id)?.state).toBe("present");
        expect(catalogue.book(review.id)?.state).toBe("needs_review");
        expect(titles({ state: "offline" })).toEqual([]);
      });

      test("that are no longer configured do the same, until they are again", () => {
        const { id } = add("A");
        add("B", { root: "inbox" });
        catalogue.configureRoots([{ id: "inbox" }]);
        expect(catalogue.book(id)?.state).toBe("offline");
        expect(Object.keys(catalogue.totals().roots)).toEqual(["inbox"]);
        expect(catalogue.totals().books).toBe(1);
        catalogue.configureRoots([{ id: "books" }, { id: "inbox" }]);
        expect(catalogue.book(id)?.state).toBe("present");
        expect(catalogue.totals().books).toBe(2);
      });
    });

    describe("totals", () => {
      test("of nothing are nothing", () => {
        catalogue.configureRoots([{ id: "books" }]);
        const nothing = {
          books: 0,
          authors: 0,
          series: 0,
          files: 0,
          bytes: 0,
          durationSeconds: 0,
          missing: 0,
          needsReview: 0,
          lastScan: null,
        };
        expect(catalogue.totals()).toEqual({ ...nothing, roots: { books: nothing } });
      });

      test("count present books, each author and series once over all roots", async () => {
        const series = [{ name: "Reihe", position: "1" }];
        add("A", { fields: { title: "a", authors: ["Émile", "Ben"], series }, trackCount: 2, seconds: 0.1 });
        add("B", { fields: { title: "b", authors: ["emile"], series }, trackCount: 1 });
        add("C", { root: "inbox", fields: { title: "c", authors: ["Emile"], series } });
        add("D", { fields: { title: "d" }, review: "no author" });
        add("E", { fields: { title: "e", authors: ["Gone"] } });
        catalogue.commit("op-2", [{ kind: "vanished", rootId: "books", path: "E" }]);
        catalogue.scanEnded("books", "2026-01-01T05:00:00.000Z");
        catalogue.scanEnded("inbox", "2026-01-01T04:00:00.000Z");
        catalogue.configureRoots([{ id: "books" }, { id: "inbox" }]);
        await restart();
        expect(catalogue.totals()).toEqual({
          books: 4,
          authors: 2,
          series: 1,
          files: 5,
          bytes: 5000,
          durationSeconds: 181.7,
          missing: 1,
          needsReview: 1,
          lastScan: "2026-01-01T05:00:00.000Z",
          roots: {
            books: {
              books: 3,
              authors: 2,
              series: 1,
              files: 4,
              bytes: 4000,
              durationSeconds: 121.2,
              missing: 1,
              needsReview: 1,
              lastScan: "2026-01-01T05:00:00.000Z",
            },
            inbox: {
              books: 1,
              authors: 1,
              series: 1,
              files: 1,
              bytes: 1000,
              durationSeconds: 60.5,
              missing: 0,
              needsReview: 0,
              lastScan: "2026-01-01T04:00:00.000Z",
            },
          },
        });
      });
    });

    test("the generation rises with every write to a book, and with a root that goes or comes", () => {
      const seen = [catalogue.generation()];
      const { id } = add("A");
      seen.push(catalogue.generation());
      catalogue.setFields(id, { title: "x" });
      seen.push(catalogue.generation());
      catalogue.commit("op-2", [{ kind: "vanished", rootId: "books", path: "A" }]);
      seen.push(catalogue.generation());
      catalogue.setRootOnline("books", false);
      seen.push(catalogue.generation());
      catalogue.configureRoots([]);
      seen.push(catalogue.generation());
      expect(seen).toEqual([...new Set(seen)].toSorted((a, b) => a - b));
      catalogue.query({ limit: 1, offset: 0 });
      catalogue.totals();
      expect(catalogue.generation()).toBe(seen.at(-1));
    });

    test("a commit that fails changes nothing", () => {
      const { id } = add("A", { fields: { title: "a", authors: ["Anna"] } });
      const before = { totals: catalogue.totals(), books: catalogue.query({ limit: 5, offset: 0 }) };
      const bad = draft("C", { fields: { title: "c", authors: ["Carl"] } });
      const broken = { ...bad, fingerprint: Symbol("no text") as unknown as string };
      expect(() =>
        catalogue.commit("op-2", [
          { kind: "vanished", rootId: "books", path: "A" },
          unit("B", [{ id: null, draft: draft("B", { fields: { title: "b", authors: ["Ben"] } }) }]),
          unit("C", [{ id: null, draft: broken }]),
        ]),
      ).toThrow();
      expect({ totals: catalogue.totals(), books: catalogue.query({ limit: 5, offset: 0 }) }).toEqual(before);
      expect(catalogue.unitBooks("books", "A")).toMatchObject([{ id, state: "present" }]);
      add("C", { fields: { title: "c", authors: ["Carl"] } });
      expect(titles({ text: "c" })).toEqual(["c"]);
      expect(titles({ text: "ben" })).toEqual([]);
      expect(catalogue.totals()).toMatchObject({ books: 2, authors: 2 });
    });

    test("what was flushed is there after a restart", async () => {
      add("A");
      await Promise.all([catalogue.flush(), catalogue.flush()]);
      await restart();
      expect(titles()).toEqual(["A"]);
    });
  });
}
