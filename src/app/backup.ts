import { constants } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { AppError, systemCode } from "../errors.ts";
import { hashPath } from "../files/hash.ts";
import { syncFolder } from "../files/sync.ts";
import { syncFile, writeDurably } from "../store/durable.ts";
import { acquireLock } from "../store/lock.ts";
import { openStore } from "../store/open.ts";
import type { StoreIssue } from "../store/ports.ts";
import { openSettings } from "../store/settings.ts";
import { version } from "../version.ts";

const manifestName = "backup.json";

const manifest = z.object({
  schemaVersion: z.literal(1),
  /** Of the program that made it. */
  version: z.string(),
  /** RFC 3339. */
  at: z.string(),
  files: z.record(z.string(), z.object({ bytes: z.int(), sha256: z.string() })),
});
type Manifest = Readonly<z.infer<typeof manifest>>;

export interface Backup {
  readonly folder: string;
  readonly files: number;
  readonly bytes: number;
}

/** Of a running process, or made anew by whoever opens it. */
const leftOut = /^(?:lock|lock\.json|runner\.json)$|\.tmp$|-shm$/;
/** How often it is begun again, because something was written meanwhile. */
const tries = 10;
const neverAborted = new AbortController().signal;

/**
 * Copies a data folder in which nothing is being done into `folder`, which must not be there yet, and opens a copy of
 * that to see that it is whole. Nothing stays where it fails. Throws `conflict`, `busy` where it is written to all the
 * time, `store_damaged` where what is stored does not open without an issue. `isPausedForIt`: the copy is of a runner that
 * is not to be paused.
 */
