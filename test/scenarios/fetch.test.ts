import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AudioContent, type AudioTags, makeAudio } from "../../src/demo/audio/make-audio.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";
import { type KnownBook, type SourceServer, startSourceServer } from "../fixtures/source-server.ts";

/*
 * Fetching as a user meets it. Long, because each scenario needs the same library, server and runner.
 */

let dir: string;
let runner: RunningRunner;
let server: SourceServer;
let roots: string[];

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-fetch-"));
  roots = [];
});
afterEach(async () => {
  await runner.kill();
  await server.stop();
  rmSync(dir, { recursive: true });
});

async function addBook(
  root: string,
  folder: string,
  tags: AudioTags,
  sound: Pick<AudioContent, "durationSeconds" | "chapters"> = {},
): Promise<void> {
  const place = path.join(dir, root, folder);
  if (!roots.includes(root)) roots.push(root);
  mkdirSync(place, { recursive: true });
  await makeAudio(path.join(place, "01.mp3"), { tags, ...sound });
}

async function start(
  books: readonly KnownBook[],
  sources: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  server = await startSourceServer(books);
  await restart(sources, settings);
}

async function restart(
  sources: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  const libraries = roots.flatMap((root) => ["--library", path.join(dir, root)]);
  const env = Object.fromEntries(
    sources.flatMap((source) => [
      [`TOMEKEEPER_SOURCES__${source.toUpperCase()}__BASE_URL`, `${server.url}/${source}`],
      [`TOMEKEEPER_SOURCES__${source.toUpperCase()}__RATE_PER_SECOND`, "1000"],
    ]),
  );
  runner = await startRunner([...libraries, "--data", path.join(dir, "data"), "--mqtt-port", "0"], {
    env: {
      ...env,
      TOMEKEEPER_FETCH__SOURCES: JSON.stringify(sources),
      TOMEKEEPER_FETCH__ALLOW_HOSTS: JSON.stringify([new URL(server.url).host]),
      TOMEKEEPER_FETCH__CONTACT: "somebody@example.org",
      TOMEKEEPER_SCAN__ON_STARTUP: "false",
      ...settings,
    },
  });
}

interface Breaker {
  readonly state: string;
  readonly failures: number;
  readonly opened_at: string | null;
  readonly next_probe_at: string | null;
  readonly last_error: { readonly code: string; readonly message: string } | null;
  readonly calls: number;
  readonly coalesced: number;
}

const titles = Array.from({ length: 300 }, (_, index) => ({
  title: `The ${["Silent", "Crimson", "Hidden", "Broken", "Golden"][index % 5]} ${index + 1000}`,
  author: `${["Ann", "Bo", "Cy"][index % 3]} Writer${String.fromCharCode(97 + (index % 26))}`,
}));

describe("one call where others make a thousand", () => {
  test("1,000 books of 300 titles: at most 300 searches, and none the second time", async () => {
    for (let index = 0; index < 1000; index++) {
      const { title, author } = titles[index % 300] ?? { title: "", author: "" };
      await addBook(`library${Math.floor(index / 300)}`, `${author}/${title}`, {
        album: title,
        artist: author,
      });
    }
    await start(titles, ["open-library"]);
    await runner.ask("scan");
    const answers = await runner.ask("fetch");
    expect(answers.at(-1)).toMatchObject({
      status: "ok",
      data: { summary: { books: 1000, matched: 1000, unanswered: 0, unavailable: [] } },
    });
    expect(server.requests.length).toBeLessThanOrEqual(300);
    const breaker = await runner.state<Breaker>(
      "breaker/open-library",
      // The topic goes out once a second: the last request may be told before the last look-up that shared it.
      ({ calls, coalesced }) => calls === server.requests.length && coalesced >= 700,
    );
    expect(breaker).toMatchObject({ state: "closed", failures: 0 });
    expect([...server.userAgents]).toEqual([
      expect.stringMatching(/^Tomekeeper\/\S+ \(somebody@example\.org\)$/),
    ]);

    const before = server.requests.length;
    expect((await runner.ask("fetch")).at(-1)).toMatchObject({
      data: { summary: { matched: 1000, changed: 0 } },
    });
    expect(server.requests.length).toBe(before);
    await runner.kill();
    await restart(["open-library"]);
    expect((await runner.ask("fetch")).at(-1)).toMatchObject({
      data: { summary: { matched: 1000, changed: 0 } },
    });
    expect(server.requests.length).toBe(before);
    console.log(`1,000 books of 300 titles: ${before} requests, then none`);
  });

  test("1,000 books with ISBNs are asked for fifty at once", async () => {
    const known = Array.from({ length: 1000 }, (_, index) => ({
      title: `Volume of ${index + 5000}`,
      author: "Ann Writer",
      isbn: isbnOf(index),
    }));
    for (const [index, { title, author, isbn }] of known.entries()) {
      await addBook("library", `${author}/${index}`, {
        album: title,
        artist: author,
        custom: { ISBN: isbn },
      });
    }
    await start(known, ["open-library"]);
    await runner.ask("scan");
    expect((await runner.ask("fetch")).at(-1)).toMatchObject({
      data: { summary: { books: 1000, matched: 1000 } },
    });
    console.log(`1,000 books with ISBNs: ${server.requests.length} requests`);
    expect(server.requests.length).toBeLessThanOrEqual(20);
  });
});

