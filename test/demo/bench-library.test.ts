import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeBenchLibrary } from "../../bench/make-library.ts";
import { createTagReader } from "../../src/scan/tags.ts";

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-bench-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("makes a library for measuring whose files are all readable and say what their folders say", async () => {
  const library = await makeBenchLibrary(dir, 148);
  const files = readdirSync(library.path, { recursive: true, encoding: "utf8" }).filter((name) =>
    /\.\w+$/.test(name),
  );
  expect(files).toHaveLength(148);
  const reader = createTagReader({ concurrency: 2, fileTimeoutMs: 5000 });
  try {
    const results = await reader.read(library.path, files);
    const fingerprints = new Set<string>();
    results.forEach((result, i) => {
      const file = files[i] ?? "";
      if (!result.ok) throw new Error(`${file}: ${result.message}`);
      const { tags, durationSeconds, headHash } = result.reading;
      const [author = "", ...rest] = file.split("/");
      const album = rest.at(-2);
      expect({ album: tags.album, artists: tags.artists }, file).toEqual({ album, artists: [author] });
      expect(Number(tags.track), file).toBe(Number.parseInt(path.basename(file), 10));
      expect([...tags.series, ...tags.seriesParts], file).toEqual([
        expect.stringMatching(/^Series \d{7}$/),
        expect.stringMatching(/^000000[1-5]$/),
      ]);
      expect(durationSeconds, file).toBeGreaterThan(0.9);
      fingerprints.add(headHash);
    });
    expect(fingerprints.size).toBe(148);
  } finally {
    await reader.close();
  }
});

test("finds the library of an earlier run and a half-made one never", async () => {
  const first = await makeBenchLibrary(dir, 20);
  rmSync(path.join(first.path, "Author 0000000"), { recursive: true });
  const again = await makeBenchLibrary(dir, 20);
  expect(again).toEqual(first);
  expect(readdirSync(again.path)).toEqual([]);
  expect(readdirSync(dir)).toEqual([path.basename(first.path)]);
});
