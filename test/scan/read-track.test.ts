import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type AudioContent,
  type AudioTags,
  audioExtensions,
  makeAudio,
  makeAudioBytes,
} from "../../src/demo/audio/make-audio.ts";
import { makeMp4 } from "../../src/demo/audio/mp4-sound.ts";
import type { TrackReading, TrackTags } from "../../src/domain/scan.ts";
import { createTrackReader } from "../../src/scan/read-track.ts";

const read = createTrackReader();
let folder: string;
let files = 0;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "tomekeeper-track-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function readMade(extension: string, content: AudioContent): Promise<TrackReading> {
  const file = path.join(folder, `${files++}.${extension}`);
  await makeAudio(file, content);
  return readingOf(file);
}

async function tagsOf(extension: string, tags: AudioTags, id3Version: 3 | 4 = 4): Promise<TrackTags> {
  return (await readMade(extension, { tags, id3Version })).tags;
}

async function readBytes(name: string, bytes: Buffer): Promise<TrackReading> {
  const file = path.join(folder, `${files++}-${name}`);
  await writeFile(file, bytes);
  return readingOf(file);
}

function readingOf(file: string): TrackReading {
  const outcome = read(file);
  if ("lost" in outcome || !outcome.ok) throw new Error(JSON.stringify(outcome));
  return outcome.reading;
}

const everyTag: AudioTags = {
  title: "A title — é",
  album: "An album",
  artist: "An Author",
  albumArtist: "An Album Artist",
  composer: "A Composer",
  narrator: "A Narrator",
  performer: "A Performer",
  disc: "2/3",
  track: "7/20",
  series: "A Series",
  seriesPart: "1.5",
  grouping: "A Series #1.5",
  asin: "B012345678",
  isbn: "9780306406157",
  subtitle: "A subtitle",
  year: 1999,
  publisher: "A Publisher",
  language: "eng",
  description: "What it is about.",
  comment: "A comment",
  genre: "Fantasy",
  explicit: true,
  abridged: false,
};

const everyValue: TrackTags = {
  title: "A title — é",
  album: "An album",
  artists: ["An Author"],
  albumArtists: ["An Album Artist"],
  composers: ["A Composer"],
  narrators: ["A Narrator"],
  performers: ["A Performer"],
  disc: 2,
  track: 7,
  subtitle: "A subtitle",
  year: 1999,
  publisher: "A Publisher",
  language: "eng",
  description: "What it is about.",
  comment: "A comment",
  genres: ["Fantasy"],
  asin: "B012345678",
  isbn: "9780306406157",
  explicit: true,
  abridged: false,
  series: ["A Series"],
  seriesParts: ["1.5"],
  grouping: "A Series #1.5",
};

const none: TrackTags = {
  title: null,
  album: null,
  artists: [],
  albumArtists: [],
  composers: [],
  narrators: [],
  performers: [],
  disc: null,
  track: null,
  subtitle: null,
  year: null,
  publisher: null,
  language: null,
  description: null,
  comment: null,
  genres: [],
  asin: null,
  isbn: null,
  explicit: null,
  abridged: null,
  series: [],
  seriesParts: [],
  grouping: null,
};

const id3Extensions = ["mp3", "aac", "wav", "aif", "aiff"];

