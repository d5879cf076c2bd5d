import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AudioContent, audioExtensions, makeAudioBytes } from "../../src/demo/audio/make-audio.ts";
import type { TrackChapter } from "../../src/domain/scan.ts";
import { createTrackReader } from "../../src/scan/read-track.ts";

const read = createTrackReader();
let folder: string;
let files = 0;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "tomekeeper-chapters-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function chaptersOf(extension: string, bytes: Buffer): Promise<readonly TrackChapter[]> {
  const file = path.join(folder, `${files++}.${extension}`);
  await writeFile(file, bytes);
  const outcome = read(file);
  if ("lost" in outcome || !outcome.ok) throw new Error(JSON.stringify(outcome));
  return outcome.reading.chapters;
}

async function made(extension: string, content: Partial<AudioContent>): Promise<readonly TrackChapter[]> {
  const whole = { tags: { title: "A book" }, durationSeconds: 3723.072, ...content };
  return chaptersOf(extension, await makeAudioBytes(extension, whole));
}

/** Odd milliseconds, and an end that is the file's. */
const chapters: readonly TrackChapter[] = [
  { title: "Opening credits", startMs: 0, endMs: 12_347 },
  { title: "1 — Ärger im Süden", startMs: 12_347, endMs: 1_799_999 },
  { title: "第二章", startMs: 1_799_999, endMs: 3_600_001 },
  { title: "The end", startMs: 3_600_001, endMs: 3_723_072 },
];

/** A box of the file as it is: from its size to its end. */
function box(bytes: Buffer, type: string, from = 0): Buffer {
  const at = bytes.indexOf(type, from, "latin1") - 4;
  return bytes.subarray(at, at + bytes.readUInt32BE(at));
}

function bytesOf(extension: string, content: Partial<AudioContent>): Promise<Buffer> {
  return makeAudioBytes(extension, { tags: {}, durationSeconds: 3723.072, chapters, ...content });
}

describe("chapters", () => {
  it.each(audioExtensions.filter((extension) => extension !== "wma"))(
    "are right to the millisecond: %s",
    async (extension) => {
      expect(await made(extension, { chapters })).toEqual(chapters);
    },
  );

  it.each(["mp3", "aac", "wav", "aiff"])("are right to the millisecond in ID3v2.3: %s", async (extension) => {
    expect(await made(extension, { chapters, id3Version: 3 })).toEqual(chapters);
  });

  it("are none where there are none", async () => {
    for (const extension of audioExtensions) expect(await made(extension, {}), extension).toEqual([]);
  });

  it("can be hundreds", async () => {
    const many = Array.from({ length: 400 }, (_, i) => ({
      title: `Chapter ${i + 1}`,
      startMs: i * 9307,
      endMs: (i + 1) * 9307,
    }));
    for (const extension of ["m4b", "mp3", "ogg", "mka"]) {
      const found = await made(extension, { chapters: many, durationSeconds: 3722.8 });
      expect(found.length, extension).toBe(400);
      expect(found.map(({ startMs }) => startMs)).toEqual(many.map(({ startMs }) => startMs));
    }
  });

  it("without a title have a number", async () => {
    const untitled = chapters.map((chapter) => ({ ...chapter, title: " " }));
    for (const extension of ["m4b", "mp3", "mka"]) {
      const titles = (await made(extension, { chapters: untitled })).map(({ title }) => title);
      expect(titles, extension).toEqual(["Chapter 1", "Chapter 2", "Chapter 3", "Chapter 4"]);
    }
  });
});

