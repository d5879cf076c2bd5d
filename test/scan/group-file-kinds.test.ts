import { describe, expect, it } from "vitest";
import {
  discNumberOf,
  extensionOf,
  isDiscFolder,
  isIgnoredName,
  kindOf,
  stemOf,
} from "../../src/domain/file-kinds.ts";

describe("kindOf", () => {
  it.each("m4b mp3 m4a mp4 aac flac ogg oga opus wma wav aif aiff mka webm".split(" "))(
    "%s is audio",
    (extension) => {
      expect(kindOf(`x.${extension}`)).toBe("audio");
      expect(kindOf(`CD1/x.${extension.toUpperCase()}`)).toBe("audio");
    },
  );

  it.each("jpg jpeg png webp".split(" "))("%s is an image", (extension) => {
    expect(kindOf(`x.${extension}`)).toBe("image");
  });

  it.each("epub pdf mobi azw3 cue m3u m3u8 txt nfo opf json".split(" "))("%s is a companion", (extension) => {
    expect(kindOf(`x.${extension}`)).toBe("companion");
  });

  it.each(["x.exe", "mp3", "README", "x.mp3x", "x."])("%s is nothing of ours", (name) => {
    expect(kindOf(name)).toBe("other");
  });
});

describe("isIgnoredName", () => {
  it.each([
    ".hidden.mp3",
    "._01.mp3",
    ".ignore",
    "@eaDir",
    "@EADIR",
    ...".part .tmp .crdownload .download .bak .old .temp .!qB .aria2".split(" ").map((end) => `01.mp3${end}`),
    "01.mp3.PART",
  ])("%s is ignored", (name) => {
    expect(isIgnoredName(name)).toBe(true);
    expect(kindOf(name)).toBe("ignored");
  });

  it.each(["Part 1", "old", "Old Man's War", "The Temp.mp3", "tmp", "@home"])("%s is not", (name) => {
    expect(isIgnoredName(name)).toBe(false);
  });
});

describe("disc folders", () => {
  it.each([
    ["CD1", 1],
    ["cd 01", 1],
    ["CD-01", 1],
    ["Disc 02", 2],
    ["Disc_1", 1],
    ["Disk 3", 3],
    ["Part 4", 4],
    ["Disc 1 of 3", 1],
    ["CD01of12", 1],
    ["(Disc 12)", 12],
  ])("%s is disc %i", (name, disc) => {
    expect(isDiscFolder(name)).toBe(true);
    expect(discNumberOf(name)).toBe(disc);
  });

  it.each(["CD", "Disc One", "Part 4 - The End", "Discworld 1", "1", "ACDC 1", "CD1 Bonus", "Parts 1", ""])(
    "%j is an ordinary folder",
    (name) => {
      expect(isDiscFolder(name)).toBe(false);
      expect(discNumberOf(name)).toBeNull();
    },
  );
});

describe("names of files", () => {
  it("come apart in stem and extension", () => {
    expect([stemOf("CD1/01. Intro.MP3"), extensionOf("CD1/01. Intro.MP3")]).toEqual(["01. Intro", "mp3"]);
    expect([stemOf("a.b/none"), extensionOf("a.b/none")]).toEqual(["none", ""]);
    expect([stemOf(".hidden"), extensionOf(".hidden")]).toEqual([".hidden", ""]);
  });
});