describe("reading a track", () => {
  it.each(audioExtensions)("reads every tag that matters: %s", async (extension) => {
    expect(await tagsOf(extension, everyTag)).toEqual(everyValue);
  });

  it.each(id3Extensions)("reads every tag of ID3v2.3 too: %s", async (extension) => {
    expect(await tagsOf(extension, everyTag, 3)).toEqual(everyValue);
  });

  it.each(audioExtensions)("says nothing where nothing is said: %s", async (extension) => {
    expect(await tagsOf(extension, {})).toEqual(none);
  });

  it.each(audioExtensions)("reads the duration and makes the bit rate of it: %s", async (extension) => {
    // A multiple of the frames of MP3 (24 ms) and AAC (64 ms).
    const reading = await readMade(extension, { tags: {}, durationSeconds: 96 });
    expect(reading.durationSeconds).toBeCloseTo(96, extension === "aac" ? 1 : 6);
    expect(reading.bitrateKbps).toBeGreaterThanOrEqual(0);
  });

  it.each(audioExtensions.filter((extension) => extension !== "webm"))(
    "says that there is a picture: %s",
    async (extension) => {
      const picture = Buffer.concat([Buffer.from("ffd8ffe0", "hex"), Buffer.alloc(200_000, 7)]);
      const reading = await readMade(extension, { tags: { title: "With a picture" }, picture });
      expect(reading.hasPicture).toBe(true);
      expect(reading.tags.title).toBe("With a picture");
      expect((await readMade(extension, { tags: {} })).hasPicture).toBe(false);
    },
  );

  it("gives the same head hash for the same first 4 KiB, whatever follows", async () => {
    const bytes = await makeAudioBytes("mp3", { tags: { title: "A" }, durationSeconds: 30 });
    const longer = await makeAudioBytes("mp3", { tags: { title: "A" }, durationSeconds: 30 });
    longer.fill(0x55, 20_000);
    const [a, b] = [await readBytes("a.mp3", bytes), await readBytes("b.mp3", longer)];
    expect(a.headHash).toMatch(/^[0-9a-f]{16}$/);
    expect(b.headHash).toBe(a.headHash);
    const other = await readMade("mp3", { tags: { title: "B" }, durationSeconds: 30 });
    expect(other.headHash).not.toBe(a.headHash);
  });
});

describe("where a series is told", () => {
  it.each(["mp3", "m4b", "flac", "mka", "wma"])("takes SERIES before the show before MVNM: %s", async (e) => {
    const movement = { movementName: "By movement", movement: 3 };
    const show = { ...movement, show: "By show" };
    expect(await tagsOf(e, { ...show, series: "By series", seriesPart: "0.5" })).toMatchObject({
      series: ["By series"],
      seriesParts: ["0.5"],
    });
    expect((await tagsOf(e, show)).series).toEqual(["By show"]);
    expect(await tagsOf(e, movement)).toMatchObject({ series: ["By movement"], seriesParts: ["3"] });
  });

  it.each(["PART", "SERIES_INDEX", "series-part", "Series Part"])(
    "takes the position from %s",
    async (name) => {
      for (const extension of ["mp3", "m4b", "ogg", "wma", "mka"]) {
        const tags = await tagsOf(extension, { custom: { SERIES: "S", [name]: "1-3" } });
        expect(tags.seriesParts, extension).toEqual(["1-3"]);
      }
    },
  );

  it("keeps several series in their order", async () => {
    const tags = await tagsOf("flac", { series: ["First", "Second"], seriesPart: ["1", "7"] });
    expect(tags).toMatchObject({ series: ["First", "Second"], seriesParts: ["1", "7"] });
    const mp4 = await tagsOf("m4b", { series: ["First", "Second"], seriesPart: ["1", "7"] });
    expect(mp4).toMatchObject({ series: ["First", "Second"], seriesParts: ["1", "7"] });
  });
});

describe("names that tools give to the same thing", () => {
  it.each(["ASIN", "AUDIBLE_ASIN", "CDEK", "asin"])("takes the ASIN from %s", async (name) => {
    for (const extension of ["mp3", "m4b", "opus", "wma", "webm"]) {
      expect((await tagsOf(extension, { custom: { [name]: "B0ABCDEFGH" } })).asin, extension).toBe(
        "B0ABCDEFGH",
      );
    }
  });

  it("takes READER where there is no PERFORMER", async () => {
    expect((await tagsOf("mp3", { custom: { READER: "A Reader" } })).performers).toEqual(["A Reader"]);
    const both = await tagsOf("mp3", { performer: "A Performer", custom: { READER: "A Reader" } });
    expect(both.performers).toEqual(["A Performer"]);
  });

  it("takes a free-form NARRATOR of an m4b where there is no ©nrt", async () => {
    expect((await tagsOf("m4b", { custom: { NARRATOR: "N" } })).narrators).toEqual(["N"]);
  });

  it("lets the format's own field win over a free-form one", async () => {
    const tags = await tagsOf("mp3", { custom: { ALBUMARTIST: "Free" }, albumArtist: "Own" });
    expect(tags.albumArtists).toEqual(["Own"]);
  });

  it.each([
    ["2007-03-14", 2007],
    ["1984", 1984],
    ["14.03.2007", 2007],
    ["soon", null],
    ["0000", null],
  ])("reads the year of %s as %s", async (year, expected) => {
    for (const extension of ["mp3", "m4b", "flac", "wma", "mka"]) {
      expect((await tagsOf(extension, { year })).year, extension).toBe(expected);
    }
  });

  it.each([
    ["yes", true],
    ["TRUE", true],
    ["explicit", true],
    ["0", false],
    ["clean", false],
    ["perhaps", null],
  ])("understands EXPLICIT=%s as %s", async (value, expected) => {
    expect((await tagsOf("ogg", { custom: { EXPLICIT: value } })).explicit).toBe(expected);
  });

  it("understands Unabridged as not abridged", async () => {
    expect((await tagsOf("ogg", { custom: { ABRIDGED: "Unabridged" } })).abridged).toBe(false);
    expect((await tagsOf("ogg", { custom: { ABRIDGED: "Abridged" } })).abridged).toBe(true);
  });

  it("splits the artists of ID3v2.4 and of Vorbis comments, as they are several values there", async () => {
    for (const extension of ["mp3", "flac"]) {
      expect((await tagsOf(extension, { artist: ["One", "Two"] })).artists).toEqual(["One", "Two"]);
    }
  });
});