function isbnOf(index: number): string {
  const digits = `978${String(100_000_000 + index)}`;
  const sum = [...digits].reduce((total, digit, at) => total + Number(digit) * (at % 2 === 0 ? 1 : 3), 0);
  return `${digits}${(10 - (sum % 10)) % 10}`;
}

describe("a source that is ill", () => {
  const quick = {
    TOMEKEEPER_FETCH__BREAKER__OPEN_SECONDS: "2",
    TOMEKEEPER_FETCH__TIMEOUT_SECONDS: "0.5",
  };

  test.each(["fails", "hangs", "limits", "garbage", "cut", "wrong_shape"] as const)(
    "that %s is left alone and tried again with one request, and the fetch waits for it",
    async (behaviour) => {
      for (const { title, author } of titles.slice(0, 30)) {
        await addBook("library", `${author}/${title}`, { album: title, artist: author });
      }
      await start(titles, ["open-library"], quick);
      await runner.ask("scan");
      server.behave("open-library", behaviour);
      runner.publish("fetch", { transaction: "f" });
      const open = await runner.state<Breaker>("breaker/open-library", ({ state }) => state === "open");
      expect(open.failures).toBeGreaterThanOrEqual(5);
      expect(open.last_error?.message).toBeTruthy();
      const waitMs = Date.parse(open.next_probe_at ?? "") - Date.parse(open.opened_at ?? "");
      expect(waitMs).toBe(2000);
      const queue = await runner.state<{
        readonly waiting: readonly { readonly reason: string; readonly retry_at: string }[];
      }>("queue", ({ waiting }) => waiting.length === 1);
      expect(queue.waiting[0]).toMatchObject({ reason: "retry" });

      // Nobody asks it before its time, and then one request does.
      await delay(300);
      const before = server.requests.length;
      await runner.kill();
      await restart(["open-library"], quick);
      const kept = await runner.state<Breaker>("breaker/open-library");
      expect(kept).toMatchObject({
        state: "open",
        opened_at: open.opened_at,
        next_probe_at: open.next_probe_at,
      });
      await runner.state<Breaker>("breaker/open-library", ({ opened_at: at }) => at !== open.opened_at);
      expect(server.requests.length).toBe(before + 1);

      server.behave("open-library", "works");
      await runner.state<Breaker>("breaker/open-library", ({ state }) => state === "closed");
      await runner.state("queue", ({ counts }: { counts: { completed: number } }) => counts.completed === 2);
      const [answer] = await runner.ask("operations", { limit: 1 });
      expect(answer?.data.items[0]).toMatchObject({
        kind: "fetch",
        summary: { books: 30, matched: 30, unanswered: 0 },
      });
      const states = runner.messages
        .filter(({ topic, retain }) => topic.endsWith("/breaker/open-library") && !retain)
        .map(({ payload }) => JSON.parse(payload).state);
      expect(states.filter((state, index) => state !== states[index - 1])).toEqual([
        "half_open",
        "open",
        "half_open",
        "closed",
      ]);
    },
  );

  test("does not keep the others from their work", async () => {
    const known = titles.slice(0, 20);
    for (const { title, author } of known) {
      await addBook("library", `${author}/${title}`, { album: title, artist: author });
    }
    await start(known, ["open-library", "google-books"], quick);
    await runner.ask("scan");
    server.behave("open-library", "fails");
    const answers = await runner.ask("fetch");
    expect(answers.at(-1)).toMatchObject({
      status: "ok",
      data: { summary: { books: 20, matched: 20, unavailable: ["open-library"] } },
    });
    const [found] = await runner.ask("query", { limit: 1 });
    const [book] = await runner.ask("book", { id: found?.data.items[0].id });
    expect(book?.data.provenance).toMatchObject({ description: "google-books", title: "google-books" });
    const events = runner.messages
      .filter(({ topic }) => topic.endsWith("/event"))
      .map(({ payload }) => JSON.parse(payload));
    expect(events).toContainEqual(
      expect.objectContaining({ event_type: "breaker_opened", source: "open-library" }),
    );
    // Nobody wants anything of it any more: it finds out by itself whether it is back, at a slower and slower pace.
    const asked = () => server.requests.filter((request) => request.startsWith("/open-library")).length;
    const before = asked();
    await expect.poll(asked, { timeout: 10_000 }).toBe(before + 1);
    expect(server.requests.at(-1)).toMatch(/Pride/);
    server.behave("open-library", "works");
    await delay(3_000);
    expect(asked()).toBe(before + 1);
    await runner.state<Breaker>("breaker/open-library", ({ state }) => state === "closed");
    expect(asked()).toBe(before + 2);
  });

  test("is switched off and on by hand, and stays off over a restart", async () => {
    const [known] = titles;
    await addBook("library", "A/B", { album: known?.title ?? "", artist: known?.author ?? "" });
    await start(titles, ["open-library", "google-books"]);
    await runner.ask("scan");
    const [off] = await runner.ask("breaker", { source: "open-library", action: "isolate" });
    expect(off).toMatchObject({ status: "ok", data: { state: "isolated", next_probe_at: null } });
    await runner.kill();
    await restart(["open-library", "google-books"]);
    expect(await runner.state<Breaker>("breaker/open-library")).toMatchObject({ state: "isolated" });
    expect((await runner.ask("fetch")).at(-1)).toMatchObject({
      data: { summary: { unavailable: ["open-library"] } },
    });
    expect(server.requests.filter((request) => request.startsWith("/open-library"))).toEqual([]);
    const [on] = await runner.ask("breaker", { source: "open-library", action: "reset" });
    expect(on).toMatchObject({ data: { state: "closed", failures: 0 } });
    await runner.ask("fetch");
    expect(server.requests.some((request) => request.startsWith("/open-library"))).toBe(true);
    expect((await runner.ask("breaker", { source: "nobody", action: "reset" }))[0]).toMatchObject({
      error: { code: "not_found" },
    });
  });
});

