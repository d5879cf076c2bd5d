import { mkdir, readdir, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Track } from "../../src/domain/book.ts";
import { isDiscFolder, isIgnoredName } from "../../src/domain/file-kinds.ts";
import { type Plan, type PlannableBook, placeText, type Strategy } from "../../src/domain/organize.ts";
import { parseTemplate } from "../../src/domain/template.ts";
import { createPlan } from "../../src/organize/plan.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

const defaultPattern = "{author}/{series}/{series_number:02 - }{title}{ (year)}/{title}{ - part:02}";

let folder: Tree;

beforeEach(async () => {
  folder = await makeTree({ "inbox/": "", "library/": "" });
});
afterEach(() => folder.dispose());

interface PlanOptions {
  readonly pattern?: string;
  readonly strategy?: Strategy;
  readonly library?: boolean;
  readonly covers?: "no" | "too" | "only";
}

async function plan(books: readonly PlannableBook[], options: PlanOptions = {}): Promise<Plan> {
  const parsed = parseTemplate(options.pattern ?? defaultPattern);
  if ("problem" in parsed) throw new Error(parsed.problem.text);
  const shared = { optional: false, watch: false };
  const roots = [
    { id: "books", path: folder.at("library"), kind: "library", ...shared },
    { id: "inbox", path: folder.at("inbox"), kind: "inbox", ...shared },
  ] as const;
  return await createPlan({
    books,
    roots,
    rules: {
      template: parsed.template,
      strategy: options.strategy ?? "auto",
      library: options.library ?? false,
      covers: options.covers ?? "no",
      destination: roots[0],
    },
    hasOtherBooks: () => false,
    signal: new AbortController().signal,
  });
}

/** A book of files that are there, five bytes each. */
async function book(
  fields: Partial<PlannableBook> & { readonly files?: readonly string[] },
): Promise<PlannableBook> {
  const { files = ["book/01.mp3"], rootId = "inbox", ...rest } = fields;
  const root = rootId === "books" ? "library" : "inbox";
  for (const file of [...files, ...(rest.companions ?? []).map(({ path: companion }) => companion)]) {
    await mkdir(path.dirname(folder.at(`${root}/${file}`)), { recursive: true });
    await writeFile(folder.at(`${root}/${file}`), "sound");
  }
  const unitPath = path.dirname(files[0] ?? "");
  return {
    id: files[0] ?? "",
    rootId,
    path: unitPath,
    unitPath,
    state: "present",
    title: "Title",
    subtitle: null,
    authors: ["Author"],
    narrators: [],
    series: [],
    year: null,
    publisher: null,
    language: null,
    genres: [],
    asin: null,
    isbn: null,
    reviewReason: null,
    tracks: files.map((file, index) => track(file, index)),
    companions: [],
    cover: null,
    ...rest,
  };
}