describe("what a file is", () => {
  const pairs = [
    ["mp3", "m4b"],
    ["m4b", "mp3"],
    ["flac", "ogg"],
    ["opus", "wav"],
    ["wav", "aac"],
    ["wma", "mka"],
    ["mka", "mp3"],
    ["aac", "mp3"],
    ["mp3", "aac"],
    ["aiff", "flac"],
  ] as const;

  it.each(pairs)("is told by its first bytes: %s in a file named .%s", async (really, named) => {
    const bytes = await makeAudioBytes(really, { tags: { title: "What I am" } });
    expect((await readBytes(`x.${named}`, bytes)).tags.title).toBe("What I am");
  });

  it("reads FLAC in Ogg", async () => {
    const template = new URL("../../src/demo/audio/templates/ogg-flac.oga", import.meta.url);
    const file = path.join(folder, "flac.oga");
    await copyFile(template, file);
    expect(readingOf(file)).toMatchObject({ durationSeconds: 1, tags: none });
  });

  it("finds the sound of an MP3 behind padding and junk", async () => {
    const bytes = await makeAudioBytes("mp3", { tags: {}, durationSeconds: 24 });
    const junk = Buffer.concat([Buffer.alloc(30_000), Buffer.from("ffe0fffbffff", "hex"), bytes]);
    expect((await readBytes("junk.mp3", junk)).durationSeconds).toBeCloseTo(24, 1);
  });

  it("reads an MP3 of constant bit rate without a Xing header, between ID3v2 and ID3v1", async () => {
    const bytes = await makeAudioBytes("mp3", { tags: { title: "Whole title" }, durationSeconds: 24 });
    const xing = bytes.indexOf("Info", 0, "latin1");
    const frame = bytes.lastIndexOf(0xff, xing);
    const sound = bytes.length - 1000 * 24;
    const id3v1 = Buffer.alloc(128);
    id3v1.write("TAGShort title", 0, "latin1");
    const plain = Buffer.concat([bytes.subarray(0, frame), bytes.subarray(sound), id3v1]);
    const reading = await readBytes("cbr.mp3", plain);
    expect(reading.durationSeconds).toBeCloseTo(24, 6);
    expect(reading.tags.title).toBe("Whole title");
  });

  it("takes ID3v1 where there is nothing else", async () => {
    const bytes = await makeAudioBytes("mp3", { tags: {} });
    const sound = bytes.subarray(bytes.lastIndexOf(0xff, bytes.indexOf("Info", 0, "latin1")));
    const id3v1 = Buffer.alloc(128);
    id3v1.write("TAG", 0, "latin1");
    id3v1.write("Old title", 3, "latin1");
    id3v1.write("Old author", 33, "latin1");
    id3v1.write("Old album", 63, "latin1");
    id3v1.write("1984", 93, "latin1");
    const reading = await readBytes("old.mp3", Buffer.concat([sound, id3v1]));
    expect(reading.tags).toMatchObject({
      title: "Old title",
      artists: ["Old author"],
      album: "Old album",
      year: 1984,
    });
  });

  it("takes the duration of the sound track where the movie header has none", async () => {
    const bytes = await makeAudioBytes("m4b", { tags: {}, durationSeconds: 90 });
    bytes.writeUInt32BE(0, bytes.indexOf("mvhd", 0, "latin1") + 4 + 16);
    expect((await readBytes("fragmented.m4b", bytes)).durationSeconds).toBe(90);
  });

  it("reads a Matroska file whose tags come after the sound", async () => {
    const bytes = await makeAudioBytes("mka", { tags: { title: "At the end" } });
    const cluster = bytes.indexOf(Buffer.from("1f43b675", "hex"));
    const tags = bytes.indexOf(Buffer.from("1254c367", "hex"));
    const swapped = [bytes.subarray(0, tags), bytes.subarray(cluster), bytes.subarray(tags, cluster)];
    expect((await readBytes("late.mka", Buffer.concat(swapped))).tags.title).toBe("At the end");
  });
});

