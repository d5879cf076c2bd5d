import { walkInThread } from "../../src/scan/walk-in-thread.ts";
import { type Row, seconds, timed } from "../measurement.ts";
import { findFiles, warmUp } from "../others.ts";

/** The walk alone, with the size and time of every file, against `find`, with and without a look at each. */
export const walkRow: Row = {
  name: "walk",
  run: async ({ library }) => {
    warmUp(library.path);
    const walked = await timed(() => countWalked(library.path));
    if (walked.result !== library.fileCount) throw new Error(`the walk found ${walked.result} files`);
    const find = await timed(async () => findFiles(library.path));
    const note = `find lists it in ${seconds(find.ms).toFixed(2)} s`;
    return [
      { what: "walk alone", value: seconds(walked.ms), unit: "s", note },
      { what: "walk, against find -size +0", value: walked.ms / find.ms, unit: "times" },
    ];
  },
};

async function countWalked(rootPath: string): Promise<number> {
  const options = {
    rootPath,
    startPath: "",
    after: null,
    concurrency: 16,
    ignore: [],
    signal: new AbortController().signal,
  };
  let files = 0;
  for await (const folders of walkInThread(options)) {
    for (const folder of folders) files += folder.files.length;
  }
  return files;
}
