import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AudioTags, makeAudio } from "../../src/demo/audio/make-audio.ts";
import type { BookDraft } from "../../src/domain/book.ts";
import { composeFields } from "../../src/domain/compose.ts";
import { isIgnoredName, kindOf } from "../../src/domain/file-kinds.ts";
import { compareNames } from "../../src/domain/order.ts";
import type { FolderEntry, ScanProblem, TrackResult } from "../../src/domain/scan.ts";
import { buildDrafts } from "../../src/scan/draft.ts";
import { createUnitBuilder } from "../../src/scan/group.ts";
import { createTrackReader } from "../../src/scan/read-track.ts";
import { readSidecars } from "../../src/scan/sidecar.ts";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), "books-"));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function make(files: Readonly<Record<string, AudioTags | string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(root, name);
    await mkdir(path.dirname(file), { recursive: true });
    if (typeof content === "string") await writeFile(file, content);
    else await makeAudio(file, { tags: content });
  }
}

/** A plain walk: parents first, names in byte order. */
async function walk(folder: string): Promise<readonly FolderEntry[]> {
  const entries = await readdir(path.join(root, folder), { withFileTypes: true });
  const known = entries
    .filter((entry) => !isIgnoredName(entry.name))
    .sort((a, b) => compareNames(a.name, b.name));
  const folders = known.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const files = [];
  for (const { name } of known.filter((entry) => entry.isFile() && kindOf(entry.name) !== "other")) {
    const { size, mtimeMs } = await stat(path.join(root, folder, name));
    files.push({ name, sizeBytes: size, mtimeMs });
  }
  const below = [];
  for (const name of folders) below.push(...(await walk(folder === "" ? name : `${folder}/${name}`)));
  return [{ path: folder, files, folders, problems: [] }, ...below];
}

async function scan(): Promise<{
  readonly drafts: readonly BookDraft[];
  readonly problems: readonly ScanProblem[];
}> {
  const builder = createUnitBuilder();
  const readTrack = createTrackReader();
  const folders = await walk("");
  const units = [...folders.flatMap((folder) => builder.push(folder).units), ...builder.end()];
  const drafts: BookDraft[] = [];
  const problems: ScanProblem[] = [];
  for (const unit of units) {
    const results = new Map<string, TrackResult>();
    for (const { name } of unit.files) {
      if (kindOf(name) !== "audio") continue;
      const outcome = readTrack(path.join(root, unit.path, name));
      if ("ok" in outcome) results.set(name, outcome);
    }
    const read = await readSidecars(root, unit);
    const built = buildDrafts({ rootId: "books", unit, results, sidecars: read.sidecars });
    drafts.push(...built.drafts);
    problems.push(...built.problems, ...read.problems);
  }
  return { drafts, problems };
}

const fieldsOf = (draft: BookDraft) => composeFields(draft.layers).fields;