describe("a cover", () => {
  const embedded = { kind: "embedded", path: "book/01.mp3" } as const;
  const fetched = { kind: "fetched", path: "covers/12ab.png" } as const;

  test("goes where its book does, out of a track or from among the fetched ones", async () => {
    const emma = await book({ title: "Emma", cover: embedded });
    const sanditon = await book({ title: "Sanditon", files: ["two/01.mp3"], cover: fetched });
    const { books } = await plan([emma, sanditon], { covers: "too" });
    const covers = books.flatMap(({ moves }) => moves.filter(({ role }) => role === "cover"));
    expect(covers).toMatchObject([
      { from: { rootId: "inbox", path: "book/01.mp3" }, to: { path: "Author/Emma/cover.jpg" } },
      { from: { rootId: ".covers", path: "12ab.png" }, to: { path: "Author/Sanditon/cover.png" } },
    ]);
    expect(covers.every(({ removesSource }) => !removesSource)).toBe(true);
    expect((await plan([emma], { covers: "no" })).books[0]?.moves).toHaveLength(1);
  });

  test("is put beside a book of a library that stays where it is", async () => {
    const emma = await book({ rootId: "books", cover: embedded });
    const { books, skipped } = await plan([emma], { covers: "too" });
    expect(books).toMatchObject([
      { from: { path: "book" }, to: { path: "book" }, moves: [{ role: "cover" }] },
    ]);
    expect(skipped).toEqual([]);
  });

  test.each([
    ["that has a file of its own", { cover: { kind: "file", path: "book/x.jpg" } }],
    ["that has none", { cover: null }],
    ["that needs review", { cover: embedded, state: "needs_review" }],
    ["that lies in a folder of others", { cover: embedded, path: "book/01.mp3" }],
  ] as const)("is not put beside one %s", async (_, fields) => {
    const { books, skipped } = await plan([await book({ rootId: "books", ...fields })], { covers: "too" });
    expect(books).toEqual([]);
    expect(skipped).toHaveLength(1);
  });

  test("alone can be asked for, and moves nothing", async () => {
    const inbox = await book({ title: "Emma", cover: embedded });
    const library = await book({ rootId: "books", files: ["here/01.mp3"], cover: embedded });
    const { books, skipped } = await plan([inbox, library], { covers: "only", library: true });
    expect(books.map(({ moves }) => moves.map(({ role }) => role))).toEqual([["cover"]]);
    expect(skipped).toEqual([{ bookId: inbox.id, reason: "only covers were asked for" }]);
  });

  test("has no place where the pattern gives books no folder of their own", async () => {
    const emma = await book({ title: "Emma", cover: embedded });
    const { books } = await plan([emma], { covers: "too", pattern: "{author}/{title}" });
    expect(books[0]?.moves.map(({ role }) => role)).toEqual(["track"]);
  });
});

function track(file: string, index: number): Track {
  const format = path.extname(file).slice(1);
  return {
    path: file,
    title: null,
    disc: 1,
    track: index + 1,
    durationSeconds: 1,
    sizeBytes: 5,
    mtimeMs: 0,
    format,
  };
}

const targets = ({ books }: Plan) => books.flatMap(({ moves }) => moves.map(({ to }) => placeText(to)));

describe("a book", () => {
  test("goes to its author, series, number, title and year", async () => {
    const one = await book({ title: "Dune", series: [{ name: "Dune Saga", position: "1" }], year: 1965 });
    expect(targets(await plan([one]))).toEqual(["books:/Author/Dune Saga/01 - Dune (1965)/Dune.mp3"]);
  });

  test("of several files has them numbered, with a pattern that forgets it too", async () => {
    const files = Array.from({ length: 12 }, (_, index) => `book/${index}.mp3`);
    const many = await book({ files });
    expect(targets(await plan([many]))[10]).toBe("books:/Author/Title/Title - 11.mp3");
    expect(targets(await plan([many], { pattern: "{author}/{title}" }))[0]).toBe(
      "books:/Author/Title - 01.mp3",
    );
    const hundred = await book({ files: Array.from({ length: 100 }, (_, index) => `more/${index}.mp3`) });
    expect(targets(await plan([hundred]))[0]).toBe("books:/Author/Title/Title - 001.mp3");
  });

  test("takes its companions along, and those that are called as its file is go on being so", async () => {
    const companions = ["Dune.jpg", "cover.jpg", "scans/Page 1.jpg", "DUNE.cue"].map((name) => ({
      path: `book/${name}`,
      kind: "image" as const,
      sizeBytes: 5,
    }));
    const dune = await book({ title: "Dune Messiah", files: ["book/Dune.m4b"], companions });
    expect(targets(await plan([dune]))).toEqual([
      "books:/Author/Dune Messiah/Dune Messiah.m4b",
      "books:/Author/Dune Messiah/Dune Messiah.jpg",
      "books:/Author/Dune Messiah/cover.jpg",
      "books:/Author/Dune Messiah/scans/Page 1.jpg",
      "books:/Author/Dune Messiah/Dune Messiah.cue",
    ]);
  });

  test.each([
    ["needs_review", "needs review: no author"],
    ["missing", "missing"],
    ["offline", "offline"],
  ] as const)("that is %s is left alone, with the reason", async (state, reason) => {
    const { books, skipped } = await plan([await book({ state, reviewReason: "no author" })]);
    expect(books).toEqual([]);
    expect(skipped).toEqual([{ bookId: "book/01.mp3", reason: expect.stringContaining(reason) }]);
  });

  test("of the library is moved only where that is asked for, and only if it is not in its place", async () => {
    const astray = await book({ rootId: "books", files: ["somewhere/01.mp3"] });
    expect((await plan([astray])).books).toEqual([]);
    const asked = await plan([astray], { library: true, strategy: "copy" });
    expect(asked.books).toMatchObject([{ strategy: "move", moves: [{ removesSource: true }] }]);
    const inPlace = await book({ rootId: "books", files: ["Author/Title/Title.mp3"] });
    const { skipped } = await plan([inPlace], { library: true });
    expect(skipped[0]?.reason).toContain("where it belongs");
  });
});