describe("what sources say", () => {
  const dune = {
    title: "Dune",
    author: "Frank Herbert",
    narrator: "Scott Brick",
    series: { name: "Dune Chronicles", position: "1" },
    asin: "B002V1OF70",
    isbn: "9780441172719",
    year: 1965,
  };
  const other = { title: "Dune", author: "Brian Herbert", asin: "B000000002" };
  const all = ["audnexus", "open-library", "google-books"];

  async function onlyBook() {
    const [found] = await runner.ask("query", { limit: 1 });
    const [answer] = await runner.ask("book", { id: found?.data.items[0].id });
    return answer?.data;
  }

  test("is put together by field, and a correction by hand survives fetch, re-scan and sidecars", async () => {
    await addBook("library", "Frank Herbert/Dune", { album: "Dune", artist: "Frank Herbert" });
    await start([dune, other], all);
    await runner.ask("scan");
    const { id } = await onlyBook();
    await runner.ask("set", { book: id, fields: { year: 2001, publisher: "My Own" } });
    await runner.ask("fetch", { books: [id] });
    const corrected = {
      year: 2001,
      publisher: "My Own",
      narrators: ["Scott Brick"],
      authors: ["Frank Herbert"],
      series: [{ name: "Dune Chronicles", position: "1" }],
      asin: "B002V1OF70",
      provenance: {
        series: "audnexus",
        year: "user",
        publisher: "user",
        isbn: "google-books",
        description: "google-books",
      },
    };
    expect(await onlyBook()).toMatchObject(corrected);
    writeFileSync(
      path.join(dir, "library/Frank Herbert/Dune/metadata.json"),
      JSON.stringify({
        title: "Not Dune",
        narrators: ["Nobody"],
        publishedYear: "1900",
        series: ["Wrong #9"],
      }),
    );
    await runner.ask("scan", { force: true });
    await runner.ask("fetch", { books: [id] });
    expect(await onlyBook()).toMatchObject({ ...corrected, title: "Dune" });
  });

  test("is asked of a person where it is not sure, who chooses or says no, for good", async () => {
    await addBook("library", "Dune", { album: "Dune" });
    await start([dune, other], ["open-library"]);
    await runner.ask("scan");
    expect((await runner.ask("fetch")).at(-1)).toMatchObject({
      data: { summary: { matched: 0, needs_review: 1 } },
    });
    const unsure = await onlyBook();
    expect(unsure).toMatchObject({ state: "needs_review", authors: [] });
    expect(unsure.candidates.map(({ authors }: { authors: string[] }) => authors[0]).sort()).toEqual([
      "Brian Herbert",
      "Frank Herbert",
    ]);
    expect(unsure.candidates[0].reasons).toContain("no author to compare");
    const wanted = unsure.candidates.find(
      ({ authors }: { authors: string[] }) => authors[0] === "Frank Herbert",
    );
    const [chosen] = await runner.ask("match", { book: unsure.id, source: "open-library", id: wanted.id });
    expect(chosen?.data).toMatchObject({
      state: "present",
      authors: ["Frank Herbert"],
      candidates: [],
      matches: [{ source: "open-library", id: wanted.id, score: null }],
    });
    await runner.ask("fetch");
    expect(await onlyBook()).toMatchObject({ state: "present", matches: [{ id: wanted.id, score: null }] });
    const [rejected] = await runner.ask("match", {
      book: unsure.id,
      source: "open-library",
      id: wanted.id,
      reject: true,
    });
    expect(rejected?.data).toMatchObject({ authors: [], matches: [] });
    await runner.ask("fetch");
    const again = await onlyBook();
    expect(again.candidates.map(({ authors }: { authors: string[] }) => authors[0])).toEqual([
      "Brian Herbert",
    ]);
    const [none] = await runner.ask("match", { book: unsure.id, reject: true });
    expect(none?.data.candidates).toEqual([]);
    await runner.ask("fetch");
    expect((await onlyBook()).candidates).toEqual([]);
    expect((await runner.ask("match", { book: unsure.id }))[0]).toMatchObject({
      error: { code: "invalid_payload" },
    });
  });

  test("holds no secret in any log, topic or answer", async () => {
    await addBook("library", "Frank Herbert/Dune", { album: "Dune", artist: "Frank Herbert" });
    await start([dune], ["google-books"], {
      "TOMEKEEPER_SOURCES__GOOGLE-BOOKS__TOKEN": "canary-4711",
      TOMEKEEPER_LOG_LEVEL: "debug",
    });
    await runner.ask("scan");
    await runner.ask("fetch");
    expect(server.requests.some((request) => request.includes("key=canary-4711"))).toBe(true);
    server.behave("google-books", "fails");
    await runner.ask("match", { book: (await onlyBook()).id, source: "google-books", id: "g9" });
    expect(JSON.stringify(runner.messages)).not.toContain("canary-4711");
    expect(runner.stderr()).not.toContain("canary-4711");
    for (const file of ["breakers.json", "operations.db", "commands.db"]) {
      expect(readFileSync(path.join(dir, "data", file), "latin1")).not.toContain("canary-4711");
    }
  });
});

