import { constants } from "node:fs";
import { copyFile, type FileHandle, link, open, rename, symlink, unlink } from "node:fs/promises";
import path from "node:path";
import type { FileFacts, FileIdentity, Method } from "../domain/organize.ts";
import { AppError, systemCode } from "../errors.ts";
import { keepAttributes } from "./attributes.ts";
import { diskError } from "./disk-error.ts";
import { factsOf, isSameFile, isUnchanged, lookAt, notTheSame, openSource } from "./facts.ts";
import { hashFile } from "./hash.ts";
import { loadLibc } from "./libc.ts";

export interface Placing {
  /** Absolute, as `destination`. */
  readonly source: string;
  /** Of the source when it was looked at. */
  readonly facts: FileFacts;
  /** Hex; null where it is not to be compared. */
  readonly sha256: string | null;
  readonly destination: string;
  /** In the destination's folder; known to whoever would clean up after a crash. */
  readonly temporaryName: string;
  readonly method: Method;
  readonly signal: AbortSignal;
  /** Bytes copied, and read again to compare. */
  readonly onBytes: (bytes: number) => void;
  /** A file of ours is there, still empty. Awaited before anything is put into it or its name is taken. */
  readonly onMade: (made: {
    readonly as: "temporary" | "reservation";
    readonly identity: FileIdentity;
  }) => Promise<void>;
}

/** The file systems do not know this way; another may do. */
export class UnsupportedMethod extends Error {
  override readonly name = "UnsupportedMethod";
}

/**
 * Gives one file its place. Never replaces anything: where something lies at the destination it throws `conflict`
 * (details.code `destination_taken`). Throws `conflict` too where the source is not what it was, `UnsupportedMethod`,
 * the signal's reason, and what the disk says; then nothing of it is left. The folder's names are not yet durable.
 */
export async function placeFile(placing: Placing): Promise<FileFacts> {
  switch (placing.method) {
    case "hardlink":
      return await placeLink(placing);
    case "symlink":
      return await placeSymlink(placing);
    default:
      return await placeCopy(placing);
  }
}

async function placeLink(placing: Placing): Promise<FileFacts> {
  const { source, destination, facts } = placing;
  await linkNew(source, destination).catch((error: unknown) => {
    if (linkUnsupported.has(systemCode(error) ?? "")) throw unsupported(placing, error);
    throw diskError(error, "linked", destination);
  });
  const placed = await lookAt(destination);
  if (placed !== null && isSameFile(facts.identity, placed.facts.identity)) return placed.facts;
  // Another file has taken the source's name since: what was just made is our name of it.
  await unlink(destination);
  throw notTheSame(source, "source_changed", "is another file by now");
}

async function placeSymlink(placing: Placing): Promise<FileFacts> {
  const { source, destination } = placing;
  try {
    await symlink(source, destination);
  } catch (error) {
    if (systemCode(error) === "EEXIST") throw taken(destination, error);
    if (linkUnsupported.has(systemCode(error) ?? "")) throw unsupported(placing, error);
    throw diskError(error, "linked", destination);
  }
  return await factsAt(destination);
}

/** A copy or a reflink: made under a temporary name, compared, and only then given its own. */
async function placeCopy(placing: Placing): Promise<FileFacts> {
  const temporary = path.join(path.dirname(placing.destination), placing.temporaryName);
  // Held open: the source's permissions, which the copy gets, may not let us write to it.
  const { handle, identity: made } = await makeEmpty(temporary);
  try {
    await placing.onMade({ as: "temporary", identity: made });
    await fill(placing, temporary, handle);
    placing.signal.throwIfAborted();
    const filled = await lookAt(temporary);
    if (filled === null || !isSameFile(made, filled.facts.identity)) {
      throw new AppError("conflict", `${temporary} was replaced while it was being filled: try again`);
    }
    await publish(placing, temporary, filled.facts);
    return filled.facts;
  } catch (error) {
    await removeOwn(temporary, made);
    throw diskError(error, "placed", placing.destination);
  } finally {
    await handle.close();
  }
}