describe("chapters of an m4b", () => {
  it.each(["track", "chpl", "both"] as const)(
    "are read before and after the sound: %s",
    async (chapterStyle) => {
      for (const moov of ["first", "last"] as const) {
        expect(await made("m4b", { chapters, chapterStyle, moov })).toEqual(chapters);
      }
    },
  );

  it("come from the text track, which has longer titles than chpl", async () => {
    const long = chapters.map((chapter, i) => ({ ...chapter, title: `${"long ".repeat(60)}${i}` }));
    expect(await made("m4b", { chapters: long })).toEqual(long);
  });

  it("come from chpl where the text track is not referred to", async () => {
    const bytes = await bytesOf("m4b", {});
    bytes.write("free", bytes.indexOf("tref", 0, "latin1"), "latin1");
    const chpl = box(bytes, "chpl");
    const title = chpl.indexOf("Opening", 0, "latin1");
    chpl.write("0", title, "latin1");
    expect((await chaptersOf("m4b", bytes))[0]?.title).toBe("0pening credits");
  });

  it("are counted in one byte in a chpl of version 0", async () => {
    const bytes = await bytesOf("m4b", { chapterStyle: "chpl" });
    const chpl = box(bytes, "chpl");
    const entries = Buffer.from(chpl.subarray(17));
    chpl.writeUInt32BE(0, 8);
    chpl.writeUInt8(chapters.length, 12);
    entries.copy(chpl, 13);
    expect(await chaptersOf("m4b", bytes)).toEqual(chapters);
  });

  it("may have titles in UTF-16", async () => {
    const text = Buffer.concat([Buffer.from("feff", "hex"), Buffer.from("Ünï", "utf16le").swap16()]);
    const plain = "x".repeat(text.length);
    const bytes = await bytesOf("m4b", {
      chapters: [{ title: plain, startMs: 0, endMs: 5000 }],
      chapterStyle: "track",
    });
    text.copy(bytes, bytes.lastIndexOf(plain, undefined, "latin1"));
    expect((await chaptersOf("m4b", bytes))[0]?.title).toBe("Ünï");
  });

  it("are later by an empty edit", async () => {
    const bytes = await bytesOf("m4b", { chapterStyle: "track" });
    // The reference and what follows it move: the file is made anew with an edit list in the text track.
    const track = box(bytes, "trak", bytes.indexOf("trak", 0, "latin1") + 4);
    const edits = Buffer.alloc(8 + 16 + 12);
    edits.writeUInt32BE(edits.length, 0);
    edits.write("edts", 4, "latin1");
    edits.writeUInt32BE(edits.length - 8, 8);
    edits.write("elst", 12, "latin1");
    edits.writeUInt32BE(1, 20);
    edits.writeUInt32BE(250, 24);
    edits.writeUInt32BE(0xffffffff, 28);
    edits.writeUInt32BE(0x10000, 32);
    expect((await chaptersOf("m4b", insertIn(bytes, track, edits))).map(({ startMs }) => startMs)).toEqual([
      250, 12_597, 1_800_249, 3_600_251,
    ]);
  });

  it.each([
    ["a box of size 0 inside", 0],
    ["a box of size 1 inside, with a long size of nothing", 1],
    ["a box that is longer than the file", 0x7fffffff],
  ])("are bounded by %s", async (_, size) => {
    for (const type of ["stbl", "stts", "stsz", "stsc", "stco", "tref", "chap", "mdhd", "minf", "chpl"]) {
      const bytes = await bytesOf("m4b", {});
      const last = bytes.lastIndexOf(type, bytes.indexOf("mdat", 0, "latin1"), "latin1");
      bytes.writeUInt32BE(size, last - 4);
      const file = path.join(folder, `${files++}.m4b`);
      await writeFile(file, bytes);
      expect(read(file), type).toHaveProperty("ok");
    }
  });

  it.each(["stts", "stsc", "stco"])("are bounded where %s counts to four billion", async (type) => {
    const bytes = await bytesOf("m4b", { chapterStyle: "track" });
    bytes.fill(
      0xff,
      bytes.lastIndexOf(type, undefined, "latin1") + 8,
      bytes.lastIndexOf(type, undefined, "latin1") + 12,
    );
    expect((await chaptersOf("m4b", bytes)).length).toBeLessThanOrEqual(10_000);
  });
});