test("a series is spelled alike in all books of its author, scanned or fetched", async () => {
  const author = "James Corey";
  const spellings = ["The Expanse", "The Expanse", "Expanse", "the expanse series"];
  for (const [index, series] of spellings.slice(0, 3).entries()) {
    const album = `Part ${index}`;
    await addBook("library", album, { album, artist: author, series, seriesPart: `${index + 1}` });
  }
  const [known] = titles;
  const last = { title: known?.title ?? "", author, asin: "B000000009" };
  await addBook("library", "Last", { album: last.title, artist: author });
  await start([{ ...last, series: { name: spellings[3] ?? "", position: "4" } }], ["audnexus"]);
  await runner.ask("scan");
  const names = async () => {
    const [found] = await runner.ask("query", { text: "Corey" });
    const items: { series: { name: string }[] }[] = found?.data.items;
    return items.flatMap(({ series }) => series.map(({ name }) => name));
  };
  expect(await names()).toEqual(["The Expanse", "The Expanse", "The Expanse"]);
  await runner.ask("fetch");
  expect(await names()).toEqual(["The Expanse", "The Expanse", "The Expanse", "The Expanse"]);
  // What is in the files goes on counting.
  await addBook("library", "Part 2", { album: "Part 2", artist: author, series: "Other", seriesPart: "1" });
  await runner.ask("scan");
  expect((await names()).sort()).toEqual(["Other", "The Expanse", "The Expanse", "The Expanse"]);
});

