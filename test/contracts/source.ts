import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { bookFields } from "../../src/domain/compose.ts";
import { AppError } from "../../src/errors.ts";
import { scoreMatch } from "../../src/metadata/score.ts";
import type { IdKind, Source, SourceBook, SourceCall } from "../../src/plugin.ts";

export interface SourceUnderTest {
  readonly source: Source;
  readonly getJson: SourceCall["getJson"];
  /** A book that it knows. */
  readonly known: { readonly title: string; readonly author: string };
  /** An id of that book for each kind that it looks up, its own aside. */
  readonly ids: Readonly<Partial<Record<IdKind, string>>>;
  dispose(): Promise<void>;
}

/** What every source promises, whatever it asks. */
export function sourceContract(name: string, make: () => Promise<SourceUnderTest>): void {
  describe(`${name}, a source`, () => {
    let made: SourceUnderTest;
    const { signal } = new AbortController();
    const call = (): SourceCall => ({ signal, getJson: made.getJson });
    const searched = async (): Promise<SourceBook | undefined> =>
      (await made.source.search({ title: made.known.title, author: made.known.author }, call()))[0];

    beforeAll(async () => {
      made = await make();
    });
    afterAll(() => made.dispose());

    test("has a name for topics and settings, and says what it is good for", () => {
      const { source } = made;
      expect(source.name).toMatch(/^[a-z0-9-]{1,64}$/);
      expect(source.goodFor.length).toBeGreaterThan(0);
      for (const field of source.goodFor) expect([...bookFields, "cover"]).toContain(field);
      expect(source.looksUp).toContain("own");
      expect(source.many?.kinds.every((kind) => source.looksUp.includes(kind)) ?? true).toBe(true);
      expect(source.requestsPerSecond === null || source.requestsPerSecond > 0).toBe(true);
    });

    test("finds a book by title and author, surely enough to be taken", async () => {
      const found = await searched();
      const { known } = made;
      const own = { title: known.title, authors: [known.author], subtitle: null, narrators: [], series: [] };
      const rest = { language: null, asin: null, isbn: null, abridged: null, durationSeconds: 0 };
      const { threshold } = configSchema.parse({}).match;
      expect(found && scoreMatch({ ...own, ...rest }, found).value).toBeGreaterThanOrEqual(threshold);
    });

    test("finds nothing where there is nothing", async () => {
      expect(await made.source.search({ title: "No such book at all", author: "Nobody" }, call())).toEqual(
        [],
      );
      expect(await made.source.get("own", "no-such-id", call())).toBeNull();
    });

    test("finds the same book again by its own id", async () => {
      const found = await searched();
      const again = await made.source.get("own", found?.id ?? "", call());
      expect(again?.id).toBe(found?.id);
      expect(again?.fields.title).toBe(found?.fields.title);
    });

    test("looks up ids, one by one and together", async () => {
      for (const [kind, id] of Object.entries(made.ids) as [IdKind, string][]) {
        expect(made.source.looksUp).toContain(kind);
        expect((await made.source.get(kind, id, call()))?.fields.title).toBe(made.known.title);
        if (made.source.many?.kinds.includes(kind) !== true) continue;
        const found = await made.source.many.get(kind, [id, "0000000000"], call());
        expect([...found.keys()]).toEqual([id]);
        expect(found.get(id)?.fields.title).toBe(made.known.title);
      }
    });

    test("knows chapters from their beginning on, or none", async () => {
      const { chapters } = made.source;
      if (chapters === undefined) return;
      expect(await chapters("no-such-id", call())).toBeNull();
      const found = await chapters((await searched())?.id ?? "", call());
      expect(found?.chapters[0]?.startMs).toBe(0);
      expect(found?.chapters.every(({ startMs, endMs }) => endMs >= startMs)).toBe(true);
      expect(found?.chapters.at(-1)?.endMs).toBe(found?.durationMs);
    });

    test("says only what it knows: no field is empty, and what it says survives JSON", async () => {
      const found = await searched();
      for (const value of Object.values(found?.fields ?? {})) {
        expect(value).not.toBeNull();
        expect(value).not.toBe("");
        expect(value).not.toEqual([]);
      }
      expect(JSON.parse(JSON.stringify(found))).toEqual(found);
    });

    test("passes on what its request throws, and throws at an answer of another form", async () => {
      if (made.source.requestsPerSecond === null) return;
      const query = { title: made.known.title, author: made.known.author };
      const failure = new AppError("source_unavailable", "down", { retryable: true });
      const failing = { signal, getJson: () => Promise.reject(failure) };
      await expect(made.source.search(query, failing)).rejects.toBe(failure);
      for (const answer of [7, [], { docs: 7, items: 7, products: 7, results: 7 }, "text"]) {
        await expect(
          made.source.search(query, { signal, getJson: async () => answer }),
          JSON.stringify(answer),
        ).rejects.toThrow();
      }
    });
  });
}
