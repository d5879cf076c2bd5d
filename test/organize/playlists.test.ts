import { readdir, readFile, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Book } from "../../src/domain/book.ts";
import { createPlaylists, type Playlists } from "../../src/organize/playlists.ts";
import { type CatalogueFile, openCatalogue } from "../../src/store/catalogue.ts";
import { draft, unit } from "../contracts/catalogue-store.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

let folder: Tree;
let catalogue: CatalogueFile;
let playlists: Playlists;
let warnings: string[];

beforeEach(async () => {
  folder = await makeTree({ "books/": "", "lists/": "" });
  catalogue = openCatalogue(folder.at("catalogue.db"), () => new Date("2026-01-01T00:00:00.000Z"));
  warnings = [];
  playlists = open();
});
afterEach(async () => {
  await playlists.stop();
  await catalogue.close();
  await folder.dispose();
});

function open(): Playlists {
  const roots = [
    { id: "books", path: folder.at("books"), kind: "library", optional: false, watch: false } as const,
  ];
  return createPlaylists({
    folder: () => folder.at("lists"),
    roots,
    catalogue,
    warn: (text) => warnings.push(text),
  });
}

/** Books of two tracks: their titles and places in the series "Oz". */
function add(title: string, position: string | null, author = "L. Frank Baum"): Book {
  const series = position === null ? [] : [{ name: "Oz", position }];
  const made = draft(title);
  const [first] = made.tracks;
  if (first === undefined) throw new Error("a book without a track");
  const tracks = ["01", "02"].map((name) => ({
    ...first,
    path: `${title}/${name}.mp3`,
    title: null,
    durationSeconds: 61.4,
  }));
  const layers = { tags: { title, authors: [author], series } };
  catalogue.commit("op", [unit(title, [{ id: null, draft: { ...made, layers, tracks } }])]);
  const added = catalogue.query({ text: title, limit: 1, offset: 0 }).items[0];
  const whole = added === undefined ? null : catalogue.book(added.id);
  if (whole === null) throw new Error("the book is not there");
  return whole;
}

const lists = async () => (await readdir(folder.at("lists"))).sort();
const list = (name: string) => readFile(folder.at(`lists/${name}`), "utf8");

test("a book of several files has a playlist, and a series one of its books in their order", async () => {
  add("Ozma of Oz", "3");
  const { id } = add("The Marvelous Land", "2");
  add("Glinda", "14");
  await playlists.sync();
  expect(await lists()).toEqual([
    "L. Frank Baum - Glinda.m3u8",
    "L. Frank Baum - Ozma of Oz.m3u8",
    "L. Frank Baum - The Marvelous Land.m3u8",
    "Oz.m3u8",
  ]);
  expect(await list("L. Frank Baum - The Marvelous Land.m3u8")).toBe(
    [
      "#EXTM3U",
      `#TOMEKEEPER:book:${id}`,
      "#PLAYLIST:The Marvelous Land",
      "#EXTINF:61,L. Frank Baum - The Marvelous Land 1",
      "../books/The Marvelous Land/01.mp3",
      "#EXTINF:61,L. Frank Baum - The Marvelous Land 2",
      "../books/The Marvelous Land/02.mp3",
      "",
    ].join("\n"),
  );
  const order = (await list("Oz.m3u8")).split("\n").filter((line) => line.endsWith("/01.mp3"));
  expect(order).toEqual([
    "../books/The Marvelous Land/01.mp3",
    "../books/Ozma of Oz/01.mp3",
    "../books/Glinda/01.mp3",
  ]);
  expect(warnings).toEqual([]);
});

test("a corrected book takes its playlist along, and leaves the series that it was in", async () => {
  const { id } = add("Wicked", "1");
  await playlists.sync();
  catalogue.setFields(id, { title: "Wicked?", series: [] });
  playlists.changed([id]);
  await playlists.stop();
  expect(await lists()).toEqual(["L. Frank Baum - Wicked.m3u8"]);
  catalogue.setFields(id, { title: "Witches", series: [{ name: "Ozes", position: "1" }] });
  playlists.changed([id]);
  await playlists.stop();
  expect(await lists()).toEqual(["L. Frank Baum - Witches.m3u8", "Ozes.m3u8"]);
});

test("a file of the user's keeps its name, and a playlist of ours is known again after a restart", async () => {
  await writeFile(folder.at("lists/Oz.m3u8"), "#EXTM3U\nmine.mp3\n");
  add("Glinda", "14");
  await playlists.sync();
  expect(await list("Oz.m3u8")).toBe("#EXTM3U\nmine.mp3\n");
  expect(await lists()).toContain("Oz (2).m3u8");
  const before = await lists();
  playlists = open();
  await playlists.sync();
  expect(await lists()).toEqual(before);
});

test("what is missing has no playlist any more", async () => {
  add("Glinda", "14");
  await playlists.sync();
  catalogue.commit("op-2", [{ kind: "vanished", rootId: "books", path: "Glinda" }]);
  playlists = open();
  await playlists.sync();
  expect(await lists()).toEqual([]);
});
