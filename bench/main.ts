import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { version } from "../src/version.ts";
import { describeMachine, type Machine } from "./machine.ts";
import { makeBenchLibrary } from "./make-library.ts";
import { meetsBar, type Row, type RowResult } from "./measurement.ts";
import { reportText } from "./report.ts";
import { beetsRow } from "./rows/beets.ts";
import { burstRow } from "./rows/burst.ts";
import { checkpointRow } from "./rows/checkpoint.ts";
import { largeFileRow } from "./rows/large-file.ts";
import { copyRow, organizeRow } from "./rows/organize.ts";
import { queryRow } from "./rows/query.ts";
import { resumeRow } from "./rows/resume.ts";
import { scanRow } from "./rows/scan.ts";
import { startRow } from "./rows/start.ts";
import { walkRow } from "./rows/walk.ts";
import { watchRow } from "./rows/watch.ts";

/** Every row there is, in the order of the table. */
const rows: readonly Row[] = [
  scanRow,
  walkRow,
  beetsRow,
  resumeRow,
  checkpointRow,
  largeFileRow,
  startRow,
  queryRow,
  burstRow,
  copyRow,
  organizeRow,
  watchRow,
];

const usage = `npm run bench -- [options]

  --only ROWS     some of: ${rows.map((row) => row.name).join(", ")}
  --files N       size of the library (50000: what the bars are for)
  --large         the costly parts too: checkpoints of 100,000 folders
  --dir DIR       where libraries are made, and kept for later runs
  --json FILE     where the figures are written
  --main FILE     the program to measure (src/main.ts; dist/src/main.js after a build)

Figures, not a test: it ends with 0 however slow it was.`;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    files: { type: "string", default: "50000" },
    large: { type: "boolean", default: false },
    dir: { type: "string", default: path.join(os.tmpdir(), "tomekeeper-bench") },
    json: { type: "string" },
    main: { type: "string", default: path.resolve(import.meta.dirname, "../src/main.ts") },
    help: { type: "boolean", default: false },
  },
});

if (values.help) console.log(usage);
else await bench();

async function bench(): Promise<void> {
  const chosen = chooseRows(values.only);
  const fileCount = Number(values.files);
  if (!Number.isInteger(fileCount) || fileCount < 1)
    throw new Error(`--files ${values.files} is no number of files`);
  const cacheDir = path.resolve(values.dir);
  mkdirSync(cacheDir, { recursive: true });
  const main = path.resolve(values.main);
  if (!existsSync(main))
    throw new Error(`--main ${values.main}: there is no such file; \`npm run build\` makes dist`);
  const machine = describeMachine(cacheDir);
  const scratchDir = mkdtempSync(path.join(cacheDir, "scratch-"));
  const done: { readonly row: string; readonly results: readonly RowResult[] }[] = [];
  try {
    progress(`library of ${fileCount} files in ${cacheDir}`);
    const library = await makeBenchLibrary(cacheDir, fileCount);
    for (const row of chosen) {
      progress(row.name);
      const results = await measured(row, () =>
        row.run({ library, scratchDir, cacheDir, isLarge: values.large, main }),
      );
      done.push({ row: row.name, results });
    }
  } finally {
    rmSync(scratchDir, { recursive: true, force: true });
  }
  const results = done.flatMap(({ results: each }) => each);
  console.log(reportText(machine, fileCount, results, process.stdout.isTTY === true));
  const file = values.json ?? path.join(cacheDir, "bench.json");
  writeFileSync(file, `${JSON.stringify(asDocument(machine, fileCount, done), null, 2)}\n`);
  console.log(`\nAs JSON in ${file}`);
}

/** A row that fails is a line of the table; the others are worth having. */
async function measured(row: Row, run: () => Promise<readonly RowResult[]>): Promise<readonly RowResult[]> {
  try {
    return await run();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    console.error(message);
    return [{ what: row.name, skipped: `FAILED: ${message.split("\n")[0]}` }];
  }
}

function chooseRows(only: string | undefined): readonly Row[] {
  if (only === undefined) return rows;
  return only.split(",").map((name) => {
    const row = rows.find((each) => each.name === name.trim());
    if (row === undefined) throw new Error(`--only ${name}: there is no such row\n\n${usage}`);
    return row;
  });
}

function asDocument(
  machine: Machine,
  fileCount: number,
  done: readonly { readonly row: string; readonly results: readonly RowResult[] }[],
): object {
  return {
    version,
    at: new Date().toISOString(),
    machine,
    main: values.main,
    files: fileCount,
    rows: done.map(({ row, results }) => ({
      row,
      results: results.map((result) =>
        "skipped" in result ? result : { ...result, bar: result.bar ?? null, met: meetsBar(result) },
      ),
    })),
  };
}

function progress(text: string): void {
  console.error(`… ${text}`);
}
