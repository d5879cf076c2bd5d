import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AudioTags, makeAudio } from "../../src/demo/audio/make-audio.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";
import { snapshot } from "../organize/library.ts";

/* What the runner writes beside books, as a user meets it. */

let dir: string;
let runner: RunningRunner;

const jpeg = Buffer.concat([Buffer.from("ffd8ffe0", "hex"), Buffer.alloc(3000, 7)]);
const png = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(3000, 8)]);

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-write-out-"));
  for (const root of ["books", "inbox"]) mkdirSync(path.join(dir, root));
});
afterEach(async () => {
  await runner.stop();
  rmSync(dir, { recursive: true });
});

async function addBook(folder: string, tags: AudioTags, picture?: Buffer): Promise<void> {
  const file = path.join(dir, folder, "01.mp3");
  mkdirSync(path.dirname(file), { recursive: true });
  await makeAudio(file, { tags, ...(picture === undefined ? {} : { picture }) });
}

async function start(settings: Readonly<Record<string, string>>): Promise<void> {
  const roots = ["--library", path.join(dir, "books"), "--inbox", path.join(dir, "inbox")];
  runner = await startRunner([...roots, "--data", path.join(dir, "data"), "--mqtt-port", "0"], {
    env: { TOMEKEEPER_SCAN__ON_STARTUP: "false", ...settings },
  });
  await scan();
}

async function scan(): Promise<Record<string, unknown>> {
  let books = { changed: 0 };
  for (const root of ["books", "inbox"]) {
    const { changed } = (await runner.ask("scan", { root })).at(-1)?.data.summary ?? {};
    books = { changed: books.changed + changed };
  }
  return books;
}

const at = (file: string): string => path.join(dir, file);
const names = (folder: string): string[] => (existsSync(at(folder)) ? readdirSync(at(folder)).sort() : []);

async function bookNamed(title: string) {
  const [found] = await runner.ask("query", { text: title });
  const [answer] = await runner.ask("book", { id: found?.data.items[0].id });
  return answer?.data;
}

async function organize(payload: object = {}) {
  return (await runner.ask("organize", payload)).at(-1);
}

const emma = { album: "Emma", artist: "Jane Austen", year: 1815 };
const inPlace = "books/Jane Austen/Emma (1815)";

describe("metadata.json and metadata.opf", () => {
  const settings = { TOMEKEEPER_WRITE_OUT__METADATA_JSON: "true", TOMEKEEPER_WRITE_OUT__OPF: "true" };

  test("are kept beside a book, and tell a scan nothing", async () => {
    await addBook("books/Austen/Emma", emma);
    await start(settings);
    const files = ["01.mp3", "metadata.json", "metadata.opf"];
    await expect.poll(() => names("books/Austen/Emma"), { timeout: 10_000 }).toEqual(files);
    const { id } = await bookNamed("Emma");
    await runner.ask("set", { book: id, fields: { title: "Emma Woodhouse" } });
    const title = () => JSON.parse(readFileSync(at("books/Austen/Emma/metadata.json"), "utf8")).title;
    await expect.poll(title, { timeout: 10_000 }).toBe("Emma Woodhouse");
    expect(await scan()).toEqual({ changed: 0 });
    await runner.ask("set", { book: id, fields: { title: "Emma" } });
    expect(await bookNamed("Emma")).toMatchObject({
      title: "Emma",
      provenance: { title: "user", authors: "tags", year: "tags" },
      companions: [],
    });
    await expect.poll(title, { timeout: 10_000 }).toBe("Emma");
    expect(await scan()).toEqual({ changed: 0 });
  });

  test("go with their book, and an undo leaves nothing of them", async () => {
    await addBook("inbox/Emma", emma);
    await addBook("books/Somewhere/Persuasion", { album: "Persuasion", artist: "Jane Austen" });
    await start({ ...settings, TOMEKEEPER_ORGANIZE__LIBRARY: "true" });
    const placed = "books/Jane Austen/Persuasion";
    await expect.poll(() => names("books/Somewhere/Persuasion"), { timeout: 10_000 }).toHaveLength(3);
    const before = await snapshot(at("inbox"));
    expect(await organize({ strategy: "copy" })).toMatchObject({
      status: "ok",
      data: { summary: { books: 2, files: 2, leftover_count: 0 } },
    });
    expect(names("books/Somewhere/Persuasion")).toEqual([]);
    for (const folder of [placed, inPlace]) {
      await expect.poll(() => names(folder), { timeout: 10_000 }).toHaveLength(3);
    }
    expect((await runner.ask("undo")).at(-1)).toMatchObject({
      status: "ok",
      data: { summary: { files: 2 } },
    });
    expect(names("books")).toEqual(["Somewhere"]);
    expect(await snapshot(at("inbox"))).toEqual(before);
    await expect.poll(() => names("books/Somewhere/Persuasion"), { timeout: 10_000 }).toHaveLength(3);
  });
});