test("chapters come from a source where the book has none, and the recording is the same", async () => {
  const books: KnownBook[] = ["Chaptered", "Own Chapters", "Another Recording"].map((title, index) => ({
    title,
    author: "Ann Writer",
    asin: `B00000000${index}`,
    chapters: ["Opening", "One", "Two"].map((each) => ({
      title: each,
      lengthMs: title === "Another Recording" ? 40_000 : 32_500,
    })),
  }));
  for (const { title, author, asin = "" } of books) {
    const chapters = [{ title: "Mine", startMs: 0, endMs: 96_000 }];
    await addBook(
      "library",
      `${author}/${title}`,
      { album: title, artist: author, asin },
      { durationSeconds: 96, ...(title === "Own Chapters" ? { chapters } : {}) },
    );
  }
  await start(books, ["audnexus"]);
  await runner.ask("scan");
  const bookOf = async (title: string) => {
    const [found] = await runner.ask("query", { text: title });
    return (await runner.ask("book", { id: found?.data.items[0].id }))[0]?.data;
  };
  expect((await runner.ask("fetch")).at(-1)).toMatchObject({ data: { summary: { matched: 3 } } });
  const chaptered = await bookOf("Chaptered");
  expect(chaptered).toMatchObject({ chapter_count: 3, provenance: { chapters: "audnexus" } });
  expect(chaptered.chapters[1]).toEqual({ title: "One", start_ms: 32_500, end_ms: 65_000 });
  expect(await bookOf("Own Chapters")).toMatchObject({
    chapters: [{ title: "Mine" }],
    provenance: { chapters: "embedded" },
  });
  expect(await bookOf("Another Recording")).toMatchObject({
    chapter_count: 1,
    provenance: { chapters: "files" },
  });
  // Three books by their ids together, and the chapters of the two that have none.
  expect(server.requests).toHaveLength(3);

  await runner.ask("scan", { force: true });
  server.behave("audnexus", "fails");
  expect((await runner.ask("fetch")).at(-1)).toMatchObject({ data: { summary: { changed: 0 } } });
  expect(await bookOf("Chaptered")).toEqual(
    expect.objectContaining({ chapter_count: 3, provenance: chaptered.provenance }),
  );
  expect(server.requests).toHaveLength(3);
  const rejected = { book: chaptered.id, source: "audnexus", id: "B000000000", reject: true };
  expect((await runner.ask("match", rejected))[0]?.data).toMatchObject({
    chapter_count: 1,
    provenance: { chapters: "files" },
  });
  server.behave("audnexus", "works");
  const chosen = { book: chaptered.id, source: "audnexus", id: "B000000000" };
  expect((await runner.ask("match", chosen))[0]?.data).toMatchObject({
    chapter_count: 3,
    provenance: { chapters: "audnexus" },
  });
});