describe("a library of real files", () => {
  it("laid out by folders alone comes out right", async () => {
    await make({
      "Brandon Sanderson/Mistborn/01 - The Final Empire (2006)/01.mp3": {},
      "Brandon Sanderson/Mistborn/01 - The Final Empire (2006)/02.mp3": {},
      "Brandon Sanderson/Mistborn/0.5 - The Eleventh Metal/book.opus": {},
      "Brandon Sanderson/Elantris {Jack Garrett}/CD1/01.ogg": {},
      "Brandon Sanderson/Elantris {Jack Garrett}/CD2/01.ogg": {},
      "Brandon Sanderson/Elantris {Jack Garrett}/cover.jpg": "image",
      "Dune - Frank Herbert/dune.flac": {},
      "George Orwell - 1984.m4b": {},
      "Dodie Smith/101 Dalmatians.mp3": {},
      "Dodie Smith/.hidden.mp3": {},
      "Dodie Smith/02.mp3.part": "unfinished",
    });
    const { drafts, problems } = await scan();
    expect(problems).toEqual([]);
    expect(
      drafts.map((draft) => {
        const { title, authors, series, narrators, year } = fieldsOf(draft);
        return [draft.path, draft.reason, title, authors, series, narrators, year, draft.reviewReason];
      }),
    ).toEqual([
      ["George Orwell - 1984.m4b", "loose_file", "1984", ["George Orwell"], [], [], null, null],
      [
        "Brandon Sanderson/Elantris {Jack Garrett}",
        "disc_folders",
        "Elantris",
        ["Brandon Sanderson"],
        [],
        ["Jack Garrett"],
        null,
        null,
      ],
      [
        "Brandon Sanderson/Mistborn/0.5 - The Eleventh Metal",
        "folder",
        "The Eleventh Metal",
        ["Brandon Sanderson"],
        [{ name: "Mistborn", position: "0.5" }],
        [],
        null,
        null,
      ],
      [
        "Brandon Sanderson/Mistborn/01 - The Final Empire (2006)",
        "folder",
        "The Final Empire",
        ["Brandon Sanderson"],
        [{ name: "Mistborn", position: "1" }],
        [],
        2006,
        null,
      ],
      ["Dodie Smith", "folder", "101 Dalmatians", ["Dodie Smith"], [], [], null, null],
      ["Dune - Frank Herbert", "folder", "Dune", ["Frank Herbert"], [], [], null, null],
    ]);
  });

  it.each(["m4b", "mp3", "flac", "opus", "wma"])("tagged as %s comes out right", async (extension) => {
    const tags = {
      album: "The Final Empire",
      title: "Prologue",
      artist: "Ignored Artist",
      albumArtist: "Sanderson, Brandon",
      narrator: "Michael Kramer; Kate Reading",
      composer: "Ignored Composer",
      series: "Mistborn",
      seriesPart: "00.5",
      asin: "B002UZJGYY",
      year: 2006,
    };
    await make({
      [`anything/b.${extension}`]: { ...tags, disc: 1, track: 10 },
      [`anything/c.${extension}`]: { ...tags, disc: 1, track: 2 },
      [`anything/a.${extension}`]: { ...tags, disc: 2, track: 1 },
    });
    const { drafts } = await scan();
    expect(drafts).toHaveLength(1);
    for (const draft of drafts) {
      expect(draft.tracks.map((track) => track.path)).toEqual(
        ["c", "b", "a"].map((name) => `anything/${name}.${extension}`),
      );
      expect(fieldsOf(draft)).toMatchObject({
        title: "The Final Empire",
        authors: ["Brandon Sanderson"],
        narrators: ["Michael Kramer", "Kate Reading"],
        series: [{ name: "Mistborn", position: "0.5" }],
        asin: "B002UZJGYY",
        year: 2006,
      });
    }
  });

  it("with several books in one folder makes them all", async () => {
    await make({
      "Shelf/a.m4b": { album: "Dune", albumArtist: "Frank Herbert" },
      "Shelf/b.m4b": { album: "Emma", albumArtist: "Jane Austen" },
      "Shelf/b.jpg": "image",
      "Shelf/Below/01.mp3": { album: "Ivanhoe", artist: "Walter Scott" },
    });
    const { drafts } = await scan();
    expect(drafts.map((draft) => [draft.path, fieldsOf(draft).title, draft.cover?.path ?? null])).toEqual([
      ["Shelf/a.m4b", "Dune", null],
      ["Shelf/b.m4b", "Emma", "Shelf/b.jpg"],
      ["Shelf/Below", "Ivanhoe", null],
    ]);
  });

  it("with sidecars takes each field from the highest of them", async () => {
    await make({
      "Folder Author/Folder Title/01.mp3": {
        album: "Tag Title",
        artist: "Tag Author",
        publisher: "Tag House",
      },
      "Folder Author/Folder Title/metadata.opf":
        '<package><metadata><dc:title>Opf Title</dc:title><dc:creator>Opf Author</dc:creator><meta name="calibre:series" content="Saga"/><meta name="calibre:series_index" content="1.5"/></metadata></package>',
      "Folder Author/Folder Title/metadata.json":
        '{"title":"Json Title","chapters":[{"start":0,"end":0.5,"title":"One"}]}',
      "Folder Author/Folder Title/reader.txt": "Text Reader",
    });
    const { drafts } = await scan();
    const [draft] = drafts;
    if (draft === undefined) throw new Error("there is one book");
    const { fields, provenance } = composeFields(draft.layers);
    expect(fields).toMatchObject({
      title: "Json Title",
      authors: ["Opf Author"],
      narrators: ["Text Reader"],
      publisher: "Tag House",
      series: [{ name: "Saga", position: "1.5" }],
    });
    expect(provenance).toMatchObject({
      title: "metadata_json",
      authors: "opf",
      narrators: "text",
      publisher: "tags",
    });
    expect(draft.chapters).toEqual([{ title: "One", startMs: 0, endMs: 500 }]);
  });
});
