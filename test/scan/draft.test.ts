import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BookDraft } from "../../src/domain/book.ts";
import { composed, draftOf, draftsOf, type FileContent } from "./draft-unit.ts";

const summary = (drafts: readonly BookDraft[]) =>
  drafts.map((draft) => [draft.path, draft.reason, draft.tracks.map((track) => track.path)]);

describe("files to books", () => {
  it("makes one book of a folder", () => {
    const { drafts, problems } = draftsOf({
      path: "A/B",
      files: { "1.mp3": {}, "2.mp3": {}, "cover.jpg": null },
    });
    expect(problems).toEqual([]);
    expect(summary(drafts)).toEqual([["A/B", "folder", ["A/B/1.mp3", "A/B/2.mp3"]]]);
  });

  it("joins disc folders, loose files of the parent and parts with discs", () => {
    const { drafts } = draftsOf({
      path: "A/B",
      files: {
        "intro.mp3": {},
        "Part 2/CD 1/1.mp3": { disc: 1 },
        "Part 1/CD 2/1.mp3": { disc: 1 },
        "Part 1/CD 10/1.mp3": {},
        "Part 1/CD 1/1.mp3": {},
      },
    });
    expect(summary(drafts)).toEqual([
      [
        "A/B",
        "disc_folders",
        [
          "A/B/intro.mp3",
          "A/B/Part 1/CD 1/1.mp3",
          "A/B/Part 1/CD 2/1.mp3",
          "A/B/Part 1/CD 10/1.mp3",
          "A/B/Part 2/CD 1/1.mp3",
        ],
      ],
    ]);
  });

  it("joins discs whose albums differ", () => {
    const files = { "CD1/1.mp3": { album: "Dune Disc One" }, "CD2/1.mp3": { album: "Dune Disc Two" } };
    expect(draftsOf({ path: "A/B", files }).drafts).toHaveLength(1);
  });

  it("makes a book of every file where every file is its own album", () => {
    const { drafts } = draftsOf({
      path: "A",
      files: {
        "x.m4b": { album: "Dune" },
        "y.mp3": { album: "Emma", track: 2 },
        "z.mp3": { album: "Ivanhoe" },
      },
    });
    expect(summary(drafts)).toEqual([
      ["A/x.m4b", "album_per_file", ["A/x.m4b"]],
      ["A/y.mp3", "album_per_file", ["A/y.mp3"]],
      ["A/z.mp3", "album_per_file", ["A/z.mp3"]],
    ]);
  });

  it("makes a book of every album where each is whole, named by its first file", () => {
    const { drafts } = draftsOf({
      path: "A",
      files: {
        "d10.mp3": { album: "Dune", track: 3 },
        "d2.mp3": { album: "Dune", track: 2 },
        "d1.mp3": { album: "Dune", track: 1 },
        "e1.mp3": { album: "Emma", track: 1 },
        "e2.mp3": { album: "Emma", track: 2 },
        "long.m4b": { album: "Ivanhoe" },
      },
    });
    expect(summary(drafts)).toEqual([
      ["A/d1.mp3", "album_in_folder", ["A/d1.mp3", "A/d2.mp3", "A/d10.mp3"]],
      ["A/e1.mp3", "album_in_folder", ["A/e1.mp3", "A/e2.mp3"]],
      ["A/long.m4b", "album_per_file", ["A/long.m4b"]],
    ]);
  });

  it("makes books of long m4b files with different albums, and of one without an album beside them", () => {
    const long = { reading: { durationSeconds: 30_000 } };
    const { drafts } = draftsOf({
      path: "A",
      files: {
        "a.m4b": { album: "Dune", track: 3, ...long },
        "b.m4b": { album: "Emma", ...long },
        "c.m4b": { title: "Ivanhoe", ...long },
        "d.m4b": { album: "Emma", ...long },
      },
    });
    expect(drafts.map((draft) => draft.path)).toEqual(["A/a.m4b", "A/b.m4b", "A/c.m4b"]);
  });

  it.each<[string, Readonly<Record<string, FileContent>>]>([
    [
      "one track has a misspelled album",
      {
        "1.mp3": { album: "Dune", track: 1 },
        "2.mp3": { album: "Dune", track: 2 },
        "3.mp3": { album: "Dnue", track: 3 },
      },
    ],
    ["some tracks have none", { "1.mp3": { album: "Dune" }, "2.mp3": {} }],
    ["no track has one", { "1.m4b": { title: "One" }, "2.m4b": { title: "Two" } }],
    [
      "the albums differ in their disc",
      { "1.mp3": { album: "Dune (Disc 1)" }, "2.mp3": { album: "Dune [CD 2]" } },
    ],
    [
      "they differ in their part",
      { "1.m4b": { album: "Dune, Part 1" }, "2.m4b": { album: "Dune, Part Two" } },
    ],
    [
      "they differ in case, accents and 'unabridged'",
      { "1.mp3": { album: "Émile" }, "2.mp3": { album: "EMILE (Unabridged)" } },
    ],
  ])("keeps one book where %s", (_, files) => {
    expect(draftsOf({ path: "A/B", files }).drafts.map((draft) => draft.path)).toEqual(["A/B"]);
  });

  it("makes a book of each loose file of a root, or of each album", () => {
    const { drafts } = draftsOf({
      path: "",
      files: {
        "01.mp3": { album: "Dune", artists: ["Frank Herbert"] },
        "02.mp3": { album: "Dune", artists: ["Frank Herbert"] },
        "a.mp3": {},
        "b.mp3": {},
        "c.mp3": { album: "Dune", artists: ["Somebody Else"] },
      },
      hasOtherFolders: true,
    });
    expect(summary(drafts)).toEqual([
      ["01.mp3", "album_in_folder", ["01.mp3", "02.mp3"]],
      ["a.mp3", "loose_file", ["a.mp3"]],
      ["b.mp3", "loose_file", ["b.mp3"]],
      ["c.mp3", "loose_file", ["c.mp3"]],
    ]);
  });

  it("makes one book of a root that holds discs only, and keeps its loose files apart from them", () => {
    expect(summary(draftsOf({ path: "", files: { "CD1/1.mp3": {}, "CD2/1.mp3": {} } }).drafts)).toEqual([
      ["", "disc_folders", ["CD1/1.mp3", "CD2/1.mp3"]],
    ]);
    expect(
      summary(draftsOf({ path: "", files: { "x.mp3": {}, "CD1/1.mp3": {}, "CD2/1.mp3": {} } }).drafts),
    ).toEqual([
      ["x.mp3", "loose_file", ["x.mp3"]],
      ["CD1", "disc_folders", ["CD1/1.mp3", "CD2/1.mp3"]],
    ]);
  });

  it("takes a file beside other folders for a book of its own, unless it is the folder's", () => {
    const path = (folder: string, name: string, tags: FileContent = {}) =>
      draftsOf({ path: folder, files: { [name]: tags }, hasOtherFolders: true }).drafts.map(
        (draft) => draft.path,
      );
    expect(path("Frank Herbert", "Dune.m4b")).toEqual(["Frank Herbert/Dune.m4b"]);
    expect(path("Frank Herbert", "Frank Herbert - Dune.m4b")).toEqual([
      "Frank Herbert/Frank Herbert - Dune.m4b",
    ]);
    expect(path("F. Herbert", "x.m4b", { artists: ["F. Herbert"] })).toEqual(["F. Herbert/x.m4b"]);
    expect(path("Frank Herbert/Dune", "Dune.m4b")).toEqual(["Frank Herbert/Dune"]);
    expect(path("Frank Herbert/Dune (1965)", "x.m4b", { album: "Dune" })).toEqual([
      "Frank Herbert/Dune (1965)",
    ]);
    expect(path("Frank Herbert/Dune", "01.mp3")).toEqual(["Frank Herbert/Dune"]);
    expect(path("Frank Herbert/Dune", "x.m4b", { album: "Dune Messiah" })).toEqual([
      "Frank Herbert/Dune/x.m4b",
    ]);
    expect(path("Dune", "Frank Herbert - Dune.m4b")).toEqual(["Dune"]);
  });

  it("reads author and title of a file's own name and folders", () => {
    const draft = draftOf({ path: "Frank Herbert", files: { "Dune (1965).m4b": {} }, hasOtherFolders: true });
    expect(composed(draft).fields).toMatchObject({ title: "Dune", authors: ["Frank Herbert"], year: 1965 });
    expect(draft.reviewReason).toBeNull();
  });

  it("reads the name of the one file of a folder that has no other sign of author and title", () => {
    const fields = (path: string, name: string, tags: FileContent = {}) => {
      const { title, authors } = composed(draftOf({ path, files: { [name]: tags } })).fields;
      return [title, authors];
    };
    expect(fields("Dodie Smith", "101 Dalmatians.mp3")).toEqual(["101 Dalmatians", ["Dodie Smith"]]);
    expect(fields("Colette", "Gigi.m4b", { artists: ["Colette"] })).toEqual(["Gigi", ["Colette"]]);
    expect(fields("Dune", "Frank Herbert - Dune.m4b")).toEqual(["Dune", ["Frank Herbert"]]);
    expect(fields("Dune", "Frank Herbert - Dune Messiah.m4b")).toEqual(["Dune", []]);
    expect(fields("Dune Messiah", "dm_final.m4b")).toEqual(["Dune Messiah", []]);
    expect(fields("Dune Messiah", "Track 01.m4b")).toEqual(["Dune Messiah", []]);
  });

  it("has a path of its own for each book, and each file in one book, whatever the tags", () => {
    const album = fc.constantFrom(null, "Dune", "Emma", "Dune (Disc 2)", "Ivanhoe");
    const name = fc
      .tuple(
        fc.constantFrom("", "CD1/", "CD2/", "Part 1/CD3/"),
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom("mp3", "m4b"),
      )
      .map(([disc, number, extension]) => `${disc}${number}.${extension}`);
    const file = fc.tuple(name, fc.record({ album, track: fc.constantFrom(null, 1, 2, 3) }));
    fc.assert(
      fc.property(
        fc.array(file, { minLength: 1, maxLength: 12 }),
        fc.constantFrom("", "A", "A/B"),
        fc.boolean(),
        (all, path, hasOtherFolders) => {
          const files = Object.fromEntries(all);
          const { drafts } = draftsOf({ path, files, hasOtherFolders });
          expect(new Set(drafts.map((draft) => draft.path)).size).toBe(drafts.length);
          const tracks = drafts.flatMap((draft) => draft.tracks.map((track) => track.path));
          const expected = Object.keys(files).map((one) => (path === "" ? one : `${path}/${one}`));
          expect(tracks.sort()).toEqual(expected.sort());
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("files that could not be read", () => {
  it("are problems, and the rest of their folder stays a book", () => {
    const { drafts, problems } = draftsOf({ path: "A/B", files: { "1.mp3": {}, "2.mp3": "unreadable" } });
    expect(problems).toEqual([{ path: "A/B/2.mp3", code: "unreadable_audio", message: "It is cut off." }]);
    expect(summary(drafts)).toEqual([["A/B", "folder", ["A/B/1.mp3"]]]);
  });

  it("make no book where there is no other", () => {
    const { drafts, problems } = draftsOf({ path: "", files: { "1.mp3": "unreadable", "cover.jpg": null } });
    expect(drafts).toEqual([]);
    expect(problems.map((problem) => problem.path)).toEqual(["1.mp3"]);
  });
});

describe("the order of tracks", () => {
  const order = (files: Readonly<Record<string, FileContent>>) =>
    draftOf({ path: "B", files }).tracks.map((track) => track.path.slice(2));

  it("is that of disc, then track, then natural name", () => {
    expect(
      order({
        "a.mp3": { disc: 2, track: 1 },
        "b.mp3": { disc: 1, track: 10 },
        "c.mp3": { disc: 1, track: 2 },
        "d10.mp3": { disc: 3 },
        "d2.mp3": { disc: 3 },
      }),
    ).toEqual(["c.mp3", "b.mp3", "a.mp3", "d2.mp3", "d10.mp3"]);
    expect(order({ "10.mp3": {}, "2.mp3": {}, "1.mp3": {} })).toEqual(["1.mp3", "2.mp3", "10.mp3"]);
  });

  it("takes the disc folder's number before the tag's", () => {
    expect(order({ "CD10/1.mp3": { disc: 1 }, "CD2/1.mp3": { disc: 1 } })).toEqual([
      "CD2/1.mp3",
      "CD10/1.mp3",
    ]);
  });

  it("finds the disc in a name where no tag tells", () => {
    expect(
      order({
        "Dune CD2 01.mp3": { track: 1 },
        "Dune CD1 02.mp3": { track: 2 },
        "Dune CD1 01.mp3": { track: 1 },
      }),
    ).toEqual(["Dune CD1 01.mp3", "Dune CD1 02.mp3", "Dune CD2 01.mp3"]);
  });

  it("puts a track without a number where its name says, else last", () => {
    expect(order({ "a.mp3": { track: 3 }, "02 x.mp3": {}, "b.mp3": { track: 1 }, "c.mp3": {} })).toEqual([
      "b.mp3",
      "02 x.mp3",
      "a.mp3",
      "c.mp3",
    ]);
  });

  it("keeps what was read with each track", () => {
    const draft = draftOf({ path: "A/B", files: { "CD2/1.MP3": { title: "One", disc: 1, track: 7 } } });
    expect(draft.tracks).toEqual([
      {
        path: "A/B/CD2/1.MP3",
        title: "One",
        disc: 2,
        track: 7,
        durationSeconds: 60,
        sizeBytes: 1000,
        mtimeMs: 1,
        format: "mp3",
      },
    ]);
  });
});

describe("chapters", () => {
  it("are those in the tracks, behind the tracks before", () => {
    const chapters = [
      { title: "One", startMs: 0, endMs: 1001 },
      { title: "Two", startMs: 1001, endMs: 2500 },
    ];
    const draft = draftOf({
      path: "A/B",
      files: {
        "1.m4b": { reading: { durationSeconds: 2.5004, chapters } },
        "2.m4b": { reading: { durationSeconds: 2.5004, chapters } },
        "3.m4b": { title: "End", reading: { durationSeconds: 1 } },
      },
    });
    expect(draft.chapters).toEqual([
      { title: "One", startMs: 0, endMs: 1001 },
      { title: "Two", startMs: 1001, endMs: 2500 },
      { title: "One", startMs: 2500, endMs: 3501 },
      { title: "Two", startMs: 3501, endMs: 5000 },
      { title: "End", startMs: 5001, endMs: 6001 },
    ]);
    expect(draft.provenance?.chapters).toBe("embedded");
  });

  it("are one per file else, named by the tags or the files", () => {
    const titles = (files: Readonly<Record<string, FileContent>>) =>
      draftOf({ path: "A/B", files }).chapters.map((chapter) => chapter.title);
    expect(titles({ "01.mp3": { title: "Intro" }, "02.mp3": { title: "End" } })).toEqual(["Intro", "End"]);
    expect(
      titles({ "01 - Intro.mp3": { title: "Dune" }, "02. End.mp3": { title: "Dune" }, "03.mp3": {} }),
    ).toEqual(["Intro", "End", "03"]);
    expect(titles({ "01 - Intro.mp3": { title: "Dune" } })).toEqual(["Dune"]);
    expect(draftOf({ path: "A/B", files: { "1.mp3": {} } }).provenance?.chapters).toBe("files");
  });

  it("are those of metadata.json before all", () => {
    const chapters = [{ title: "Given", startMs: 0, endMs: 60_000 }];
    const draft = draftOf({
      path: "A/B",
      files: { "1.m4b": { reading: { chapters: [{ title: "Own", startMs: 0, endMs: 1 }] } } },
      sidecars: [{ chapters }],
    });
    expect([draft.chapters, draft.provenance?.chapters]).toEqual([chapters, "metadata_json"]);
  });
});

describe("covers", () => {
  const cover = (...names: readonly string[]) =>
    draftOf({
      path: "A/B",
      files: { "1.mp3": {}, ...Object.fromEntries(names.map((name) => [name, null])) },
    }).cover?.path;

  it("are cover.*, then folder.*, then the first image", () => {
    expect(cover("a.jpg", "Folder.PNG", "COVER.webp")).toBe("A/B/COVER.webp");
    expect(cover("a.jpg", "folder.png")).toBe("A/B/folder.png");
    expect(cover("b10.jpg", "b2.jpg")).toBe("A/B/b2.jpg");
    expect(cover("CD1/cover.jpg", "back.jpg")).toBe("A/B/CD1/cover.jpg");
    expect(cover("CD1/cover.jpg", "cover.jpg")).toBe("A/B/cover.jpg");
  });

  it("are in a track where there is no image, else nowhere", () => {
    const picture = { reading: { hasPicture: true } };
    const draft = draftOf({ path: "A/B", files: { "1.mp3": {}, "2.mp3": picture } });
    expect([draft.cover, draft.provenance?.cover]).toEqual([
      { kind: "embedded", path: "A/B/2.mp3" },
      "embedded",
    ]);
    const withFile = draftOf({ path: "A/B", files: { "1.mp3": picture, "x.jpg": null } });
    expect([withFile.cover, withFile.provenance?.cover]).toEqual([
      { kind: "file", path: "A/B/x.jpg" },
      "file",
    ]);
    expect(draftOf({ path: "A/B", files: { "1.mp3": {} } }).cover).toBeNull();
  });
});

describe("companions", () => {
  it("are all files beside a folder's one book, each of its kind", () => {
    const names = [
      "cover.jpg",
      "b.epub",
      "b.pdf",
      "b.cue",
      "b.m3u8",
      "notes.txt",
      "desc.txt",
      "x.nfo",
      "x.opf",
      "metadata.json",
      "x.json",
    ];
    const draft = draftOf({
      path: "A/B",
      files: {
        "1.mp3": {},
        "CD1/1.mp3": {},
        "CD1/back.png": null,
        ...Object.fromEntries(names.map((name) => [name, null])),
      },
    });
    expect(Object.fromEntries(draft.companions.map((one) => [one.path.slice(4), one.kind]))).toEqual({
      "CD1/back.png": "image",
      "cover.jpg": "image",
      "b.epub": "document",
      "b.pdf": "document",
      "b.cue": "playlist",
      "b.m3u8": "playlist",
      "notes.txt": "text",
      "desc.txt": "sidecar",
      "x.nfo": "sidecar",
      "x.opf": "sidecar",
      "metadata.json": "sidecar",
      "x.json": "text",
    });
  });

  it("go beside several books to the one that they are named after, else to none", () => {
    const { drafts } = draftsOf({
      path: "A",
      files: {
        "Dune.m4b": { album: "Dune" },
        "Dune Messiah.m4b": { album: "Dune Messiah" },
        "Dune.jpg": null,
        "Dune - map.pdf": null,
        "dune messiah.epub": null,
        "Dunes.pdf": null,
        "cover.jpg": null,
      },
    });
    expect(drafts.map((draft) => draft.companions.map((one) => one.path))).toEqual([
      ["A/Dune.jpg", "A/Dune - map.pdf"],
      ["A/dune messiah.epub"],
    ]);
    expect(drafts.map((draft) => draft.cover?.path ?? null)).toEqual(["A/Dune.jpg", null]);
  });

  it("stay in a root beside its loose files", () => {
    const { drafts } = draftsOf({ path: "", files: { "x.mp3": {}, "x.nfo": null, "readme.txt": null } });
    expect(drafts.map((draft) => draft.companions.map((one) => one.path))).toEqual([["x.nfo"]]);
  });
});

describe("sidecars", () => {
  it("are layers in the order of the conventions", () => {
    const draft = draftOf({
      path: "Folder Author/Folder Title",
      files: { "1.mp3": { album: "Tags" } },
      sidecars: [
        { name: "metadata.json", source: "metadata_json", fields: { title: "Json" } },
        { name: "x.opf", source: "opf", fields: { title: "Opf", publisher: "Opf" } },
        { name: "desc.txt", source: "text", fields: { description: "Text" } },
        { name: "x.nfo", source: "nfo", fields: { description: "Nfo", publisher: "Nfo", year: 1999 } },
      ],
    });
    const { fields, provenance } = composed(draft);
    expect(fields).toMatchObject({ title: "Json", publisher: "Opf", description: "Text", year: 1999 });
    expect(provenance).toEqual({
      title: "metadata_json",
      authors: "folder",
      publisher: "opf",
      description: "text",
      year: "nfo",
    });
  });

  it("help to tell the author's folder", () => {
    const draft = draftOf({
      path: "Fantasy/Ann Lee/Dune",
      files: { "1.mp3": {} },
      sidecars: [{ fields: { authors: ["Ann Lee"] } }],
    });
    expect(draft.layers.folder).toEqual({ title: "Dune", authors: ["Ann Lee"] });
  });

  it("of one kind add up, the book's own folder before its discs and then by name", () => {
    const draft = draftOf({
      path: "A/B",
      files: { "CD1/1.mp3": {} },
      sidecars: [
        { name: "CD1/a.opf", source: "opf", fields: { title: "Disc", year: 2001 } },
        { name: "b.opf", source: "opf", fields: { title: "Second", publisher: "Ace" } },
        { name: "a.opf", source: "opf", fields: { title: "First" } },
      ],
    });
    expect(draft.layers.opf).toEqual({ title: "First", publisher: "Ace", year: 2001 });
  });

  it("go beside several books to the one of their name or title, else to none", () => {
    const { drafts } = draftsOf({
      path: "A",
      files: { "x.m4b": { album: "Dune" }, "y.m4b": { album: "Emma" } },
      sidecars: [
        { name: "x.opf", source: "opf", fields: { title: "Named" } },
        { name: "other.opf", source: "opf", fields: { title: "EMMA", year: 1815 } },
        { name: "metadata.json", source: "metadata_json", fields: { title: "Nobody's" } },
        { name: "desc.txt", source: "text", fields: { description: "Nobody's" } },
      ],
    });
    expect(drafts.map((draft) => [draft.layers.opf, draft.layers.metadata_json, draft.layers.text])).toEqual([
      [{ title: "Named" }, undefined, undefined],
      [{ title: "EMMA", year: 1815 }, undefined, undefined],
    ]);
  });
});

describe("needs review", () => {
  const reason = (path: string, tags: FileContent = {}) =>
    draftOf({
      path: path.slice(0, Math.max(0, path.lastIndexOf("/"))),
      files: { [path.slice(path.lastIndexOf("/") + 1)]: tags },
    }).reviewReason;

  it("is a book without an author", () => {
    expect(reason("Dune.m4b", { album: "Dune" })).toBe("no author");
  });

  it("is a book whose title is a bare name", () => {
    expect(reason("stuff.m4b", { artists: ["Ann Lee"] })).toMatch(/only a file or folder name/);
    expect(reason("Author/track 01/x.mp3")).toMatch(/only a file or folder name/);
  });

  it("is a book without any title", () => {
    const draft = draftOf({ path: "", files: { "CD1/1.mp3": { artists: ["Ann Lee"] } } });
    expect(draft.reviewReason).toBe("no title");
  });

  it("is none that names or tags explain", () => {
    expect(reason("Frank Herbert/Dune/01.mp3")).toBeNull();
    expect(reason("Frank Herbert - Dune.m4b")).toBeNull();
    expect(reason("x.m4b", { album: "Dune", artists: ["Frank Herbert"] })).toBeNull();
  });
});

describe("the fingerprint", () => {
  const of = (path: string, files: Readonly<Record<string, FileContent>>) =>
    draftOf({ path, files }).fingerprint;
  const file = (headHash: string, durationSeconds = 60): FileContent => ({
    reading: { headHash, durationSeconds },
  });

  it("is the same wherever the book lies, whatever its files are called and tagged", () => {
    const here = of("A/B", { "1.mp3": file("aa"), "2.mp3": file("aa") });
    expect(of("C/D", { "x.mp3": file("aa"), "y.mp3": file("aa") })).toBe(here);
    expect(
      of("", {
        "CD1/1.mp3": { ...file("aa"), disc: 2, album: "X" },
        "CD1/2.mp3": { ...file("aa"), disc: 1, album: "X" },
      }),
    ).toBe(here);
  });

  it("differs with a file's size, duration or first bytes, and with the number of files", () => {
    const all = [
      of("B", { "1.mp3": file("aa") }),
      of("B", { "1.mp3": file("bb") }),
      of("B", { "1.mp3": file("aa", 60.001) }),
      of("B", { "x.txt": null, "1.mp3": file("aa") }),
      of("B", { "1.mp3": file("aa"), "2.mp3": file("aa") }),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  it("does not change with a duration's last bits", () => {
    expect(of("B", { "1.mp3": file("aa", 60.0001) })).toBe(of("B", { "1.mp3": file("aa", 60.0002) }));
  });
});
