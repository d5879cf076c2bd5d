import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { audioExtensions, makeAudio } from "../../src/demo/audio/make-audio.ts";
import type { TrackResult } from "../../src/domain/scan.ts";
import { createTagReader, type TagReader, type TagReaderSettings } from "../../src/scan/tags.ts";

let folder: string;
let readers: TagReader[];

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "tomekeeper-tags-"));
  readers = [];
});

afterEach(async () => {
  await Promise.all(readers.map((reader) => reader.close()));
  await rm(folder, { recursive: true, force: true });
});

function open(settings: Partial<TagReaderSettings> = {}): TagReader {
  const reader = createTagReader({ concurrency: 2, fileTimeoutMs: 5000, ...settings });
  readers.push(reader);
  return reader;
}

/** With a worker that does what the files' names say. */
function openStandIn(settings: Partial<TagReaderSettings> = {}): TagReader {
  return open({ workerUrl: new URL("./tags-stand-in-worker.ts", import.meta.url), ...settings });
}

function titles(results: readonly TrackResult[]): readonly (string | null)[] {
  return results.map((result) => (result.ok ? result.reading.tags.title : result.code));
}

describe("reading tags in worker threads", () => {
  it("answers in the order of the names, for every format", async () => {
    const names = audioExtensions.map((extension) => `a ${extension}.${extension}`);
    await Promise.all(names.map((name) => makeAudio(path.join(folder, name), { tags: { title: name } })));
    const shuffled = [...names].reverse();
    expect(titles(await open().read(folder, shuffled))).toEqual(shuffled);
  });

  const hasTag = (extension: string) => extension !== "webm";
  it.each(audioExtensions.filter(hasTag))("gives out the cover that is in a file: %s", async (extension) => {
    const picture = Buffer.concat([Buffer.from("ffd8ffe0", "hex"), Buffer.alloc(200_000, 7)]);
    const file = path.join(folder, `a.${extension}`);
    await makeAudio(file, { tags: { title: "One" }, picture });
    await makeAudio(path.join(folder, `b.${extension}`), { tags: { title: "Two" } });
    const reader = open();
    expect(Buffer.from((await reader.readPicture(file)) ?? [])).toEqual(picture);
    expect(await reader.readPicture(path.join(folder, `b.${extension}`))).toBeNull();
  });

  it("says why no cover can be given out", async () => {
    const reader = open();
    await expect(reader.readPicture(path.join(folder, "gone.mp3"))).rejects.toThrow(/ENOENT/);
    await writeFile(path.join(folder, "no.m4b"), "no sound at all");
    expect(await reader.readPicture(path.join(folder, "no.m4b"))).toBeNull();
    await reader.close();
    await expect(reader.readPicture(path.join(folder, "no.m4b"))).rejects.toThrow(/closed/);
  });

  it("reads names with a folder in them", async () => {
    await mkdir(path.join(folder, "CD1"));
    await makeAudio(path.join(folder, "CD1", "01.mp3"), { tags: { title: "One" } });
    expect(titles(await open().read(folder, ["CD1/01.mp3"]))).toEqual(["One"]);
  });

  it("answers a read of nothing with nothing", async () => {
    expect(await open().read(folder, [])).toEqual([]);
  });

  it("answers many reads at once, each with its own files", async () => {
    const reader = openStandIn();
    const reads = Array.from({ length: 50 }, (_, i) => [`${i}-a`, `${i}-b`, `${i}-c`]);
    const answers = await Promise.all(reads.map((names) => reader.read(folder, names)));
    expect(answers.map(titles)).toEqual(reads);
  });

  it("goes on after its workers have ended for want of work", async () => {
    const reader = openStandIn({ idleTimeoutMs: 20 });
    await reader.read(folder, ["one"]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(titles(await reader.read(folder, ["two"]))).toEqual(["two"]);
  });

  it("goes on when the concurrency changes while it reads", async () => {
    const reader = openStandIn({ concurrency: 1 });
    const names = Array.from({ length: 300 }, (_, i) => `${i}`);
    const reading = reader.read(folder, names);
    reader.setConcurrency(8);
    reader.setConcurrency(0);
    expect(titles(await reading)).toEqual(names);
  });
});

describe("what is no audio file", () => {
  it("is a problem of its own and leaves the others alone", async () => {
    await makeAudio(path.join(folder, "good.mp3"), { tags: { title: "Good" } });
    await mkdir(path.join(folder, "folder.mp3"));
    await symlink(path.join(folder, "loop.mp3"), path.join(folder, "loop.mp3"));
    await writeFile(path.join(folder, "empty.m4b"), "");
    const names = ["folder.mp3", "missing.mp3", "loop.mp3", "empty.m4b", "good.mp3"];
    expect(titles(await open().read(folder, names))).toEqual([
      "not_a_file",
      "vanished",
      "unreadable_file",
      "unreadable_audio",
      "Good",
    ]);
  });

  it("is never waited for: a FIFO that nobody writes to, and a socket", async () => {
    execFileSync("mkfifo", [path.join(folder, "fifo.mp3")]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path.join(folder, "socket.mp3"), resolve));
    try {
      const results = await open().read(folder, ["fifo.mp3", "socket.mp3"]);
      expect(titles(results)).toEqual(["not_a_file", "not_a_file"]);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it.skipIf(process.getuid?.() === 0)(
    "is a problem when it may not be read (needs a user, not root)",
    async () => {
      await writeFile(path.join(folder, "secret.mp3"), "x", { mode: 0o000 });
      expect(titles(await open().read(folder, ["secret.mp3"]))).toEqual(["unreadable_file"]);
    },
  );
});

describe("a file that its worker does not come back from", () => {
  it("is given up after its time, and the rest of its batch is read", async () => {
    const reader = openStandIn({ concurrency: 1, fileTimeoutMs: 150 });
    const names = ["one", "two", "hang", "three", "hang again", "four"];
    const results = await reader.read(folder, names);
    expect(titles(results)).toEqual(["one", "two", "read_timeout", "three", "read_timeout", "four"]);
    expect(results[2]).toMatchObject({ message: expect.stringContaining("150 ms") });
  });

  it("has its whole time, however many files come before it", async () => {
    const reader = openStandIn({ concurrency: 1, fileTimeoutMs: 400 });
    const names = Array.from({ length: 8 }, (_, i) => `slow ${i}`);
    expect(titles(await reader.read(folder, names))).toEqual(names);
  });

  it("does not hold up the other reads", async () => {
    const reader = openStandIn({ concurrency: 1, fileTimeoutMs: 150 });
    const [hanging, good] = await Promise.all([
      reader.read(folder, ["hang"]),
      reader.read(folder, ["one", "two"]),
    ]);
    expect(titles(hanging)).toEqual(["read_timeout"]);
    expect(titles(good)).toEqual(["one", "two"]);
  });

  it.each(["memory", "exit"])(
    "is a problem when it ends its worker, and no other file is: %s",
    async (name) => {
      const names = ["one", name, "two"];
      const results = await openStandIn({ concurrency: 1 }).read(folder, names);
      expect(titles(results)).toEqual(["one", "unreadable_audio", "two"]);
    },
  );
});

describe("a read that cannot go on", () => {
  it("fails as retryable when the disk is lost, with the path", async () => {
    await expect(openStandIn().read("/media/books", ["one", "lost", "two"])).rejects.toMatchObject({
      code: "disk_lost",
      retryable: true,
      details: { path: "/media/books/lost", code: "EIO" },
    });
  });

  it("does not take other reads with it when the disk is lost", async () => {
    const reader = openStandIn({ concurrency: 1 });
    const [lost, good] = await Promise.allSettled([
      reader.read(folder, ["lost"]),
      reader.read(folder, ["one", "two"]),
    ]);
    expect(lost.status).toBe("rejected");
    expect(good.status === "fulfilled" && titles(good.value)).toEqual(["one", "two"]);
  });

  it("ends with the signal's reason when it is aborted", async () => {
    const reader = openStandIn({ concurrency: 1 });
    const stop = new AbortController();
    const reading = reader.read(folder, ["hang"], stop.signal);
    stop.abort("shutdown");
    await expect(reading).rejects.toBe("shutdown");
    await expect(reader.read(folder, ["one"], stop.signal)).rejects.toBe("shutdown");
  });

  it("frees the worker of an aborted read that hangs", async () => {
    const reader = openStandIn({ concurrency: 1, fileTimeoutMs: 100 });
    const stop = new AbortController();
    const reading = reader.read(folder, ["hang"], stop.signal);
    stop.abort("cancel");
    await expect(reading).rejects.toBe("cancel");
    expect(titles(await reader.read(folder, ["one"]))).toEqual(["one"]);
  });

  it("fails when no worker can be started, and does not wait for ever", async () => {
    const reader = open({ workerUrl: new URL("./there-is-no-such-worker.ts", import.meta.url) });
    await expect(reader.read(folder, ["one"])).rejects.toMatchObject({ code: "internal" });
    await expect(reader.read(folder, ["two"])).rejects.toMatchObject({ code: "internal" });
  });

  it("fails when the reader is closed", async () => {
    const reader = openStandIn({ concurrency: 1 });
    const reading = reader.read(folder, ["hang", "one"]);
    const failed = expect(reading).rejects.toMatchObject({ code: "cancelled" });
    await reader.close();
    await failed;
    await expect(reader.read(folder, ["one"])).rejects.toMatchObject({ code: "cancelled" });
    await reader.close();
  });
});
