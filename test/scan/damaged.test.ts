import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { audioExtensions, makeAudioBytes } from "../../src/demo/audio/make-audio.ts";
import { createTagReader } from "../../src/scan/tags.ts";

/** A damage, with numbers from 0 to 1 to choose where. */
type Damage = (bytes: Buffer, random: () => number) => Buffer;

const damages: Readonly<Record<string, Damage>> = {
  cut: (bytes, random) => bytes.subarray(0, at(bytes, random)),
  flipped: (bytes, random) => repeat(8, () => flip(bytes, at(bytes, random), random)) ?? bytes,
  overwritten: (bytes, random) => repeat(30, () => set(bytes, at(bytes, random), random)) ?? bytes,
  "overwritten at the beginning": (bytes, random) =>
    repeat(10, () => set(bytes, at(bytes.subarray(0, 400), random), random)) ?? bytes,
  "with a number of all ones": (bytes, random) =>
    bytes.fill(0xff, at(bytes, random)).subarray(0, bytes.length),
  "with one size of four billion": (bytes, random) => {
    const start = at(bytes, random);
    return bytes.fill(0xff, start, start + 4);
  },
  random: (bytes, random) => repeat(bytes.length, (i) => set(bytes, i, random)) ?? bytes,
  "of zeros": (bytes) => bytes.fill(0),
  "of zero bytes": () => Buffer.alloc(0),
  "cut at its beginning": (bytes, random) => bytes.subarray(at(bytes, random)),
};

function at(bytes: Buffer, random: () => number): number {
  return Math.floor(random() * bytes.length);
}

function flip(bytes: Buffer, index: number, random: () => number): void {
  bytes[index] = (bytes[index] ?? 0) ^ (1 << Math.floor(random() * 8));
}

function set(bytes: Buffer, index: number, random: () => number): void {
  bytes[index] = Math.floor(random() * 256);
}

function repeat(count: number, work: (i: number) => void): undefined {
  for (let i = 0; i < count; i++) work(i);
}

/** The same numbers every time (xorshift, 32 bits). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

let folder: string;
const names: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "tomekeeper-damaged-"));
  const random = numbers(20_261_123);
  const picture = Buffer.concat([Buffer.from("ffd8ffe0", "hex"), Buffer.alloc(3000, 9)]);
  const chapters = [
    { title: "One", startMs: 0, endMs: 400 },
    { title: "Two", startMs: 400, endMs: 1000 },
  ];
  const tags = { title: "A title", album: "An album", artist: "Somebody", series: "A series", track: 3 };
  for (const extension of audioExtensions) {
    const whole = await makeAudioBytes(extension, {
      tags,
      ...(extension === "wma" ? {} : { chapters }),
      ...(extension === "webm" ? {} : { picture }),
    });
    for (const [what, damage] of Object.entries(damages)) {
      for (let i = 0; i < 7; i++) {
        const named = audioExtensions[Math.floor(random() * audioExtensions.length)];
        const name = `${what} ${i} ${extension}.${i === 6 ? named : extension}`;
        await writeFile(path.join(folder, name), damage(Buffer.from(whole), random));
        names.push(name);
      }
    }
  }
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

it("gives each of a thousand damaged files a result of its own, in time and without a crash", async () => {
  const fileTimeoutMs = 5000;
  const reader = createTagReader({ concurrency: 2, fileTimeoutMs });
  try {
    expect(names.length).toBeGreaterThan(1000);
    const results = await reader.read(folder, names);
    expect(results.length).toBe(names.length);
    for (const [i, result] of results.entries()) {
      const name = names[i] ?? "";
      if (result.ok) {
        expect(Number.isFinite(result.reading.durationSeconds), name).toBe(true);
        expect(result.reading.durationSeconds, name).toBeGreaterThanOrEqual(0);
        for (const chapter of result.reading.chapters) {
          expect(Number.isSafeInteger(chapter.startMs) && chapter.endMs >= chapter.startMs, name).toBe(true);
        }
      } else {
        expect(result.code, `${name}: ${result.message}`).toBe("unreadable_audio");
        expect(result.message).toMatch(/^The file .*\S$/s);
      }
      if (/^(random|of zero)/.test(name)) expect(result.ok, name).toBe(false);
    }
    const good = results.filter((result) => result.ok).length;
    expect(good).toBeGreaterThan(100);
  } finally {
    await reader.close();
  }
});
