import { execFileSync } from "node:child_process";
import { chmod, copyFile, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Book, Root } from "../../src/domain/book.ts";
import type { BookFollower } from "../../src/organize/follow-books.ts";
import { createPlaylists } from "../../src/organize/playlists.ts";
import { type CatalogueFile, openCatalogue } from "../../src/store/catalogue.ts";
import { draft, unit } from "../contracts/catalogue-store.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

let tree: Tree;
let catalogue: CatalogueFile;
let playlists: BookFollower;
let warnings: string[];
/** As it is configured; null for no playlists. */
let folder: string | null;

beforeEach(async () => {
  tree = await makeTree({ "books/": "", "inbox/": "" });
  catalogue = openCatalogue(tree.at("catalogue.db"), () => new Date("2026-01-01T00:00:00.000Z"));
  catalogue.configureRoots([{ id: "books" }, { id: "inbox" }]);
  warnings = [];
  folder = tree.at("lists");
  playlists = open();
});
afterEach(async () => {
  await playlists.stop();
  await catalogue.close();
  await tree.dispose();
});

function open(): BookFollower {
  const root = (id: string, kind: Root["kind"]): Root => {
    return { id, path: tree.at(id), kind, optional: false, watch: false };
  };
  return createPlaylists({
    folder: () => folder,
    roots: [root("books", "library"), root("inbox", "inbox")],
    catalogue,
    warn: (text) => warnings.push(text),
    settleMs: 1,
  });
}

/** As after a restart of the runner. */
async function reopen(): Promise<void> {
  await playlists.stop();
  playlists = open();
}

interface Given {
  readonly author?: string;
  readonly series?: Book["series"];
  /** Names of its files. */
  readonly files?: readonly string[];
  /** Titles of its files; null for those that have none. */
  readonly titles?: readonly (string | null)[];
  readonly root?: string;
  /** Its folder, where that is not named as it is. */
  readonly folder?: string;
  /** Why it needs review. */
  readonly review?: string;
}

function add(title: string, given: Given = {}): Book {
  const { author = "L. Frank Baum", series = [], titles = [], root = "books", folder: place = title } = given;
  const { files = ["01.mp3", "02.mp3"] } = given;
  const fields = { title, authors: [author], series };
  const made = draft(place, { root, fields, trackCount: files.length, review: given.review ?? null });
  const tracks = made.tracks.map((track, index) => ({
    ...track,
    path: `${place}/${files[index]}`,
    title: titles[index] ?? null,
    durationSeconds: 61.4,
  }));
  const change = unit(place, [{ id: null, draft: { ...made, tracks } }], root);
  const [added] = catalogue.commit("op", [change]).added;
  const whole = added === undefined ? null : catalogue.book(added.id);
  if (whole === null) throw new Error("the book is not there");
  return whole;
}