test.each(["Part 2", "Growing.Old", "CD1", "Notes.bak"])(
  "a book called %s gets a folder that a scan takes for one",
  async (title) => {
    const [target = ""] = targets(await plan([await book({ title })]));
    const name = target.split("/").at(-2) ?? "";
    expect([isIgnoredName(name), isDiscFolder(name)]).toEqual([false, false]);
    expect(name).toContain(title);
  },
);

describe("a tag that is", () => {
  test.each([
    ["a way out", "../../etc/passwd"],
    ["a device", "CON"],
    ["300 letters", "ä".repeat(300)],
    ["two names", "a/b"],
    ["emoji", "📚🎧"],
    ["written from right to left", "\u202eevil\u202c.exe"],
    ["only dots", "..."],
    ["nothing to see", "\u200b\u200e"],
    ["a pattern", "{author}/{title}"],
    ["a NUL", "a\0b"],
  ])("%s becomes a path inside the root", async (_, tag) => {
    const hostile = await book({
      title: tag,
      authors: [tag],
      series: [{ name: tag, position: tag.slice(0, 50) }],
      files: ["book/1.mp3", "book/2.mp3"],
    });
    const { books, conflicts } = await plan([hostile]);
    expect(conflicts).toEqual([]);
    for (const { to } of books.flatMap(({ moves }) => moves)) {
      const absolute = path.resolve(folder.at("library"), to.path);
      expect(absolute.startsWith(`${folder.at("library")}${path.sep}`)).toBe(true);
      for (const segment of to.path.split("/")) {
        expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(255);
        expect(segment).not.toMatch(/^\.|[\0-\x1f\u202a-\u202e]|^con$/i);
      }
      // It can really be made.
      await mkdir(path.dirname(absolute), { recursive: true });
      await writeFile(absolute, "");
    }
    const names = books.flatMap(({ moves }) => moves.map(({ to }) => to.path));
    expect(new Set(names).size).toBe(2);
  });
});

