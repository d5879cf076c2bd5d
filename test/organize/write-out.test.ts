import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Book, Root } from "../../src/domain/book.ts";
import { isOwnSidecar } from "../../src/domain/seal.ts";
import type { BookFollower } from "../../src/organize/follow-books.ts";
import { createWriteOut } from "../../src/organize/write-out.ts";
import { readMetadataJson } from "../../src/scan/sidecar-json.ts";
import { readOpf } from "../../src/scan/sidecar-opf.ts";
import { type CatalogueFile, openCatalogue } from "../../src/store/catalogue.ts";
import { draft, unit } from "../contracts/catalogue-store.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

let tree: Tree;
let catalogue: CatalogueFile;
let writeOut: BookFollower;
let warnings: string[];
let settings: { metadata_json: boolean; opf: boolean };

beforeEach(async () => {
  tree = await makeTree({ "books/": "", "inbox/": "" });
  catalogue = openCatalogue(tree.at("catalogue.db"), () => new Date("2026-01-01T00:00:00.000Z"));
  catalogue.configureRoots([{ id: "books" }, { id: "inbox" }]);
  warnings = [];
  settings = { metadata_json: true, opf: true };
  const root = (id: string, kind: Root["kind"]): Root => {
    return { id, path: tree.at(id), kind, optional: false, watch: false };
  };
  writeOut = createWriteOut({
    settings: () => settings,
    roots: [root("books", "library"), root("inbox", "inbox")],
    catalogue,
    warn: (text) => warnings.push(text),
    settleMs: 1,
  });
});
afterEach(async () => {
  await writeOut.stop();
  await catalogue.close();
  await tree.dispose();
});

const fields = {
  title: 'Emma & "Me" <1>',
  subtitle: "A Novel",
  authors: ["Jane Austen", "Tom & Jerry"],
  narrators: ["Ann Reader"],
  series: [
    { name: "Classics #1 Picks", position: "1.5" },
    { name: "Others", position: null },
  ],
  year: 1815,
  publisher: "John Murray",
  language: "en",
  description: "Handsome, clever, and rich.",
  genres: ["Romance"],
  asin: "B002V1A0WE",
  isbn: "9780141439587",
};

interface Given {
  readonly root?: string;
  readonly review?: string;
  readonly fields?: Partial<typeof fields>;
  readonly companions?: Book["companions"];
}

/** Adds a book, and its folder where there is none. */
async function add(place: string, given: Given = {}): Promise<string> {
  const { root = "books", review = null, companions = [] } = given;
  await mkdir(tree.at(`${root}/${place}`), { recursive: true });
  const made = draft(place, { root, fields: { ...fields, ...given.fields }, review });
  const chapters = [{ title: "One", startMs: 0, endMs: 61_250 }];
  const change = unit(place, [{ id: null, draft: { ...made, companions, chapters } }], root);
  const [added] = catalogue.commit("op", [change]).added;
  if (added === undefined) throw new Error("the book is not there");
  return added.id;
}

const read = (file: string): Promise<string> => readFile(tree.at(`books/${file}`), "utf8");
const names = async (folder: string): Promise<string[]> => (await readdir(tree.at(`books/${folder}`))).sort();

