import { readlink, unlink } from "node:fs/promises";
import path from "node:path";
import { type FileFacts, placeText } from "../domain/organize.ts";
import { systemCode } from "../errors.ts";
import { type Found, isSameFile, lookAt, openSource } from "../files/facts.ts";
import { hashFile } from "../files/hash.ts";
import { removeFile } from "../files/remove.ts";
import type { Journal } from "../store/ports.ts";
import type { BatchDeps, Leftover } from "./batch.ts";
import { type BatchRecords, readBatch, type StepRecords } from "./batch-records.ts";
import { absolutePath } from "./batch-roots.ts";
import { createFolderSync } from "./folder-sync.ts";
import { removeMadeFolders } from "./made-folders.ts";

/**
 * Takes back what an uncommitted batch did, by its journal alone, last first; again after a crash in the middle of it.
 * Sources were not touched yet. A file goes only if it is proven to be ours, unchanged, and its source still there;
 * anything else stays and is reported.
 */
export async function rollBack(
  deps: Pick<BatchDeps, "journals" | "now" | "warn">,
  journal: Journal,
  reason: string,
): Promise<readonly Leftover[]> {
  const batch = readBatch(journal.records);
  const leftovers: Leftover[] = [];
  const touched = new Set<string>();
  for (const step of batch.steps.toReversed()) {
    const { place } = step.planned;
    if (place === null) continue;
    touched.add(path.dirname(absolutePath(batch.begun.roots, place.destination)));
    const why = await takeBack(batch, step).catch(messageOf);
    if (why !== null) leftovers.push({ file: place.destination, reason: why });
  }
  const sync = createFolderSync();
  for (const folder of touched) await sync(folder).catch(ignoreGone);
  await removeMadeFolders(batch.begun.roots, batch.folders);
  for (const { file, reason: why } of leftovers) deps.warn(`${placeText(file)} stays where it is: ${why}`);
  await recordEnd(deps, journal, batch, reason);
  return leftovers;
}

/** Why the file stays; null where nothing of it is left. */
export async function takeBack(batch: BatchRecords, step: StepRecords): Promise<string | null> {
  const { place } = step.planned;
  if (place === null) return null;
  const destination = absolutePath(batch.begun.roots, place.destination);
  const source = absolutePath(batch.begun.roots, place.source);
  await removeTemporary(path.join(path.dirname(destination), place.temporaryName));
  const there = await lookAt(destination);
  if (there === null) return null;
  const proof = await ownership(step, there, destination, source);
  if (proof === "theirs") {
    return step.done === null ? null : "it was replaced after it had been placed; it is not ours to remove";
  }
  const problem = proof === "reservation" ? null : await whyKept(proof, step, there, { destination, source });
  if (problem !== null) return problem;
  await removeFile(destination, there.facts);
  return null;
}

type Proof = "theirs" | "link" | "symlink" | "copy" | "reservation";

async function ownership(
  step: StepRecords,
  there: Found,
  destination: string,
  source: string,
): Promise<Proof> {
  const { place } = step.planned;
  if (place === null) return "theirs";
  if (there.kind === "symlink") {
    const isOurs = place.strategy === "symlink" && (await readlink(destination)) === source;
    return isOurs ? "symlink" : "theirs";
  }
  if (there.kind !== "file") return "theirs";
  const made = step.made.find(({ identity }) => isSameFile(identity, there.facts.identity));
  if (made !== undefined)
    return made.as === "reservation" && there.facts.sizeBytes === 0 ? "reservation" : "copy";
  return isSameFile(place.facts.identity, there.facts.identity) ? "link" : "theirs";
}

/** Removing the last place where something can be read is not taking back but losing it. */
async function whyKept(
  proof: Proof,
  { planned, done }: StepRecords,
  there: Found,
  { destination, source }: { readonly destination: string; readonly source: string },
): Promise<string | null> {
  const { place } = planned;
  if (place === null || proof === "symlink") return null;
  const original = await lookAt(source);
  if (original === null) return `its source ${source} is gone, so this is all that is left of it`;
  if (proof === "link") {
    const isStillLinked = isSameFile(there.facts.identity, original.facts.identity);
    return isStillLinked ? null : `its source ${source} is another file by now`;
  }
  const isSourceSame =
    isSameFile(place.facts.identity, original.facts.identity) &&
    place.facts.sizeBytes === original.facts.sizeBytes &&
    place.facts.mtimeNs === original.facts.mtimeNs;
  if (!isSourceSame) return `its source ${source} was changed since`;
  const sha256 = done?.sha256 ?? place.sha256;
  const isUntouched = await holds(destination, there.facts, place.facts, sha256);
  return isUntouched ? null : "it was changed after it had been placed";
}

async function holds(
  destination: string,
  facts: FileFacts,
  recorded: FileFacts,
  sha256: string | null,
): Promise<boolean> {
  if (facts.sizeBytes !== recorded.sizeBytes) return false;
  if (sha256 === null) return facts.mtimeNs === recorded.mtimeNs;
  const { handle } = await openSource(destination);
  try {
    return (await hashFile(handle, { signal: new AbortController().signal })) === sha256;
  } finally {
    await handle.close();
  }
}

/** Its name was made up for this batch and stands in the journal: nobody else has it. */
async function removeTemporary(temporary: string): Promise<void> {
  const there = await lookAt(temporary);
  if (there?.kind === "file") await unlink(temporary);
}

/** A journal that takes nothing any more stays open: the next recovery finds nothing left to do and ends it. */
async function recordEnd(
  deps: Pick<BatchDeps, "journals" | "now" | "warn">,
  journal: Journal,
  { begun, isRolledBack }: BatchRecords,
  reason: string,
): Promise<void> {
  try {
    const at = deps.now().toISOString();
    if (!isRolledBack) await journal.append({ type: "rolled_back", at, reason });
    const batch = deps.journals.batch(begun.operationId);
    if (batch === null) return;
    const { sizeBytes: journalBytes } = journal;
    await deps.journals.put({ ...batch, state: "rolled_back", finishedAt: at, journalBytes });
  } catch (error) {
    deps.warn(`the end of a batch that was rolled back could not be recorded: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function ignoreGone(error: unknown): void {
  if (systemCode(error) !== "ENOENT") throw error;
}
