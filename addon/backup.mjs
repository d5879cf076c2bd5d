/*
 * `pre`: parks what runs, so that nothing is written while the data folder is copied; `post`: lets it go on, unless
 * somebody had paused it before.
 */
import { execFileSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

const root = import.meta.dirname;
const data = path.join(root, "data");
const mark = path.join(data, "paused-for-backup");
const main = path.join(root, "app/dist/src/main.js");
/** What parks takes two seconds at most. */
const parkMs = 15_000;

function tomekeeper(...args) {
  const place = [
    "--config",
    path.join(data, "tomekeeper.yaml"),
    "--data",
    path.join(data, "store"),
    "--json",
  ];
  return JSON.parse(execFileSync(process.execPath, [main, ...args, ...place], { encoding: "utf8" }));
}

if (process.argv[2] === "pre") {
  let queue = tomekeeper("status").queue;
  if (queue.state !== "paused") {
    // Before it is paused: a copy of the paused state tells that it is to go on.
    writeFileSync(mark, "");
    queue = tomekeeper("pause");
  }
  for (const untilMs = Date.now() + parkMs; queue.counts.running > 0 && Date.now() < untilMs; ) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    queue = tomekeeper("status").queue;
  }
} else if (existsSync(mark)) {
  tomekeeper("resume");
  rmSync(mark);
}