describe("a cover", () => {
  const jpeg = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(2000, 7)]);

  async function withCovers(covers: readonly string[], settings: Readonly<Record<string, string>> = {}) {
    const known = covers.map((_, index) => ({
      title: `Book of ${index + 100}`,
      author: "Ann Writer",
      isbn: isbnOf(index),
    }));
    for (const { title, author, isbn } of known) {
      await addBook("library", `${author}/${title}`, {
        album: title,
        artist: author,
        custom: { ISBN: isbn },
      });
    }
    const books: KnownBook[] = [...known];
    await start(books, ["open-library"], { TOMEKEEPER_FETCH__TIMEOUT_SECONDS: "1", ...settings });
    for (const [index, cover] of covers.entries()) {
      const [book] = [books[index]];
      if (book !== undefined)
        books[index] = { ...book, cover: cover.startsWith("/") ? `${server.url}${cover}` : cover };
    }
    server.picture("/good.jpg", (response) =>
      response.writeHead(200, { "content-type": "image/jpeg" }).end(jpeg),
    );
    server.picture("/page.jpg", (response) =>
      response.writeHead(200, { "content-type": "image/jpeg" }).end("<html>"),
    );
    server.picture("/big.jpg", (response) =>
      response
        .writeHead(200, { "content-type": "image/jpeg" })
        .end(Buffer.concat([jpeg, Buffer.alloc(11 * 1024 * 1024)])),
    );
    server.picture("/inside", (response) =>
      response.writeHead(302, { location: "http://169.254.169.254/latest/meta-data" }).end(),
    );
    server.picture("/slow.jpg", () => {});
    await runner.ask("scan");
    const answers = await runner.ask("fetch");
    return answers.at(-1)?.data.summary;
  }

  test("is fetched once for each content, and named by the book", async () => {
    expect(await withCovers(["/good.jpg", "/good.jpg"])).toMatchObject({
      matched: 2,
      cover_problem_count: 0,
    });
    const [found] = await runner.ask("query", {});
    const books = await Promise.all(
      found?.data.items.map(async ({ id }: { id: string }) => (await runner.ask("book", { id }))[0]?.data),
    );
    expect(books.map(({ has_cover }) => has_cover)).toEqual([true, true]);
    const [cover] = books.map(({ cover: each }) => each);
    expect(cover).toMatchObject({
      kind: "fetched",
      path: expect.stringMatching(/^covers\/[0-9a-f]{64}\.jpg$/),
    });
    expect(books[1].cover).toEqual(cover);
    expect(books[0].provenance.cover).toBe("open-library");
    expect(readFileSync(path.join(dir, "data", cover.path))).toEqual(jpeg);
  });

  test("is put beside its book where that is wanted, and a second fetch has nothing to put there", async () => {
    const summary = await withCovers(["/good.jpg"], { TOMEKEEPER_WRITE_OUT__COVER: "true" });
    expect(summary).toMatchObject({ matched: 1, covers: 1, cover_problem_count: 0 });
    const cover = async () => {
      const [found] = await runner.ask("query", {});
      return (await runner.ask("book", { id: found?.data.items[0].id }))[0]?.data.cover;
    };
    const file = "Ann Writer/Book of 100/cover.jpg";
    await expect.poll(cover, { timeout: 10_000 }).toEqual({ kind: "file", path: file });
    expect(readFileSync(path.join(dir, "library", file))).toEqual(jpeg);
    expect((await runner.ask("fetch")).at(-1)).toMatchObject({ data: { summary: { covers: 0 } } });
    const [history] = await runner.ask("history");
    expect(history?.data.items).toEqual([
      expect.objectContaining({
        kind: "organize",
        state: "ended",
        books: 1,
        files: 1,
        strategy: { copy: 1 },
      }),
    ]);
    const id = history?.data.items[0].operation_id;
    const [batch] = await runner.ask("history", { operation_id: id });
    expect(batch?.data.items[0].moves).toEqual([
      { from: expect.stringMatching(/^\.covers:\/[0-9a-f]{64}\.jpg$/), to: `library:/${file}` },
    ]);
  });

  test("is refused with its reason from inside, behind a redirect, of 11 MB, and where it is a page", async () => {
    const addresses = [
      "https://127.0.0.1/x.jpg",
      "https://169.254.169.254/x.jpg",
      "/inside",
      "/big.jpg",
      "/page.jpg",
      "/slow.jpg",
    ];
    const summary = await withCovers(addresses);
    expect(summary).toMatchObject({ matched: addresses.length, cover_problem_count: addresses.length });
    const reasons = summary.cover_problems.map(({ message }: { message: string }) => message).join("\n");
    expect(reasons).toMatch(
      /https:\/\/127\.0\.0\.1: 127\.0\.0\.1 is an address of this machine or its network/,
    );
    expect(reasons).toMatch(/https:\/\/169\.254\.169\.254: 169\.254\.169\.254 is an address/);
    expect(reasons).toMatch(/http:\/\/169\.254\.169\.254: it is not https/);
    expect(reasons).toMatch(/more than 10 MB/);
    expect(reasons).toMatch(/answers with image\/jpeg where a cover should be/);
    expect(reasons).toMatch(/no whole answer within 1 s/);
    const asked = () =>
      server.requests.filter((request) => request.endsWith(".jpg") || request === "/inside").length;
    const before = asked();
    await runner.ask("fetch");
    // Only the one that did not answer is asked for again.
    expect(asked()).toBe(before + 1);
  });
});
