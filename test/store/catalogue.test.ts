import { appendFile, readFile, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { UnitChange } from "../../src/domain/catalogue.ts";
import { type CatalogueFile, openCatalogue } from "../../src/store/catalogue.ts";
import { catalogueContract, draft, unit } from "../contracts/catalogue-store.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

catalogueContract("an SQLite file", async () => {
  const folder = await makeTree();
  let catalogue: CatalogueFile | null = null;
  return {
    open: async (now) => {
      catalogue = openCatalogue(folder.at("catalogue.db"), now);
      return catalogue;
    },
    close: async () => {
      catalogue?.verify();
      await catalogue?.close();
      catalogue = null;
    },
    dispose: () => folder.dispose(),
  };
});

let folder: Tree;

beforeEach(async () => {
  folder = await makeTree();
});

afterEach(() => folder.dispose());

function open(): CatalogueFile {
  return openCatalogue(folder.at("catalogue.db"), () => new Date("2026-01-01T00:00:00.000Z"));
}

test("the history of the books keeps the newest 10,000 operations", async () => {
  const first = open();
  first.commit("op-first", [unit("Author/A")], 0);
  const [book] = first.query({ limit: 1, offset: 0 }).items;
  await first.close();
  const database = new DatabaseSync(folder.at("catalogue.db"));
  const addOperation = database.prepare("INSERT INTO operations (number, id) VALUES (?, ?)");
  const addHistory = database.prepare(
    "INSERT INTO book_history SELECT book, ? FROM book_history WHERE operation = 1",
  );
  database.exec("BEGIN");
  for (let number = 2; number < 11_000; number++) {
    addOperation.run(number, `op-${number}`);
    addHistory.run(number);
  }
  database.exec("COMMIT");
  database.close();
  const catalogue = open();
  catalogue.commit(
    "op-last",
    [unit("Author/A", [{ id: book?.id ?? null, draft: draft("Author/A", { seconds: 90 }) }])],
    0,
  );
  expect(catalogue.historyOf(book?.id ?? "").slice(0, 2)).toEqual(["op-last", "op-10999"]);
  await catalogue.close();
  const after = new DatabaseSync(folder.at("catalogue.db"));
  expect(after.prepare("SELECT MIN(operation) AS oldest FROM book_history").get()).toEqual({ oldest: 1001 });
  expect(after.prepare("SELECT MIN(number) AS oldest FROM operations").get()).toEqual({ oldest: 1001 });
  after.close();
});

describe("a file that is not ours to write", () => {
  test.each([
    ["is no database", "store_damaged", async () => writeFile(folder.at("catalogue.db"), "x".repeat(20_000))],
    [
      "is a database of another program",
      "store_damaged",
      async () => {
        const database = new DatabaseSync(folder.at("catalogue.db"));
        database.exec("CREATE TABLE planets (name TEXT)");
        database.close();
      },
    ],
    [
      "was written by a newer version",
      "store_newer",
      async () => {
        await open().close();
        const database = new DatabaseSync(folder.at("catalogue.db"));
        database.exec("PRAGMA user_version = 9999");
        database.close();
      },
    ],
  ])("because it %s is refused as %s and left as it is", async (_why, code, make) => {
    await make();
    const before = await readFile(folder.at("catalogue.db"));
    expect(open).toThrow(expect.objectContaining({ code }));
    expect(await readFile(folder.at("catalogue.db"))).toEqual(before);
  });
});

test("damage inside the database is found by looking through it", async () => {
  const catalogue = open();
  for (let index = 0; index < 50; index++) catalogue.commit("op", [unit(`Book ${index}`)]);
  await catalogue.close();
  const file = folder.at("catalogue.db");
  const content = await readFile(file);
  content.fill(0xff, content.length - 3 * 8192, content.length - 8192);
  await writeFile(file, content);
  const damaged = open();
  expect(() => damaged.verify()).toThrow(expect.objectContaining({ code: "store_damaged" }));
  await damaged.close();
});

test("an empty file is a new catalogue", async () => {
  await appendFile(folder.at("catalogue.db"), "");
  const catalogue = open();
  expect(catalogue.totals().books).toBe(0);
  await catalogue.close();
});

test("leaves one file behind when it is closed", async () => {
  const catalogue = open();
  catalogue.commit("op", [unit("A")]);
  await catalogue.close();
  const again = new DatabaseSync(folder.at("catalogue.db"), { readOnly: true });
  expect(again.prepare("SELECT count(*) AS books FROM books").get()).toEqual({ books: 1 });
  again.close();
});

describe("with whatever a scan does", () => {
  const roots = ["books", "inbox"];
  const authors = fc.subarray(["Anna", "anna", "Ben", "Émile", "emile"]);
  const content = fc.record({
    title: fc.constantFrom("Morgen", "Abend", "Nacht"),
    authors,
    series: fc.subarray([
      { name: "Reihe", position: "1" },
      { name: "Zyklus", position: null },
    ]),
  });
  const change = fc.record({
    root: fc.constantFrom(...roots),
    path: fc.constantFrom("A", "B", "C"),
    books: fc.array(fc.record({ slot: fc.integer({ min: 0, max: 2 }), fields: content }), { maxLength: 3 }),
    isGone: fc.boolean(),
  });

  test("totals, searches and filters agree with the books one by one", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 8 }), async (commits) => {
        await folder.dispose();
        folder = await makeTree();
        const catalogue = open();
        for (const [index, changes] of commits.entries()) {
          catalogue.commit(
            `op-${index}`,
            changes.map((each) => toChange(catalogue, each)),
          );
        }
        expectAgreement(catalogue);
        await catalogue.close();
      }),
      { numRuns: 40 },
    );
  });

  /** Books of one unit keep their ids by their slot. */
  function toChange(
    catalogue: CatalogueFile,
    { root, path, books, isGone }: typeof change extends fc.Arbitrary<infer T> ? T : never,
  ): UnitChange {
    if (isGone) return { kind: "vanished", rootId: root, path };
    const known = catalogue.unitBooks(root, path);
    const bySlot = new Map(books.map(({ slot, fields }) => [slot, fields]));
    const written = [...bySlot].map(([slot, fields]) => {
      const review = fields.authors.length === 0 ? "no author" : null;
      const made = draft(`${path}/${slot}`, { root, fields, review, trackCount: slot + 1 });
      return { id: known.find((book) => book.path === made.path)?.id ?? null, draft: made };
    });
    return unit(path, written, root);
  }

  function expectAgreement(catalogue: CatalogueFile): void {
    const { items } = catalogue.query({ limit: 200, offset: 0 });
    const there = items.filter(({ state }) => state !== "missing");
    const fold = (name: string) => name.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
    const totals = catalogue.totals();
    expect(totals).toMatchObject({
      books: there.length,
      missing: items.length - there.length,
      needsReview: there.filter(({ state }) => state === "needs_review").length,
      authors: new Set(there.flatMap((book) => book.authors.map(fold))).size,
      series: new Set(there.flatMap((book) => book.series.map(({ name }) => fold(name)))).size,
      files: there.reduce((sum, { trackCount }) => sum + trackCount, 0),
      bytes: there.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    });
    for (const root of roots) {
      expect(totals.roots[root]?.books ?? 0).toBe(there.filter(({ rootId }) => rootId === root).length);
    }
    const found = (query: object) => catalogue.query({ limit: 200, offset: 0, ...query });
    for (const title of ["Morgen", "Abend"]) {
      expect(found({ text: title }).items).toEqual(items.filter((book) => book.title === title));
    }
    const byAnna = items.filter((book) => book.authors.some((author) => fold(author) === "anna"));
    expect(found({ author: "anna" })).toEqual({ items: byAnna, total: byAnna.length });
    for (const state of ["present", "missing", "needs_review"] as const) {
      const expected = items.filter((book) => book.state === state);
      expect(found({ state })).toEqual({ items: expected, total: expected.length });
      const both = byAnna.filter((book) => book.state === state);
      expect(found({ state, author: "anna" })).toEqual({ items: both, total: both.length });
    }
  }
});

test("walks to a page of many matches as it does to one of few", async () => {
  const catalogue = open();
  const changes = Array.from({ length: 600 }, (_, index) => {
    const rarity = index % 100 === 0 ? "selten" : "oft";
    const parity = index % 2 === 0 ? "gerade" : "ungerade";
    const fields = { title: `${parity} ${index % 7} ${rarity}`, authors: ["Anna"] };
    return unit(`Book ${index}`, [{ id: null, draft: draft(`Book ${index}`, { fields }) }]);
  });
  catalogue.commit("op", changes);
  const sorted = catalogue.query({ limit: 600, offset: 0 }).items;
  for (const text of ["gerade", "ungerade", "gerade 3", "selten"]) {
    const words = text.split(" ");
    const expected = sorted.filter(({ title }) =>
      words.every((word) => title.split(" ").some((each) => each.startsWith(word))),
    );
    for (const offset of [0, 2, 40, 149, 150, 151, 295]) {
      const page = catalogue.query({ text, limit: 20, offset });
      expect(page.total).toBe(expected.length);
      expect(page.items).toEqual(expected.slice(offset, offset + 20));
    }
  }
  await catalogue.close();
});