describe("an MP4 whose tag has numbers for names, as ffmpeg -movflags use_metadata_tags writes it", () => {
  it("is read by the list of names", async () => {
    const names = ["title", "SERIES", "SERIES-PART", "com.apple.quicktime.album", "track"];
    const values = ["A title", "A series", "0.5", "An album", "3/10"];
    const keys = names.map((name) => atom("mdta", Buffer.from(name)));
    const items = values.map((value, i) => {
      const index = Buffer.alloc(4);
      index.writeUInt32BE(i + 1);
      const data = atom("data", Buffer.from([0, 0, 0, 1, 0, 0, 0, 0]), Buffer.from(value));
      return atom(index.toString("latin1"), data);
    });
    const count = Buffer.from([0, 0, 0, 0, 0, 0, 0, names.length]);
    const handler = atom("hdlr", Buffer.alloc(8), Buffer.from("mdta"), Buffer.alloc(13));
    const tag = atom("meta", Buffer.alloc(4), handler, atom("keys", count, ...keys), atom("ilst", ...items));
    const template = await readFile(new URL("../../src/demo/audio/templates/sound.mp4", import.meta.url));
    const layout = {
      brand: "M4B ",
      durationSeconds: 5,
      chapters: [],
      chapterStyle: "both",
      moov: "last",
    } as const;
    const reading = await readBytes("keys.m4b", makeMp4(template, { ...layout, tag }));
    expect(reading.tags).toEqual({
      ...none,
      title: "A title",
      album: "An album",
      series: ["A series"],
      seriesParts: ["0.5"],
      track: 3,
    });
  });
});

function atom(type: string, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const header = Buffer.alloc(8);
  header.writeUInt32BE(body.length + 8);
  header.write(type, 4, "latin1");
  return Buffer.concat([header, body]);
}

describe("a file that is no track", () => {
  it.each([
    ["an empty file", Buffer.alloc(0), "The file is empty."],
    ["zeros", Buffer.alloc(10_000), "The file holds no audio that we know."],
    ["text", Buffer.from("This is not audio at all.\n".repeat(50)), "The file holds no audio that we know."],
  ])("is a problem that says so: %s", async (name, bytes, message) => {
    for (const extension of audioExtensions) {
      const file = path.join(folder, `${name}.${extension}`);
      await writeFile(file, bytes);
      expect(read(file), extension).toEqual({ ok: false, code: "unreadable_audio", message });
    }
  });

  it("is a problem when it is cut off before it says what is in it", async () => {
    const bytes = await makeAudioBytes("m4b", { tags: { title: "T" }, moov: "last" });
    const file = path.join(folder, "cut.m4b");
    await writeFile(file, bytes.subarray(0, 600));
    expect(read(file)).toMatchObject({ ok: false, code: "unreadable_audio" });
  });

  it("is gone, a folder, or behind a path that is too long", () => {
    expect(read(path.join(folder, "nowhere.mp3"))).toMatchObject({ ok: false, code: "vanished" });
    expect(read(folder)).toMatchObject({ ok: false, code: "not_a_file" });
    expect(read(path.join(folder, `${"x".repeat(300)}.mp3`))).toMatchObject({ code: "path_too_long" });
  });
});
