import { closeSync, ftruncateSync, mkdtempSync, openSync, writeSync } from "node:fs";
import path from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { makeAudioBytes } from "../../src/demo/audio/make-audio.ts";
import { createTagReader } from "../../src/scan/tags.ts";
import { p99, type Row, type RowResult, timed } from "../measurement.ts";

const sizeBytes = 300_000_000;
const reads = 200;

/** One long M4B with 60 chapters, read again and again; what says what is in it stands first, or last. */
export const largeFileRow: Row = {
  name: "large-file",
  run: async ({ scratchDir }) => {
    const dir = mkdtempSync(path.join(scratchDir, "large-"));
    const results: RowResult[] = [];
    for (const moov of ["first", "last"] as const) {
      await makeLargeFile(path.join(dir, `${moov}.m4b`), moov);
      results.push(...(await measure(dir, `${moov}.m4b`, `300 MB m4b, moov ${moov}`)));
    }
    return results;
  },
};

async function measure(dir: string, name: string, what: string): Promise<readonly RowResult[]> {
  const reader = createTagReader({ concurrency: 1, fileTimeoutMs: 5000 });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  try {
    // The first reads start the worker, load its modules and compile what is used.
    for (let i = 0; i < 20; i++) await reader.read(dir, [name]);
    delay.enable();
    const times: number[] = [];
    for (let i = 0; i < reads; i++) {
      const { ms, result } = await timed(() => reader.read(dir, [name]));
      const [read] = result;
      if (read?.ok !== true || read.reading.chapters.length !== 60) {
        throw new Error(`${name} was not read: ${JSON.stringify(read)}`);
      }
      times.push(ms);
    }
    const median = times.toSorted((a, b) => a - b)[reads / 2] ?? Number.NaN;
    const note = `p99 of ${reads} reads; median ${median.toFixed(1)} ms`;
    return [
      { what, value: p99(times), unit: "ms", bar: { max: 10 }, note },
      { what: `${what}, event loop late, at most`, value: delay.max / 1e6, unit: "ms", bar: { max: 50 } },
    ];
  } finally {
    delay.disable();
    await reader.close();
  }
}

/** The sound is made as long as it takes by growing its box: zeros that no reader of tags has a reason to read. */
async function makeLargeFile(file: string, moov: "first" | "last"): Promise<void> {
  const chapterMs = 600_000;
  const bytes = await makeAudioBytes("m4b", {
    tags: { title: "A long book", album: "A long book", artist: "Somebody", narrator: "Somebody else" },
    durationSeconds: (60 * chapterMs) / 1000,
    chapters: Array.from({ length: 60 }, (_, i) => ({
      title: `Chapter ${i + 1}`,
      startMs: i * chapterMs,
      endMs: (i + 1) * chapterMs,
    })),
    moov,
  });
  const soundAt = bytes.indexOf("mdat", 0, "latin1") - 4;
  const soundEndsAt = soundAt + bytes.readUInt32BE(soundAt);
  const grownBytes = sizeBytes - bytes.length;
  bytes.writeUInt32BE(soundEndsAt - soundAt + grownBytes, soundAt);
  const handle = openSync(file, "wx");
  writeSync(handle, bytes.subarray(0, soundEndsAt), 0, null, 0);
  ftruncateSync(handle, sizeBytes);
  const rest = bytes.subarray(soundEndsAt);
  writeSync(handle, rest, 0, rest.length, sizeBytes - rest.length);
  closeSync(handle);
}
