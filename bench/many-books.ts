import { existsSync, renameSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { BookDraft, Track } from "../src/domain/book.ts";
import type { UnitChange } from "../src/domain/catalogue.ts";
import { openStore } from "../src/store/open.ts";

const rootId = "many";

export const wordsOfTitles = [
  ..."the of and a night day house river king queen winter summer road sea stone glass garden letter".split(
    " ",
  ),
  ..."shadow light silver iron last first lost secret island mountain silence storm book fire".split(" "),
];

/** A data folder whose catalogue holds so many books of five tracks, of a root that has none of them. */
export interface ManyBooks {
  readonly dataDir: string;
  readonly libraryPath: string;
}

/** Made below `dir` through the store's own commits, once: another row of the same run finds it there. */
export async function makeManyBooks(dir: string, bookCount: number): Promise<ManyBooks> {
  const made = path.join(dir, `catalogue-${bookCount}`);
  const found = { dataDir: path.join(made, "data"), libraryPath: path.join(made, rootId) };
  if (existsSync(made)) return found;
  const unfinished = `${made}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  await mkdir(path.join(unfinished, rootId), { recursive: true });
  // A root without anything in it would be taken for a disk that is not mounted.
  await writeFile(
    path.join(unfinished, rootId, "note.txt"),
    "The books of this root are in the catalogue only.\n",
  );
  const store = await openStore({ dataDir: path.join(unfinished, "data"), now: () => new Date() });
  const booksPerCommit = 500;
  for (let from = 0; from < bookCount; from += booksPerCommit) {
    const books = Array.from({ length: Math.min(booksPerCommit, bookCount - from) }, (_, i) => from + i);
    store.catalogue.commit("bench", books.map(unitOf));
  }
  store.catalogue.scanEnded(rootId, new Date().toISOString());
  await store.catalogue.flush();
  await store.close();
  renameSync(unfinished, made);
  return found;
}

function unitOf(book: number): UnitChange {
  const folder = `Author ${Math.floor(book / 5)}/Book ${book}`;
  const draft = draftOf(book, folder);
  return {
    kind: "write",
    rootId,
    path: folder,
    signature: `signature ${book}`,
    entries: draft.tracks.map((track) => ({
      file: { name: path.basename(track.path), sizeBytes: track.sizeBytes, mtimeMs: track.mtimeMs },
      result: null,
    })),
    books: [{ id: null, draft }],
  };
}

function draftOf(book: number, folder: string): BookDraft {
  const word = (step: number) => wordsOfTitles[(book * 7 + step * (book % 31)) % wordsOfTitles.length] ?? "";
  const author = Math.floor(book / 5);
  return {
    rootId,
    path: folder,
    reason: "folder",
    layers: {
      tags: {
        title: `${word(1)} ${word(3)} ${word(5)} ${book}`,
        authors: [`Forename${author % 500} Surname${author}`],
        narrators: [`Reader ${book % 700}`],
        series: book % 2 === 0 ? [{ name: `Series ${author}`, position: String((book % 5) + 1) }] : [],
        year: 1900 + (book % 120),
        description: `Book ${book} of a library that is only made to be searched. `.repeat(4),
      },
    },
    tracks: Array.from({ length: 5 }, (_, i) => trackOf(folder, book, i)),
    chapters: Array.from({ length: 5 }, (_, i) => ({
      title: `Chapter ${i + 1}`,
      startMs: i * 3_600_000,
      endMs: (i + 1) * 3_600_000,
    })),
    companions: [],
    cover: null,
    fingerprint: `fingerprint ${book}`,
    reviewReason: null,
    titleIsBareName: false,
  };
}

function trackOf(folder: string, book: number, i: number): Track {
  return {
    path: `${folder}/0${i + 1}.mp3`,
    title: `Chapter ${i + 1}`,
    disc: null,
    track: i + 1,
    durationSeconds: 3600,
    sizeBytes: 28_800_000 + book,
    mtimeMs: 1_700_000_000_000 + book,
    format: "mp3",
  };
}