async function makeEmpty(
  absolute: string,
): Promise<{ readonly handle: FileHandle; readonly identity: FileIdentity }> {
  try {
    const handle = await open(absolute, "wx+", 0o600);
    try {
      return { handle, identity: factsOf(await handle.stat({ bigint: true })).identity };
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (error) {
    throw diskError(error, "made", absolute);
  }
}

async function fill(placing: Placing, temporary: string, to: FileHandle): Promise<void> {
  const { source, facts, sha256, method, signal, onBytes } = placing;
  try {
    await copyFile(source, temporary, method === "reflink" ? constants.COPYFILE_FICLONE_FORCE : 0);
  } catch (error) {
    if (method === "reflink" && reflinkUnsupported.has(systemCode(error) ?? ""))
      throw unsupported(placing, error);
    throw diskError(error, "copied", source);
  }
  onBytes(facts.sizeBytes);
  const { handle: from, facts: now } = await openSource(source);
  try {
    if (!isUnchanged(facts, now))
      throw notTheSame(source, "source_changed", "was changed while it was being copied");
    await keepAttributes(from, to);
    await to.sync();
    if (sha256 !== null && (await hashFile(to, { signal, onBytes })) !== sha256) throw badCopy(source);
  } finally {
    await from.close();
  }
}

function badCopy(source: string): AppError {
  const message = `The copy of ${source} does not hold what the source does: check the disk and its memory. Nothing was replaced.`;
  return new AppError("internal", message, { retryable: true, details: { path: source } });
}

/** Takes the name, if nobody has it. Where there are no hard links, by the kernel's rename that does not replace. */
async function publish(placing: Placing, temporary: string, facts: FileFacts): Promise<void> {
  const { destination } = placing;
  try {
    await linkNew(temporary, destination);
  } catch (error) {
    if (!linkUnsupported.has(systemCode(error) ?? "")) throw error;
    await publishByRename(placing, temporary);
    return;
  }
  const placed = await lookAt(destination);
  if (placed === null || !isSameFile(facts.identity, placed.facts.identity)) throw taken(destination);
  await unlink(temporary);
}

async function publishByRename({ destination, onMade }: Placing, temporary: string): Promise<void> {
  const code = (await loadLibc())?.renameNoReplace(temporary, destination);
  if (code === 0) return;
  if (code === existsErrno) throw taken(destination);
  // Neither links nor that rename: the name is reserved by an empty file of ours, which the rename may replace.
  const { handle, identity: reserved } = await makeEmpty(destination).catch((error: unknown) => {
    if (error instanceof AppError && systemCode(error.cause) === "EEXIST") throw taken(destination, error);
    throw error;
  });
  await handle.close();
  await onMade({ as: "reservation", identity: reserved });
  const there = await lookAt(destination);
  if (there === null || !isSameFile(reserved, there.facts.identity) || there.facts.sizeBytes > 0) {
    throw taken(destination);
  }
  try {
    await rename(temporary, destination);
  } catch (error) {
    await removeOwn(destination, reserved);
    throw error;
  }
}

async function linkNew(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    throw systemCode(error) === "EEXIST" ? taken(to, error) : error;
  }
}

/** Removes what is still the file that was made; that it cannot be removed must not hide why. */
async function removeOwn(absolute: string, made: FileIdentity): Promise<void> {
  try {
    const there = await lookAt(absolute);
    if (there !== null && isSameFile(made, there.facts.identity)) await unlink(absolute);
  } catch {
    // What was thrown before says why; the journal knows the name and cleans up.
  }
}

async function factsAt(absolute: string): Promise<FileFacts> {
  const there = await lookAt(absolute);
  if (there !== null) return there.facts;
  throw new AppError(
    "conflict",
    `${absolute} is gone right after it was made: another program removes files there`,
  );
}

/** EPERM is what Linux says of file systems without links; EMLINK of a file that has all the links it can. */
const linkUnsupported: ReadonlySet<string> = new Set([
  "EXDEV",
  "EPERM",
  "EMLINK",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
]);
const reflinkUnsupported: ReadonlySet<string> = new Set([
  "EXDEV",
  "ENOTSUP",
  "EOPNOTSUPP",
  "EINVAL",
  "ENOTTY",
  "ENOSYS",
  "ETXTBSY",
]);
const existsErrno = 17;

function unsupported({ method, source, destination }: Placing, cause: unknown): UnsupportedMethod {
  return new UnsupportedMethod(`${source} to ${destination} by ${method}`, { cause });
}

function taken(destination: string, cause?: unknown): AppError {
  return new AppError(
    "conflict",
    `Something lies at ${destination} already, and it stays: move it away, or change organize.pattern`,
    { cause, details: { path: destination, code: "destination_taken" } },
  );
}