describe("a conflict", () => {
  test("of two books for one path leaves both out and names both, without regard to case", async () => {
    const one = await book({ title: "Dune", files: ["one/1.mp3"] });
    const two = await book({ title: "DUNE", files: ["two/1.mp3"] });
    const other = await book({ title: "Emma", files: ["three/1.mp3"] });
    const { books, conflicts } = await plan([one, two, other]);
    expect(books.map(({ title }) => title)).toEqual(["Emma"]);
    expect(conflicts).toMatchObject([
      { bookId: "one/1.mp3", code: "same_destination", with: "two/1.mp3" },
      { bookId: "two/1.mp3", code: "same_destination", with: "one/1.mp3" },
    ]);
  });

  test("with what lies there already, or a file where a folder is needed, is told before anything is done", async () => {
    await folder.write({ "library/Author/Title/Title.mp3": "mine", "library/Writer": "a file" });
    const { conflicts } = await plan([
      await book({}),
      await book({ authors: ["Writer"], files: ["x/1.mp3"] }),
    ]);
    expect(conflicts.map(({ code }) => code)).toEqual(["destination_taken", "destination_taken"]);
    expect(conflicts[0]?.message).toContain(folder.at("library/Author/Title/Title.mp3"));
  });

  test("of two books for one folder is told: the next scan would take them for one", async () => {
    const one = await book({ title: "Dune", files: ["one/Dune.m4b"] });
    const two = await book({ title: "Dune", files: ["two/1.mp3", "two/2.mp3"] });
    const { books, conflicts } = await plan([one, two]);
    expect(books).toEqual([]);
    expect(conflicts.map(({ code, with: other }) => [code, other])).toEqual([
      ["same_destination", "two/1.mp3"],
      ["same_destination", "one/Dune.m4b"],
    ]);
    // A pattern without a folder per book means it so, and covers take the names of their books.
    const cover = { path: "one/cover.jpg", kind: "image", sizeBytes: 5 } as const;
    const emma = await book({ title: "Emma", files: ["one/Emma.m4b"], companions: [cover] });
    const flat = await plan([emma, two], { pattern: "{author}/{title}" });
    expect(targets(flat)).toEqual([
      "books:/Author/Emma.m4b",
      "books:/Author/Emma.jpg",
      "books:/Author/Dune - 01.mp3",
      "books:/Author/Dune - 02.mp3",
    ]);
  });

  test("with a link anywhere on the way out is told, for what goes too", async () => {
    await folder.write({ "elsewhere/Title/": "" });
    await symlink(folder.at("elsewhere"), folder.at("library/Author"));
    expect((await plan([await book({})])).conflicts).toMatchObject([{ code: "outside_root" }]);
    await rm(folder.at("library/Author"));
    await symlink(folder.at("elsewhere"), folder.at("inbox/linked"));
    const linked = await book({ files: ["linked/book/01.mp3"] });
    expect((await plan([linked], { strategy: "move" })).conflicts).toMatchObject([{ code: "outside_root" }]);
    expect((await plan([linked], { strategy: "copy" })).conflicts).toEqual([]);
  });

  test("with a link that leads out of the library is told", async () => {
    await symlink(folder.at("inbox"), folder.at("library/Author"));
    const { conflicts } = await plan([await book({})]);
    expect(conflicts).toMatchObject([{ code: "outside_root", with: folder.at("library/Author") }]);
  });

  test("with a source that is gone, or is not what was scanned, is told", async () => {
    const gone = await book({});
    await rm(folder.at("inbox/book/01.mp3"));
    const grown = await book({ title: "Grown", files: ["grown/1.mp3"] });
    await writeFile(folder.at("inbox/grown/1.mp3"), "longer than it was");
    const { conflicts } = await plan([gone, grown]);
    expect(conflicts.map(({ code }) => code)).toEqual(["source_missing", "source_changed"]);
  });

  test("with a path that no system call takes is told", async () => {
    const deep = Array.from({ length: 20 }, () => "{title}").join("/");
    const { conflicts } = await plan([await book({ title: "ä".repeat(120) })], { pattern: deep });
    expect(conflicts.map(({ code }) => code)).toEqual(["path_too_long"]);
  });
});

test("a copy says how much it writes, a link that it writes nothing", async () => {
  const one = await book({ files: ["book/1.mp3", "book/2.mp3"] });
  const copied = await plan([one], { strategy: "copy" });
  expect(copied.bytesNeeded).toBe(10);
  expect(copied.bytesFree).toBeGreaterThan(10);
  expect(await plan([one], { strategy: "hardlink" })).toMatchObject({ bytesNeeded: 0 });
});

test("nothing is changed by planning", async () => {
  await plan([await book({})]);
  expect(await readdir(folder.at("library"))).toEqual([]);
});
