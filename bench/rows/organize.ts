import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { lstat } from "node:fs/promises";
import path from "node:path";
import { factsOf, openSource } from "../../src/files/facts.ts";
import { hashFile } from "../../src/files/hash.ts";
import { placeFile } from "../../src/files/place.ts";
import { makeBenchLibrary } from "../make-library.ts";
import { type Row, type RowResult, seconds, timed } from "../measurement.ts";
import { asJson, startRunner } from "../runner.ts";

const copiedBytes = 1_000_000_000;
const organizedFiles = 2000;

/** One large file as organizing copies it: hashed, copied, synced, hashed again; against `cp` and two hashes. */
export const copyRow: Row = {
  name: "copy",
  run: async ({ scratchDir }) => {
    const dir = mkdtempSync(path.join(scratchDir, "copy-"));
    const source = path.join(dir, "source");
    writeFileSync(source, Buffer.alloc(copiedBytes, "audiobook"));
    const { signal } = new AbortController();
    const best = { ours: Number.POSITIVE_INFINITY, theirs: Number.POSITIVE_INFINITY };
    for (let round = 0; round < 3; round++) {
      const theirs = await timed(async () => {
        run(
          "sh",
          "-c",
          `sha256sum < "$0" && cp "$0" "$1" && sync "$1" && sha256sum < "$1"`,
          source,
          `${source}.cp`,
        );
      });
      rmSync(`${source}.cp`);
      const ours = await timed(() => verifiedCopy(source, path.join(dir, "placed"), signal));
      rmSync(path.join(dir, "placed"));
      best.theirs = Math.min(best.theirs, theirs.ms);
      best.ours = Math.min(best.ours, ours.ms);
    }
    rmSync(dir, { recursive: true });
    const note = `${seconds(best.ours).toFixed(2)} s; cp and two sha256sum ${seconds(best.theirs).toFixed(2)} s, both with a sync`;
    return [
      {
        what: "verified copy of 1 GB, of their speed",
        value: best.theirs / best.ours,
        unit: "times",
        bar: { min: 0.8 },
        note,
      },
    ];
  },
};

async function verifiedCopy(source: string, destination: string, signal: AbortSignal): Promise<void> {
  const { handle } = await openSource(source);
  const sha256 = await hashFile(handle, { signal });
  await handle.close();
  const facts = factsOf(await lstat(source, { bigint: true }));
  const temporaryName = ".tomekeeper-bench.part";
  const placing = { source, facts, sha256, destination, temporaryName, method: "copy", signal } as const;
  await placeFile({ ...placing, onBytes: () => {}, onMade: async () => {} });
}

/** A whole runner that links an inbox into its library, journalled and durable, and takes it back. */
export const organizeRow: Row = {
  name: "organize",
  run: async ({ main, scratchDir }) => {
    const dir = mkdtempSync(path.join(scratchDir, "organize-"));
    // Its own copy: links to the library of the other rows would change it.
    const inbox = await makeBenchLibrary(dir, organizedFiles);
    const libraryPath = path.join(dir, "books");
    mkdirSync(libraryPath);
    const dataDir = path.join(dir, "data");
    const runner = await startRunner({ main, libraryPath, inboxPath: inbox.path, dataDir });
    try {
      await runner.ask("scan", {});
      const results: RowResult[] = [];
      const measure = async (what: string, command: string, payload: object, bar?: { min: number }) => {
        const { ms, result } = await timed(() => runner.ask(command, payload));
        const { files } = asJson(result["summary"]);
        if (files !== organizedFiles) throw new Error(`${what}: ${files} files`);
        const value = organizedFiles / seconds(ms);
        results.push({ what, value, unit: "files/s", ...(bar === undefined ? {} : { bar }) });
      };
      await measure("hardlink organize", "organize", { strategy: "hardlink" }, { min: 500 });
      await measure("undo of it", "undo", {});
      await measure("copy organize", "organize", { strategy: "copy" });
      await measure("verify", "verify", { root: "books" });
      await measure("undo of the copy", "undo", {});
      return results;
    } finally {
      await runner.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

function run(command: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
}