const oz = (position: string | null) => [{ name: "Oz", position }];
const lists = async () => (await readdir(tree.at("lists"))).sort();
const list = (name: string) => readFile(tree.at(`lists/${name}`), "utf8");
const write = (name: string, text: string) => writeFile(tree.at(`lists/${name}`), text);
/** The files that a playlist plays. */
const plays = async (name: string) => (await list(name)).split("\n").filter((line) => /^[^#]/.test(line));

describe("a book", () => {
  test("of several files has a playlist with its files in their order, by paths from where it lies", async () => {
    const { id } = add("The Marvelous Land", { titles: ["Tip\nRuns Away", null] });
    await playlists.sync();
    expect(await lists()).toEqual(["L. Frank Baum - The Marvelous Land.m3u8"]);
    const bytes = await readFile(tree.at("lists/L. Frank Baum - The Marvelous Land.m3u8"));
    expect(bytes.subarray(0, 3).toString()).toBe("#EX");
    expect(bytes.toString("utf8").split("\n").slice(0, -2)).toEqual([
      "#EXTM3U",
      `#TOMEKEEPER:book:${id}`,
      "#PLAYLIST:The Marvelous Land",
      "#EXTINF:61,L. Frank Baum - The Marvelous Land: Tip Runs Away",
      "../books/The Marvelous Land/01.mp3",
      "#EXTINF:61,L. Frank Baum - The Marvelous Land: 2 of 2",
      "../books/The Marvelous Land/02.mp3",
    ]);
    expect(warnings).toEqual([]);
  });

  test("of one file, of an inbox, missing or to be reviewed has none", async () => {
    add("Single", { files: ["one.m4b"] });
    add("Download", { root: "inbox" });
    add("Gone");
    add("Doubtful", { review: "no author" });
    catalogue.commit("op-2", [{ kind: "vanished", rootId: "books", path: "Gone" }]);
    await playlists.sync();
    expect(await lists()).toEqual([]);
  });

  test("takes its playlist along when its name is corrected", async () => {
    const { id } = add("Wicked");
    await playlists.sync();
    catalogue.setFields(id, { title: "Witches" });
    playlists.changed([id]);
    await expect.poll(lists).toEqual(["L. Frank Baum - Witches.m3u8"]);
  });

  test("that goes takes its playlist away, now or while nobody looked", async () => {
    const { id } = add("Glinda");
    add("Rinkitink");
    await playlists.sync();
    catalogue.commit("op-2", [{ kind: "vanished", rootId: "books", path: "Glinda" }]);
    playlists.changed([id]);
    await expect.poll(lists).toEqual(["L. Frank Baum - Rinkitink.m3u8"]);
    catalogue.commit("op-3", [{ kind: "vanished", rootId: "books", path: "Rinkitink" }]);
    await reopen();
    await playlists.sync();
    expect(await lists()).toEqual([]);
  });

  test("whose disk is away keeps its playlist, and its series its order", async () => {
    add("Glinda", { series: oz("14") });
    add("Ozma", { series: oz("3") });
    await playlists.sync();
    const before = await Promise.all((await lists()).map(list));
    catalogue.setRootOnline("books", false);
    await reopen();
    await playlists.sync();
    playlists.changed(catalogue.query({ limit: 9, offset: 0 }).items.map(({ id }) => id));
    await playlists.sync();
    expect(await Promise.all((await lists()).map(list))).toEqual(before);
    expect(before).toHaveLength(3);
  });

  test("may have any name: it becomes a file's name that every system takes", async () => {
    add("Who?: A/B", { author: "AC/DC" });
    add(`${"長い".repeat(80)}`);
    add("..");
    await playlists.sync();
    const names = await lists();
    expect(names).toHaveLength(3);
    for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
    expect(names).toContain("AC-DC - Who - A-B.m3u8");
    expect(warnings).toEqual([]);
  });

  test("whose files have names that would be something else in a playlist is played all the same", async () => {
    folder = tree.at("books");
    add("#1", { files: ["01.mp3", "02.mp3"] });
    add("Broken", { files: ["a\nb.mp3", "c.mp3"] });
    await playlists.sync();
    const text = await readFile(tree.at("books/L. Frank Baum - #1.m3u8"), "utf8");
    expect(text.split("\n")).toContain("./#1/01.mp3");
    expect((await readdir(tree.at("books"))).filter((name) => name.includes("Broken"))).toEqual([]);
  });
});

describe("a series", () => {
  test("has a playlist of its books in the natural order of their positions", async () => {
    const titles = { "10": "Ten", "2": "Two", "0.5": "Half", "1-3": "Omnibus", "1": "One" };
    for (const [position, title] of Object.entries(titles)) {
      add(title, { series: oz(position), files: [`${title}.m4b`] });
    }
    add("Aside", { series: oz(null), files: ["Aside.m4b"] });
    add("Other", { series: [{ name: "Oz Reimagined", position: "1" }], files: ["Other.m4b"] });
    await playlists.sync();
    expect(await lists()).toEqual(["Oz Reimagined.m3u8", "Oz.m3u8"]);
    expect(await plays("Oz.m3u8")).toEqual(
      ["Half", "One", "Omnibus", "Two", "Ten", "Aside"].map((title) => `../books/${title}/${title}.m4b`),
    );
    expect((await list("Oz.m3u8")).split("\n").slice(1, 4)).toEqual([
      "#TOMEKEEPER:series:oz",
      "#PLAYLIST:Oz",
      "#EXTINF:61,L. Frank Baum - Half",
    ]);
  });

  test("loses the book that leaves it, gets the one that comes, and goes with the last", async () => {
    const { id: first } = add("Wicked", { series: oz("1"), files: ["w.m4b"] });
    const { id: second } = add("Glinda", { series: oz("2"), files: ["g.m4b"] });
    await playlists.sync();
    catalogue.setFields(first, { series: [{ name: "The Wicked Years", position: "1" }] });
    playlists.changed([first]);
    await expect.poll(lists).toEqual(["Oz.m3u8", "The Wicked Years.m3u8"]);
    await expect.poll(() => plays("Oz.m3u8")).toEqual(["../books/Glinda/g.m4b"]);
    catalogue.setFields(second, { series: [{ name: "the  wicked years", position: "0.5" }] });
    playlists.changed([second]);
    await expect.poll(lists).toEqual(["the wicked years.m3u8"]);
    expect(await plays("the wicked years.m3u8")).toEqual(["../books/Glinda/g.m4b", "../books/Wicked/w.m4b"]);
  });
});

describe("what is not ours", () => {
  test("keeps its name: ours gets another, and the same one after a restart", async () => {
    await mkdir(tree.at("lists"));
    await write("Oz.m3u8", "#EXTM3U\nmine.mp3\n");
    add("Glinda", { series: oz("14"), files: ["g.m4b"] });
    await playlists.sync();
    expect(await list("Oz.m3u8")).toBe("#EXTM3U\nmine.mp3\n");
    expect(await lists()).toEqual(["Oz (2).m3u8", "Oz.m3u8"]);
    await reopen();
    await playlists.sync();
    expect(await lists()).toEqual(["Oz (2).m3u8", "Oz.m3u8"]);
  });

  test("is kept where it was put in the place of ours", async () => {
    const { id } = add("Glinda");
    await playlists.sync();
    await write("L. Frank Baum - Glinda.m3u8", "#EXTM3U\nmine.mp3\n");
    catalogue.setFields(id, { authors: ["L. Frank Baum", "Somebody"] });
    playlists.changed([id]);
    await expect.poll(lists).toEqual(["L. Frank Baum - Glinda (2).m3u8", "L. Frank Baum - Glinda.m3u8"]);
    expect(await list("L. Frank Baum - Glinda.m3u8")).toBe("#EXTM3U\nmine.mp3\n");
  });

  test("is one of ours that its owner has changed: it stays as it is, also when its book goes", async () => {
    const { id } = add("Glinda");
    add("Ozma");
    await playlists.sync();
    const mine = (await list("L. Frank Baum - Glinda.m3u8")).replace("01.mp3", "00 my intro.mp3");
    await write("L. Frank Baum - Glinda.m3u8", mine);
    catalogue.setFields(id, { title: "Glinda of Oz" });
    await playlists.sync();
    expect(await lists()).toEqual(["L. Frank Baum - Glinda.m3u8", "L. Frank Baum - Ozma.m3u8"]);
    catalogue.commit("op-2", [{ kind: "vanished", rootId: "books", path: "Glinda" }]);
    await reopen();
    await playlists.sync();
    expect(await list("L. Frank Baum - Glinda.m3u8")).toBe(mine);
  });

  test("is what is no file, or may not be read: nothing waits for it and nothing fails of it", async () => {
    await mkdir(tree.at("lists/Oz.m3u8"), { recursive: true });
    execFileSync("mkfifo", [tree.at("lists/pipe.m3u8")]);
    await symlink("nowhere", tree.at("lists/link.m3u8"));
    await write("secret.m3u8", "#EXTM3U\n");
    await chmod(tree.at("lists/secret.m3u8"), 0);
    add("Glinda", { series: oz("14"), files: ["g.m4b"] });
    await playlists.sync();
    expect(await lists()).toEqual(["Oz (2).m3u8", "Oz.m3u8", "link.m3u8", "pipe.m3u8", "secret.m3u8"]);
    expect(warnings).toEqual([]);
  });
});

describe("the folder", () => {
  test("is written to only where something changed", async () => {
    add("Glinda", { series: oz("14") });
    const { id } = add("Ozma", { series: oz("3") });
    await playlists.sync();
    const seen = async () =>
      Promise.all((await lists()).map(async (name) => (await stat(tree.at(`lists/${name}`))).ino));
    const before = await seen();
    await reopen();
    await playlists.sync();
    playlists.changed([id]);
    await playlists.sync();
    expect(await seen()).toEqual(before);
  });

  test("is cleared of what a crash left: a part, and a playlist beside its successor", async () => {
    add("Glinda");
    await playlists.sync();
    const name = "L. Frank Baum - Glinda.m3u8";
    await write(".0b4e.tomekeeper-playlist.part", (await list(name)).slice(0, 50));
    await copyFile(tree.at(`lists/${name}`), tree.at("lists/Z former name.m3u8"));
    await reopen();
    await playlists.sync();
    expect(await lists()).toEqual([name]);
  });

  test("gets back what was deleted in it", async () => {
    const { id } = add("Glinda");
    await playlists.sync();
    await rm(tree.at("lists/L. Frank Baum - Glinda.m3u8"));
    playlists.changed([id]);
    await expect.poll(lists).toEqual(["L. Frank Baum - Glinda.m3u8"]);
  });

  test("may change while all runs, and go: what was written stays", async () => {
    const { id } = add("Glinda");
    await playlists.sync();
    folder = tree.at("elsewhere");
    playlists.changed([id]);
    await expect
      .poll(() => readdir(tree.at("elsewhere")).catch(() => []))
      .toEqual(["L. Frank Baum - Glinda.m3u8"]);
    folder = null;
    add("Ozma");
    await playlists.sync();
    expect(await lists()).toEqual(["L. Frank Baum - Glinda.m3u8"]);
  });

  test("may be reached through a link: paths are from where it really is", async () => {
    await mkdir(tree.at("deep/er/lists"), { recursive: true });
    await symlink(tree.at("deep/er/lists"), tree.at("lists"));
    add("Glinda");
    await playlists.sync();
    const [first] = await plays("L. Frank Baum - Glinda.m3u8");
    expect(path.resolve(tree.at("deep/er/lists"), first ?? "")).toBe(tree.at("books/Glinda/01.mp3"));
  });

  test("on a disk that is not there is not made; it is told once, and written when the disk is back", async () => {
    folder = tree.at("disk/lists");
    const { id } = add("Glinda");
    await playlists.sync();
    await playlists.sync();
    expect(warnings).toEqual([expect.stringMatching(/playlists could not be written: .*disk\/lists/)]);
    await mkdir(tree.at("disk"));
    playlists.changed([id]);
    await expect
      .poll(() => readdir(tree.at("disk/lists")).catch(() => []))
      .toEqual(["L. Frank Baum - Glinda.m3u8"]);
  });

  test("holds playlists of two books of the same name, each its own also after a restart", async () => {
    add("Emma");
    add("Emma", { folder: "Emma again" });
    await playlists.sync();
    const names = ["L. Frank Baum - Emma (2).m3u8", "L. Frank Baum - Emma.m3u8"];
    expect(await lists()).toEqual(names);
    const before = await Promise.all(names.map(list));
    await reopen();
    await playlists.sync();
    expect(await Promise.all((await lists()).map(list))).toEqual(before);
  });
});
