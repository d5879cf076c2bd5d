import { execFileSync } from "node:child_process";
import path from "node:path";
import { megabytes, type Row, type RowResult, seconds } from "../measurement.ts";

const ways = [
  ["chokidar", "chokidar as it comes"],
  ["inbox", "an inbox (chokidar)"],
  ["library", "a library (a watch per folder)"],
] as const;

/** Time to ready and memory on top of the process, each in a process of its own. */
export const watchRow: Row = {
  name: "watch",
  run: async ({ library }) =>
    ways.flatMap(([way, what]): readonly RowResult[] => {
      const script = path.join(import.meta.dirname, "..", "watch-once.ts");
      const output = execFileSync(process.execPath, [script, way, library.path], { encoding: "utf8" });
      const { readyMs, peakBytes, keptBytes } = JSON.parse(output);
      const note = `${megabytes(peakBytes).toFixed(0)} MB when ready`;
      return [
        { what: `watch, ${what}: ready`, value: seconds(readyMs), unit: "s" },
        { what: `watch, ${what}: memory kept`, value: megabytes(keptBytes), unit: "MB", note },
      ];
    }),
};
