import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import path from "node:path";
import { makeBenchLibrary } from "../make-library.ts";
import { type Row, seconds, timed } from "../measurement.ts";
import { isInstalled, warmUp } from "../others.ts";
import { startRunner } from "../runner.ts";

const beets = "beet";
/** Enough for a rate, and a minute at most. */
const fileCount = 5000;

/** beets and we on the same files, one after the other. */
export const beetsRow: Row = {
  name: "beets",
  run: async ({ main, scratchDir, cacheDir, library }) => {
    const what = "full scan, against beet import";
    if (!isInstalled(beets)) return [{ what, skipped: "beets is not installed" }];
    const sample = await makeBenchLibrary(cacheDir, Math.min(fileCount, library.fileCount));
    const dataDir = mkdtempSync(path.join(scratchDir, "beets-"));
    const config = path.join(dataDir, "config.yaml");
    writeFileSync(
      config,
      `directory: ${dataDir}/music\nlibrary: ${dataDir}/library.db\nimport:\n  copy: no\n`,
    );
    warmUp(sample.path);
    const theirs = await timed(async () => beetImport(config, sample.path));
    const runner = await startRunner({ main, libraryPath: sample.path, dataDir: path.join(dataDir, "ours") });
    try {
      const ours = await timed(() => runner.ask("scan", {}));
      const note = `${Math.round(sample.fileCount / seconds(theirs.ms))} files/s of beets`;
      return [{ what, value: theirs.ms / ours.ms, unit: "times", bar: { min: 12 }, note }];
    } finally {
      await runner.stop();
    }
  },
};

function beetImport(config: string, libraryPath: string): void {
  const { status, stderr } = spawnSync(beets, ["-c", config, "import", "-A", "-C", "-q", libraryPath]);
  if (status !== 0) throw new Error(`beet import failed: ${stderr}`);
}