describe("what is known of a book", () => {
  test("is written beside it, and read back as it was", async () => {
    await add("Emma");
    await writeOut.sync();
    expect(await names("Emma")).toEqual(["metadata.json", "metadata.opf"]);
    const json = await read("Emma/metadata.json");
    expect(JSON.parse(json)).toMatchObject({
      chapters: [{ id: 0, start: 0, end: 61.25, title: "One" }],
      title: 'Emma & "Me" <1>',
      authors: ["Jane Austen", "Tom & Jerry"],
      series: ["Classics #1 Picks #1.5", "Others"],
      publishedYear: "1815",
      explicit: null,
    });
    expect(JSON.parse(json)).not.toHaveProperty("tags");
    const { explicit: _explicit, ...back } = readMetadataJson(json).fields;
    expect(back).toEqual(fields);
    const opf = readOpf(await read("Emma/metadata.opf"));
    // An OPF names several authors in one element too.
    expect(opf).toEqual({ ...fields, authors: ["Jane Austen", "Tom", "Jerry"] });
    expect(warnings).toEqual([]);
  });

  test("follows what is corrected, and is not touched where nothing is new", async () => {
    const id = await add("Emma");
    await writeOut.sync();
    const { ino, ctimeMs } = await stat(tree.at("books/Emma/metadata.json"));
    await writeOut.sync();
    expect(await stat(tree.at("books/Emma/metadata.json"))).toMatchObject({ ino, ctimeMs });
    catalogue.setFields(id, { title: "Emma again" });
    writeOut.changed([id]);
    await expect.poll(async () => JSON.parse(await read("Emma/metadata.json")).title).toBe("Emma again");
    await expect.poll(async () => readOpf(await read("Emma/metadata.opf")).title).toBe("Emma again");
    expect(await names("Emma")).toEqual(["metadata.json", "metadata.opf"]);
  });

  test("goes when the book does", async () => {
    const id = await add("Emma");
    await writeOut.sync();
    catalogue.commit("op-2", [{ kind: "vanished", rootId: "books", path: "Emma" }]);
    writeOut.changed([id]);
    await expect.poll(() => names("Emma")).toEqual([]);
  });

  test("is written for what is wanted only", async () => {
    await add("Emma");
    settings = { metadata_json: false, opf: true };
    await writeOut.sync();
    expect(await names("Emma")).toEqual(["metadata.opf"]);
    settings = { metadata_json: false, opf: false };
    await rm(tree.at("books/Emma/metadata.opf"));
    await writeOut.sync();
    expect(await names("Emma")).toEqual([]);
  });

  test("is not written for a book of an inbox, to be reviewed, or without a folder of its own", async () => {
    await add("Download", { root: "inbox" });
    await add("Doubtful", { review: "no author" });
    const made = draft("Shared/one.mp3", { fields, trackCount: 1 });
    const tracks = made.tracks.map((track) => ({ ...track, path: "Shared/one.mp3" }));
    await mkdir(tree.at("books/Shared"));
    catalogue.commit("op", [unit("Shared", [{ id: null, draft: { ...made, tracks } }])]);
    await writeOut.sync();
    expect(await readdir(tree.at("inbox/Download"))).toEqual([]);
    expect(await names("Doubtful")).toEqual([]);
    expect(await names("Shared")).toEqual([]);
  });

  test("stays out of a folder that a link leads to outside of the library", async () => {
    await mkdir(tree.at("elsewhere"));
    await symlink(tree.at("elsewhere"), tree.at("books/Linked"));
    await add("Linked");
    await add("Emma");
    await writeOut.sync();
    expect(await readdir(tree.at("elsewhere"))).toEqual([]);
    expect(await names("Emma")).toEqual(["metadata.json", "metadata.opf"]);
    expect(warnings).toEqual([expect.stringMatching(/Linked leads out of .*books by a link/)]);
  });

  test("of one book keeps those of the others from nothing, and what is wrong is told once", async () => {
    await add("Emma");
    await add("Persuasion");
    await add("Gone");
    await rm(tree.at("books/Gone"), { recursive: true });
    // A folder where the file would be written first.
    await mkdir(tree.at("books/Emma/.tomekeeper-metadata.json.part"));
    await writeOut.sync();
    await writeOut.sync();
    expect(await names("Persuasion")).toEqual(["metadata.json", "metadata.opf"]);
    expect(warnings).toEqual([expect.stringMatching(/could not be written beside them: .*Emma/)]);
  });
});

describe("a file that is not ours", () => {
  test.each(["metadata.json", "metadata.opf"])("is never replaced: %s", async (name) => {
    const id = await add("Emma");
    await writeFile(tree.at(`books/Emma/${name}`), "theirs");
    await writeOut.sync();
    catalogue.setFields(id, { title: "New" });
    await writeOut.sync();
    expect(await read(`Emma/${name}`)).toBe("theirs");
  });

  test.each(["metadata.json", "metadata.opf"])("neither by what somebody made of ours: %s", async (name) => {
    const id = await add("Emma");
    await writeOut.sync();
    const changed = (await read(`Emma/${name}`)).replace("John Murray", "Penguin");
    expect(isOwnSidecar(changed)).toBe(false);
    await writeFile(tree.at(`books/Emma/${name}`), changed);
    catalogue.setFields(id, { title: "New" });
    await writeOut.sync();
    expect(await read(`Emma/${name}`)).toBe(changed);
    catalogue.commit("op-2", [{ kind: "vanished", rootId: "books", path: "Emma" }]);
    writeOut.changed([id]);
    await expect.poll(() => names("Emma")).toEqual([name]);
  });

  test("is left alone as a link, as a folder, and where it cannot be read", async () => {
    await add("Link");
    await add("Folder");
    await writeFile(tree.at("their.json"), "theirs");
    await symlink(tree.at("their.json"), tree.at("books/Link/metadata.json"));
    await mkdir(tree.at("books/Folder/metadata.json"));
    await add("Closed");
    await writeFile(tree.at("books/Closed/metadata.json"), "theirs");
    await chmod(tree.at("books/Closed/metadata.json"), 0o000);
    await writeOut.sync();
    expect(await readFile(tree.at("their.json"), "utf8")).toBe("theirs");
    expect((await stat(tree.at("books/Folder/metadata.json"))).isDirectory()).toBe(true);
    await chmod(tree.at("books/Closed/metadata.json"), 0o644);
    expect(await read("Closed/metadata.json")).toBe("theirs");
    expect(warnings).toEqual([]);
  });

  test("keeps a second OPF away", async () => {
    const companions = [{ path: "Emma/Emma.OPF", kind: "sidecar", sizeBytes: 6 }] as const;
    await add("Emma", { companions });
    await writeOut.sync();
    expect(await names("Emma")).toEqual(["metadata.json"]);
  });
});

test("what a crash left half written goes with the next look", async () => {
  await add("Emma");
  await writeOut.sync();
  const part = tree.at("books/Emma/.tomekeeper-metadata.json.part");
  await writeFile(part, '{"title":');
  await writeOut.sync();
  expect(await names("Emma")).toEqual(["metadata.json", "metadata.opf"]);
});