export async function backUp(
  dataDir: string,
  folder: string,
  { isPausedForIt, now }: { readonly isPausedForIt: boolean; readonly now: Date },
): Promise<Backup> {
  if (await isThere(folder)) {
    throw new AppError("conflict", `${folder} is there already: name a folder that is not`);
  }
  const making = `${folder}.part`;
  await rm(making, { recursive: true, force: true });
  try {
    await copyUnchanged(dataDir, making);
    if (isPausedForIt) await goOn(making, now);
    const files = await filesIn(making);
    const listed = await Promise.all(
      files.map(async (name) => {
        const file = path.join(making, name);
        await syncFile(file);
        const { size: bytes } = await stat(file);
        return [name, { bytes, sha256: await hashPath(file, { signal: neverAborted }) }] as const;
      }),
    );
    const made: Manifest = {
      schemaVersion: 1,
      version,
      at: now.toISOString(),
      files: Object.fromEntries(listed),
    };
    await writeDurably(path.join(making, manifestName), `${JSON.stringify(made, null, 2)}\n`);
    await refuseUnlessWhole(making, now);
    await rename(making, folder);
    await syncFolder(path.dirname(folder));
    return { folder, files: files.length, bytes: listed.reduce((sum, [, { bytes }]) => sum + bytes, 0) };
  } catch (error) {
    await rm(making, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Puts a backup in the place of a data folder. What is there is moved aside, where that is allowed, and never removed:
 * `movedTo` says where. Throws `conflict`, `lock_held` while a runner has it, `store_damaged` for a backup that is not
 * as it was made.
 */
export async function restore(
  folder: string,
  dataDir: string,
  { force, now }: { readonly force: boolean; readonly now: Date },
): Promise<Backup & { readonly movedTo: string | null }> {
  const { files } = await readManifest(folder);
  for (const [name, { bytes, sha256 }] of Object.entries(files)) {
    const file = path.join(folder, name);
    const isSame =
      (await isThere(file)) &&
      (await stat(file)).size === bytes &&
      (await hashPath(file, { signal: neverAborted })) === sha256;
    if (!isSame)
      throw new AppError("store_damaged", `${file} is not as it was backed up: use another backup`);
  }
  const isTaken = await isThere(path.join(dataDir, "node-id"));
  if (isTaken && !force) {
    throw new AppError(
      "conflict",
      `${dataDir} holds a runner's data: with --force it is moved aside, and nothing of it is lost`,
    );
  }
  // Whoever has it must not lose it below its feet.
  if (await isThere(dataDir)) await (await acquireLock(dataDir, now)).release();
  const making = `${dataDir}.restoring`;
  await rm(making, { recursive: true, force: true });
  for (const name of Object.keys(files)) {
    await copyOne(path.join(folder, name), path.join(making, name));
    await syncFile(path.join(making, name));
  }
  const movedTo = (await isThere(dataDir))
    ? `${dataDir}.before-${now.toISOString().replaceAll(":", "-")}`
    : null;
  if (movedTo !== null) await rename(dataDir, movedTo);
  await rename(making, dataDir);
  await syncFolder(path.dirname(dataDir));
  const bytes = Object.values(files).reduce((sum, file) => sum + file.bytes, 0);
  return { folder, files: Object.keys(files).length, bytes, movedTo };
}

/** Nobody has paused it but the backup itself. */
async function goOn(folder: string, now: Date): Promise<void> {
  const settings = await openSettings({ folder, now: () => now, report: () => {} });
  const { paused } = settings.get();
  await settings.put({ paused: { ...paused, all: false } });
}

async function readManifest(folder: string): Promise<Manifest> {
  const file = path.join(folder, manifestName);
  try {
    const read = manifest.parse(JSON.parse(await readFile(file, "utf8")));
    const outside = Object.keys(read.files).find(
      (name) => path.isAbsolute(name) || name.split("/").includes(".."),
    );
    if (outside !== undefined) throw new Error(`it names ${outside}`);
    return read;
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new AppError("store_damaged", `${folder} is no backup of Tomekeeper: ${file}: ${reason}`, {
      cause,
    });
  }
}

/** All files as they were at one moment: begun again where one of them has changed meanwhile. */
async function copyUnchanged(from: string, to: string): Promise<void> {
  for (let attempt = 0; attempt < tries; attempt++) {
    const before = await statesOf(from);
    await rm(to, { recursive: true, force: true });
    await mkdir(to, { recursive: true, mode: 0o700 });
    for (const name of before.keys())
      await copyOne(path.join(from, name), path.join(to, name)).catch(ignoreGone);
    const after = await statesOf(from);
    const isSame =
      before.size === after.size && [...before].every(([name, state]) => after.get(name) === state);
    if (isSame) return;
    await delay(200);
  }
  throw new AppError("busy", `${from} is being written to all the time: try again later`, {
    retryable: true,
  });
}

async function copyOne(from: string, to: string): Promise<void> {
  await mkdir(path.dirname(to), { recursive: true, mode: 0o700 });
  await copyFile(from, to, constants.COPYFILE_FICLONE);
}

async function statesOf(folder: string): Promise<ReadonlyMap<string, string>> {
  const states = new Map<string, string>();
  for (const name of await filesIn(folder)) {
    const stats = await stat(path.join(folder, name), { bigint: true }).catch(ignoreGone);
    if (stats !== undefined) states.set(name, `${stats.ino} ${stats.size} ${stats.mtimeNs}`);
  }
  return states;
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !leftOut.test(entry.name) && entry.name !== manifestName)
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join("/"))
    .sort();
}

/** Opens a copy: opening writes. */
async function refuseUnlessWhole(folder: string, now: Date): Promise<void> {
  const tried = `${folder}.tried`;
  try {
    await rm(tried, { recursive: true, force: true });
    for (const name of await filesIn(folder)) await copyOne(path.join(folder, name), path.join(tried, name));
    const issues: StoreIssue[] = [];
    const store = await openStore({ dataDir: tried, now: () => now, onIssue: (issue) => issues.push(issue) });
    await store.close();
    const catalogue = new DatabaseSync(path.join(tried, "catalogue.db"));
    const [check] = catalogue.prepare("PRAGMA quick_check").all();
    catalogue.close();
    const said = check?.["quick_check"];
    const problem = issues[0]?.message ?? (said === "ok" ? null : `catalogue.db: ${said}`);
    if (problem !== null) {
      throw new AppError("store_damaged", `what is stored is not whole, and was not backed up: ${problem}`);
    }
  } finally {
    await rm(tried, { recursive: true, force: true });
  }
}

async function isThere(file: string): Promise<boolean> {
  return (await stat(file).catch(ignoreGone)) !== undefined;
}

function ignoreGone(error: unknown): undefined {
  if (systemCode(error) !== "ENOENT") throw error;
}
