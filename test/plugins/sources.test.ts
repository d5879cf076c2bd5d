import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { plugins } from "../../plugins/index.ts";
import { createHttp } from "../../src/metadata/http.ts";
import type { IdKind, SourceSettings } from "../../src/plugin.ts";
import { type SourceUnderTest, sourceContract } from "../contracts/source.ts";
import { startSourceServer } from "../fixtures/source-server.ts";

const dune = {
  title: "Dune",
  author: "Frank Herbert",
  narrator: "Scott Brick",
  series: { name: "Dune Chronicles", position: "1" },
  asin: "B002V1OF70",
  isbn: "9780441172719",
  minutes: 1262,
  year: 1965,
  chapters: [
    { title: "Opening Credits", lengthMs: 15_000 },
    { title: "Book One", lengthMs: 3_600_123 },
  ],
};
const nothing: SourceSettings = { baseUrl: null, token: null, region: null, file: null };

function create(name: string, settings: Partial<SourceSettings>) {
  const plugin = plugins.find((each) => each.name === name);
  const source = plugin?.kind === "source" ? plugin.create({ ...nothing, ...settings }) : null;
  if (source === null) throw new Error(`there is no ${name}`);
  return source;
}

async function online(
  name: string,
  ids: Readonly<Partial<Record<IdKind, string>>>,
): Promise<SourceUnderTest> {
  const server = await startSourceServer([
    dune,
    { title: "Emma", author: "Jane Austen", asin: "B000000001" },
  ]);
  const http = createHttp({ userAgent: "Test/1", timeoutMs: 2000, allowHosts: ["127.0.0.1"] });
  return {
    source: create(name, { baseUrl: `${server.url}/${name}` }),
    getJson: async (url) => {
      const { status, body } = await http.fetch(url, { signal: new AbortController().signal, accept: "*/*" });
      return status === 404 ? null : JSON.parse(body.toString());
    },
    known: dune,
    ids,
    dispose: async () => {
      await http.close();
      await server.stop();
    },
  };
}

sourceContract("Open Library", () => online("open-library", { isbn: dune.isbn }));
sourceContract("Google Books", () => online("google-books", { isbn: dune.isbn }));
sourceContract("Audnexus", () => online("audnexus", { asin: dune.asin }));
sourceContract("iTunes", async () => {
  const made = await online("itunes", {});
  return { ...made, known: { ...dune, title: "Dune (Unabridged)" } };
});

const header =
  "Book Id,Title,Author,Author l-f,Additional Authors,ISBN,ISBN13,My Rating,Average Rating,Publisher,Binding,Number of Pages,Year Published,Original Publication Year,Date Read";
const rows = [
  '44767458,"Dune (Dune Chronicles, #1)",Frank Herbert,"Herbert, Frank",,"=""0441172717""","=""9780441172719""",5,4.27,Ace,Paperback,658,2019,1965,2020/01/02',
  '68429,"The Well of Ascension (Mistborn, #2)",Brandon Sanderson,"Sanderson, Brandon",Michael Kramer,"=""""","=""""",0,4.36,Tor,Hardcover,590,2007,2007,',
];

function shelf(): { readonly file: string; readonly dir: string } {
  const dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-shelf-"));
  const file = path.join(dir, "goodreads_library_export.csv");
  writeFileSync(file, `\ufeff${[header, ...rows].join("\n")}\n`);
  return { file, dir };
}

sourceContract("Goodreads", async () => {
  const { file, dir } = shelf();
  return {
    source: create("goodreads", { file }),
    getJson: async () => null,
    known: dune,
    ids: { isbn: dune.isbn },
    dispose: async () => rmSync(dir, { recursive: true }),
  };
});

test("Goodreads takes series out of titles, and reads an export that has become another one", async () => {
  const { file, dir } = shelf();
  const source = create("goodreads", { file });
  const call = { signal: new AbortController().signal, getJson: async () => null };
  expect(await source.get("own", "68429", call)).toEqual({
    id: "68429",
    fields: {
      title: "The Well of Ascension",
      authors: ["Brandon Sanderson", "Michael Kramer"],
      series: [{ name: "Mistborn", position: "2" }],
      year: 2007,
      publisher: "Tor",
    },
    durationSeconds: null,
    coverUrl: null,
  });
  writeFileSync(file, `${header}\n${rows[0]}\n`);
  utimesSync(file, new Date(), new Date(Date.now() + 5000));
  expect(await source.get("own", "68429", call)).toBeNull();
  rmSync(dir, { recursive: true });
  expect(() => create("goodreads", {})).toThrow("there is no goodreads");
});

test("Audnexus gives narrators, series with positions, running time and what it is worth to know", async () => {
  const made = await online("audnexus", {});
  const call = { signal: new AbortController().signal, getJson: made.getJson };
  expect(await made.source.get("asin", dune.asin, call)).toMatchObject({
    id: dune.asin,
    fields: {
      narrators: ["Scott Brick"],
      series: [{ name: "Dune Chronicles", position: "1" }],
      description: "A summary.",
      genres: ["Science Fiction"],
      abridged: false,
      asin: dune.asin,
      year: 1965,
    },
    durationSeconds: 1262 * 60,
  });
  await made.dispose();
});