/** Puts bytes at the end of the movie box's part, and makes the sizes and the offsets right again. */
function insertIn(bytes: Buffer, part: Buffer, addition: Buffer): Buffer {
  const at = part.byteOffset - bytes.byteOffset;
  const end = at + part.length;
  const grown = Buffer.concat([bytes.subarray(0, end), addition, bytes.subarray(end)]);
  grown.writeUInt32BE(part.length + addition.length, at);
  const movie = grown.indexOf("moov", 0, "latin1") - 4;
  grown.writeUInt32BE(grown.readUInt32BE(movie) + addition.length, movie);
  for (
    let stco = grown.indexOf("stco", 0, "latin1");
    stco !== -1;
    stco = grown.indexOf("stco", stco + 4, "latin1")
  ) {
    grown.writeUInt32BE(grown.readUInt32BE(stco + 12) + addition.length, stco + 12);
  }
  return grown;
}

describe("chapters of an MP3", () => {
  it("are in the order of the table of contents", async () => {
    const bytes = await bytesOf("mp3", {});
    const table = bytes.indexOf("ch0\0ch1\0ch2\0ch3\0", 0, "latin1");
    bytes.write("ch1\0ch0\0ch2\0ch3\0", table, "latin1");
    expect((await chaptersOf("mp3", bytes)).map(({ startMs }) => startMs)).toEqual([
      12_347, 0, 1_799_999, 3_600_001,
    ]);
  });

  it("are in the order of their start where the table of contents leaves one out", async () => {
    const bytes = await bytesOf("mp3", {});
    bytes.write("chX\0ch0\0ch2\0ch3\0", bytes.indexOf("ch0\0ch1\0ch2\0ch3\0", 0, "latin1"), "latin1");
    expect(await chaptersOf("mp3", bytes)).toEqual(chapters);
  });

  it("survive a table of contents that contains itself", async () => {
    const bytes = await bytesOf("mp3", {});
    bytes.write("toc\0ch1\0ch2\0ch3\0", bytes.indexOf("ch0\0ch1\0ch2\0ch3\0", 0, "latin1"), "latin1");
    expect(await chaptersOf("mp3", bytes)).toEqual(chapters);
  });

  it("end where the next one begins when their end is not known", async () => {
    const bytes = await bytesOf("mp3", {});
    for (const [i, chapter] of chapters.entries()) {
      const end = Buffer.alloc(4);
      end.writeUInt32BE(chapter.endMs);
      const frame = bytes.indexOf(`ch${i}\0`, bytes.indexOf("CHAP", 0, "latin1"), "latin1");
      bytes.fill(0xff, frame + 8, frame + 12);
    }
    expect(await chaptersOf("mp3", bytes)).toEqual(chapters);
  });
});

describe("chapters of a Matroska file", () => {
  it("are those that are not hidden", async () => {
    const bytes = await bytesOf("mka", {});
    const uid = bytes.indexOf(Buffer.from("73c410000008", "hex"));
    // The first chapter's uid becomes the hidden flag and a void element in the room that it leaves.
    Buffer.from("988101ec890000000000000000".padEnd(28, "0"), "hex").copy(bytes, uid);
    expect(await chaptersOf("mka", bytes)).toEqual(chapters.slice(1));
  });
});

describe("chapters of Vorbis comments", () => {
  it("are sorted by their number, and what is no time is left out", async () => {
    const custom = {
      CHAPTER002: "00:01:00.5",
      CHAPTER002NAME: "Two",
      CHAPTER001: "00:00:00.000",
      CHAPTER003: "soon",
    };
    expect(await made("opus", { tags: { custom }, durationSeconds: 90 })).toEqual([
      { title: "Chapter 1", startMs: 0, endMs: 60_500 },
      { title: "Two", startMs: 60_500, endMs: 90_000 },
    ]);
  });
});
