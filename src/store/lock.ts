import { readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { AppError } from "../errors.ts";
import { writeDurably } from "./durable.ts";

export interface DataLock {
  release(): Promise<void>;
}

/** How long the holder may take to write its name beside its lock before it is reported without one. */
const ownerWaitMs = 400;
const ownerPollMs = 50;

/**
 * Takes the data folder for this process, or throws `lock_held` within a second, naming who has it.
 *
 * The lock is SQLite's own on an empty database: an fcntl lock, which the kernel drops with the process however
 * it ends, which containers that share the folder see, and NFS too. (A Unix socket would need a guess whether
 * it is stale, an abstract one is not seen from another container.) It is lost when any descriptor of that file
 * is closed in this process, so nobody but SQLite opens it, and the owner is named in a file of its own.
 */
export async function acquireLock(dataDir: string, now: Date): Promise<DataLock> {
  const ownerFile = path.join(dataDir, "lock.json");
  const database = openExclusively(path.join(dataDir, "lock"));
  if (database === null) throw await lockHeld(dataDir, ownerFile);
  const owner: Owner = { pid: process.pid, host: hostname(), since: now.toISOString() };
  await writeDurably(ownerFile, `${JSON.stringify(owner)}\n`).catch(() => {
    // The lock holds without its owner's name too; on a full disk the start goes on, read-only.
  });
  return {
    release: async () => {
      await rm(ownerFile, { force: true });
      database.close();
    },
  };
}

/** Null where another connection, here or in another process, has it. */
function openExclusively(file: string): DatabaseSync | null {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    // The transaction never writes anything, so it needs no journal file.
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database.close();
    if (error instanceof Error && "errcode" in error && error.errcode === busy) return null;
    throw error;
  }
}

/** SQLITE_BUSY */
const busy = 5;

const ownerSchema = z.object({ pid: z.number(), host: z.string(), since: z.string() });
type Owner = Readonly<z.infer<typeof ownerSchema>>;

async function lockHeld(dataDir: string, ownerFile: string): Promise<AppError> {
  const owner = await readOwner(ownerFile);
  const who = owner === null ? "another process" : nameOf(owner);
  return new AppError(
    "lock_held",
    `${dataDir} is in use by ${who}. Stop that one first, or give this one another data folder.`,
    { details: { ...owner } },
  );
}

function nameOf(owner: Owner): string {
  const host = owner.host === hostname() ? "" : ` on ${owner.host}`;
  return `process ${owner.pid}${host}, since ${owner.since}`;
}

/** The holder may be just starting, and the file still that of a process that is gone. */
async function readOwner(ownerFile: string): Promise<Owner | null> {
  for (let waitedMs = 0; ; waitedMs += ownerPollMs) {
    const owner = await parseOwner(ownerFile);
    if (owner !== null && (owner.host !== hostname() || isAlive(owner.pid))) return owner;
    if (waitedMs >= ownerWaitMs) return null;
    await delay(ownerPollMs);
  }
}

async function parseOwner(ownerFile: string): Promise<Owner | null> {
  try {
    return ownerSchema.parse(JSON.parse(await readFile(ownerFile, "utf8")));
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
