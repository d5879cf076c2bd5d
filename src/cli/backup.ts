import path from "node:path";
import { type Backup, backUp, restore } from "../app/backup.ts";
import type { StateBody } from "../bus/topics.ts";
import { AppError } from "../errors.ts";
import { acquireLock } from "../store/lock.ts";
import type { CommandLine } from "./command-line.ts";
import type { RunnerLink } from "./connection.ts";
import { findRunner } from "./find-runner.ts";
import { countText, sizeText } from "./format.ts";
import { configOf, type PlaceFlags } from "./sources.ts";

export interface BackupFlags extends PlaceFlags {
  readonly folder: string;
}

export interface RestoreFlags extends BackupFlags {
  readonly force: boolean;
}

/** What runs parks within two seconds. */
const parkMs = 20_000;

/** `tomekeeper backup FOLDER`: a copy of the data folder; a running runner is paused for it. */
export async function backup(flags: BackupFlags, line: CommandLine): Promise<number> {
  const { data_dir: dataDir } = configOf(flags, line).config;
  const folder = path.resolve(line.cwd, flags.folder);
  const made = await quietly(flags, line, dataDir, (isPausedForIt) =>
    backUp(dataDir, folder, { isPausedForIt, now: new Date() }),
  );
  if (flags.json) line.out(JSON.stringify(made));
  else line.out(`${summary(made)} of ${dataDir} are in ${folder}, and open without an issue`);
  return 0;
}

/** `tomekeeper restore FOLDER`: puts a backup in the place of the data folder. */
export async function restoreBackup(flags: RestoreFlags, line: CommandLine): Promise<number> {
  const { data_dir: dataDir } = configOf(flags, line).config;
  const folder = path.resolve(line.cwd, flags.folder);
  const restored = await restore(folder, dataDir, { force: flags.force, now: new Date() });
  if (flags.json) line.out(JSON.stringify(restored));
  else {
    line.out(`${summary(restored)} of ${folder} are in ${dataDir}`);
    if (restored.movedTo !== null) line.out(`what was there is in ${restored.movedTo}`);
  }
  return 0;
}

function summary({ files, bytes }: Backup): string {
  return `${countText(files, "file")} (${sizeText(bytes)})`;
}

/** While nothing is being done: the runner is paused, and goes on afterwards; without one nobody can start it meanwhile. */
async function quietly<T>(
  flags: BackupFlags,
  line: CommandLine,
  dataDir: string,
  work: (isPausedForIt: boolean) => Promise<T>,
): Promise<T> {
  const runner = await findRunner(flags, line).catch((error: unknown) => {
    if (error instanceof AppError && error.code === "no_runner") return null;
    throw error;
  });
  if (runner === null) {
    const lock = await acquireLock(dataDir, new Date());
    try {
      return await work(false);
    } finally {
      await lock.release();
    }
  }
  let queue: Queue = await queueOf(runner);
  const wasPaused = queue.state === "paused";
  try {
    if (!wasPaused) queue = await runner.request("pause", {});
    for (const untilMs = Date.now() + parkMs; queue.counts.running > 0; queue = await queueOf(runner)) {
      if (Date.now() > untilMs)
        throw new AppError("busy", "What runs does not come to a safe point: try again later");
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return await work(!wasPaused);
  } finally {
    if (!wasPaused) await runner.request("resume", {});
    await runner.close();
  }
}

type Queue = Pick<StateBody<"queue">, "state" | "counts">;

/** As the runner said it last. */
async function queueOf(runner: RunnerLink): Promise<Queue> {
  const seen = Promise.withResolvers<Queue>();
  await runner.listen(["queue"], (_topic, payload) => seen.resolve(payload as Queue));
  return await seen.promise;
}