describe("a cover", () => {
  const settings = { TOMEKEEPER_WRITE_OUT__COVER: "true" };

  test("that is in a track is put beside its book, and taken back", async () => {
    await addBook("books/Austen/Emma", emma, jpeg);
    await addBook("books/Austen/Persuasion", { album: "Persuasion", artist: "Jane Austen" }, png);
    await addBook("books/Austen/Sanditon", { album: "Sanditon", artist: "Jane Austen" });
    await addBook("inbox/Lady Susan", { album: "Lady Susan", artist: "Jane Austen" }, jpeg);
    await start(settings);
    const plan = (await runner.ask("organize", { dry_run: true })).at(-1)?.data;
    expect(plan.move_count).toBe(4);
    expect(plan.moves).toContainEqual(
      expect.objectContaining({ to: "books:/Austen/Emma/cover.jpg", strategy: "copy" }),
    );
    const before = await snapshot(at("books"));
    expect(await organize()).toMatchObject({ status: "ok", data: { summary: { books: 3, files: 4 } } });
    expect(readFileSync(at("books/Austen/Emma/cover.jpg"))).toEqual(jpeg);
    expect(readFileSync(at("books/Austen/Persuasion/cover.png"))).toEqual(png);
    expect(readFileSync(at("books/Jane Austen/Lady Susan/cover.jpg"))).toEqual(jpeg);
    expect(statSync(at("books/Austen/Emma/cover.jpg")).mode & 0o777).toBe(0o644);
    // Once for each content.
    expect(names("data/covers")).toHaveLength(2);
    const cover = async () => (await bookNamed("Emma")).cover;
    await expect.poll(cover, { timeout: 10_000 }).toEqual({ kind: "file", path: "Austen/Emma/cover.jpg" });
    expect(await organize()).toMatchObject({ status: "ok", data: { summary: { books: 0, files: 0 } } });

    expect((await runner.ask("undo")).at(-1)).toMatchObject({
      status: "ok",
      data: { summary: { files: 4 } },
    });
    expect(await snapshot(at("books"))).toEqual(before);
    await expect.poll(cover, { timeout: 10_000 }).toEqual({ kind: "embedded", path: "Austen/Emma/01.mp3" });
  });

  test("takes nobody's place, and one that cannot be had keeps no other from its own", async () => {
    const sanditon = { album: "Sanditon", artist: "Jane Austen" };
    await addBook("books/Austen/Emma", emma, jpeg);
    await addBook("books/Austen/Persuasion", { album: "Persuasion", artist: "Jane Austen" }, jpeg);
    await addBook("books/Austen/Sanditon", sanditon, jpeg);
    await start(settings);
    writeFileSync(at("books/Austen/Emma/cover.jpg"), "theirs");
    await addBook("books/Austen/Sanditon", sanditon);
    const done = await organize();
    expect(done).toMatchObject({
      status: "ok",
      data: { summary: { books: 1, files: 1, cover_problem_count: 1 } },
    });
    const [problem] = done?.data.summary.cover_problems ?? [];
    expect(problem.message).toMatch(/^books:\/Austen\/Sanditon\/01\.mp3: no picture/);
    expect(readFileSync(at("books/Austen/Emma/cover.jpg"), "utf8")).toBe("theirs");
    expect(names("books/Austen/Persuasion")).toEqual(["01.mp3", "cover.jpg"]);
  });
});

describe("shown to a hub", () => {
  const settings = { TOMEKEEPER_HTTP__PORT: "0", TOMEKEEPER_LOG_LEVEL: "info" };
  const address = (): string => /http:\/\/127\.0\.0\.1:\d+/.exec(runner.stderr())?.[0] ?? "none";
  const get = (url: string) => fetch(`${address()}${url}`);

  test("is the newest book's cover, at an address of its own, and nothing but pictures of books", async () => {
    await addBook("books/Austen/Emma", emma, jpeg);
    await addBook("books/Austen/Sanditon", { album: "Sanditon", artist: "Jane Austen" });
    mkdirSync(at("books/Austen/Lesley"));
    await makeAudio(at("books/Austen/Lesley/01.mp3"), { tags: { album: "Lesley", artist: "Jane Austen" } });
    writeFileSync(at("books/Austen/Lesley/cover.jpg"), "no picture at all");
    await start({ ...settings, TOMEKEEPER_HTTP__URL: "http://nas.local:9464/" });
    type Cover = { readonly book: { readonly title: string }; readonly url: string };
    await addBook("books/Austen/Persuasion", { album: "Persuasion", artist: "Jane Austen" }, png);
    await scan();
    const { url } = await runner.state<Cover>("cover", ({ book }: Cover) => book.title === "Persuasion");
    expect(url).toMatch(/^http:\/\/nas\.local:9464\/covers\/[\w-]+\?\w+$/);
    const shown = await get(url.replace("http://nas.local:9464", ""));
    expect(shown.headers.get("content-type")).toBe("image/png");
    expect(Buffer.from(await shown.arrayBuffer())).toEqual(png);

    const { items } = (await runner.ask("query", {})).at(-1)?.data ?? {};
    const status = async (title: string) => {
      const { id } = items.find((item: { title: string }) => item.title === title);
      return (await get(`/covers/${id}`)).status;
    };
    expect([await status("Emma"), await status("Sanditon"), await status("Lesley")]).toEqual([200, 404, 404]);
    for (const nothing of ["/covers/", "/covers/x", "/covers/..%2f..%2fnode-id", "/covers/../node-id"])
      expect((await get(nothing)).status).toBe(404);
  });

  test("is not there where no address is configured", async () => {
    await addBook("books/Austen/Emma", emma, jpeg);
    await start(settings);
    const { items } = (await runner.ask("query", {})).at(-1)?.data ?? {};
    expect((await get(`/covers/${items[0].id}`)).status).toBe(404);
    expect((await get("/health")).status).toBe(200);
  });
});
