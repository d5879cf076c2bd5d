import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { audioExtensions, makeAudio, makeAudioBytes } from "../../src/demo/audio/make-audio.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "tomekeeper-audio-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe("made audio", () => {
  it("knows every audio extension that a library may hold", () => {
    const known = "m4b mp3 m4a mp4 aac flac ogg oga opus wma wav aif aiff mka webm".split(" ");
    expect([...audioExtensions].sort()).toEqual(known.sort());
  });

  it.each(audioExtensions)("is small and the same every time: %s", async (extension) => {
    const content = { tags: { title: "A title", artist: "Somebody" } };
    const bytes = await makeAudioBytes(extension, content);
    expect(bytes.length).toBeLessThan(20_000);
    expect(bytes.equals(await makeAudioBytes(extension, content))).toBe(true);
  });

  it("refuses an extension that it has no template for, and says which there are", async () => {
    await expect(makeAudioBytes("xyz", { tags: {} })).rejects.toThrow(/No template for "\.xyz".*m4b/);
  });

  it("refuses chapters for wma", async () => {
    const chapters = [{ title: "One", startMs: 0, endMs: 1000 }];
    await expect(makeAudioBytes("wma", { tags: {}, chapters })).rejects.toThrow(/wma/);
  });

  it("writes Ogg packets of any length, a multiple of 255 bytes too", async () => {
    for (let length = 0; length < 260; length++) {
      const bytes = await makeAudioBytes("opus", { tags: { title: "x".repeat(length) } });
      const second = bytes.indexOf("OggS", 4, "latin1");
      const segments = bytes.subarray(second + 27, second + 27 + bytes.readUInt8(second + 26));
      expect(segments.at(-1)).toBeLessThan(255);
    }
  });
});

const hasFfprobe = spawnSync("ffprobe", ["-version"]).status === 0;

describe.skipIf(!hasFfprobe)("made audio as ffprobe sees it (needs ffprobe)", () => {
  const durationSeconds = 61.44;
  const chapters = [
    { title: "Opening", startMs: 0, endMs: 1234 },
    { title: "Zweites — ü", startMs: 1234, endMs: 61_440 },
  ];

  it.each(audioExtensions)(
    "has its sound, its duration, its tags and its chapters: %s",
    async (extension) => {
      const file = path.join(folder, `sound.${extension}`);
      const tags = { title: "A title é", album: "An album", artist: "Somebody", series: "A series" };
      const canHaveChapters = extension !== "wma";
      await makeAudio(file, { tags, durationSeconds, ...(canHaveChapters ? { chapters } : {}) });
      const seen = probe(file);
      expect(seen.streams.some((stream) => stream.codec_type === "audio")).toBe(true);
      const all = { ...seen.format.tags, ...seen.streams[0]?.tags };
      const named = new Map(Object.entries(all).map(([name, value]) => [name.toUpperCase(), value]));
      expect(named.get("TITLE")).toBe("A title é");
      expect(named.get("ALBUM")).toBe("An album");
      expect(named.get("SERIES")).toBe("A series");
      // ffprobe guesses the duration of an ADTS stream and of a wma without an index from the bit rate.
      if (extension !== "aac" && extension !== "wma") {
        expect(Number(seen.format.duration)).toBeCloseTo(durationSeconds, 1);
      }
      if (canHaveChapters) {
        expect(seen.chapters.map((chapter) => chapter.tags?.title)).toEqual(["Opening", "Zweites — ü"]);
        expect(Number(seen.chapters[1]?.start_time)).toBeCloseTo(1.234, 6);
      }
      expect((await stat(file)).size).toBeLessThan(1_000_000);
    },
  );
});

interface Probe {
  readonly format: { readonly duration: string; readonly tags?: Record<string, string> };
  readonly streams: readonly { readonly codec_type: string; readonly tags?: Record<string, string> }[];
  readonly chapters: readonly { readonly start_time: string; readonly tags?: { readonly title: string } }[];
}

function probe(file: string): Probe {
  const show = ["-show_format", "-show_streams", "-show_chapters", "-of", "json", file];
  return JSON.parse(execFileSync("ffprobe", ["-v", "quiet", ...show], { encoding: "utf8" }));
}
