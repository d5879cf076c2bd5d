import { setTimeout as sleep } from "node:timers/promises";
import { makeManyBooks } from "../many-books.ts";
import { megabytes, type Row, seconds } from "../measurement.ts";
import { startRunner } from "../runner.ts";

const starts = 3;
const idleMs = 15_000;

/** From the start of the process to the retained `online`, and what it holds when it has nothing to do. */
export const startRow: Row = {
  name: "start",
  run: async ({ main, scratchDir, library }) => {
    const bookCount = Math.min(50_000, library.fileCount);
    const made = await makeManyBooks(scratchDir, bookCount);
    const name = `${bookCount.toLocaleString("en")} books`;
    const times: number[] = [];
    let rssBytes = 0;
    for (let i = 0; i < starts; i++) {
      const runner = await startRunner({ main, ...made });
      times.push(runner.readyMs);
      await runner.state("library", (totals) => totals["books"] === bookCount);
      if (i === starts - 1) {
        await sleep(idleMs);
        rssBytes = runner.memory().rssBytes;
      }
      await runner.stop();
    }
    return [
      {
        what: `start to online, ${name}`,
        value: seconds(Math.min(...times)),
        unit: "s",
        bar: { max: 1 },
        note: `best of ${starts}; ${times.map((ms) => seconds(ms).toFixed(2)).join(", ")}`,
      },
      { what: `idle RSS, ${name}`, value: megabytes(rssBytes), unit: "MB", bar: { max: 120 } },
    ];
  },
};
