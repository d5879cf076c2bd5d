import path from "node:path";
import type { BatchEnded, BatchRecord } from "../domain/journal.ts";
import { placeText, type RootPath } from "../domain/organize.ts";
import { syncFolder } from "../files/sync.ts";
import type { Journal } from "../store/ports.ts";
import type { BatchDeps, Leftover } from "./batch.ts";
import { type BatchRecords, readBatch } from "./batch-records.ts";
import { absolutePath, parentOf, rootOf, upwards } from "./batch-roots.ts";
import { discardSources } from "./discard-sources.ts";
import { foldersNow, restoreFolders } from "./folder-times.ts";
import { removeEmpty, removeMadeFolders } from "./made-folders.ts";
import { relocationsOf } from "./relocations.ts";
import { summaryOf } from "./summary.ts";

export interface CompletedBatch {
  readonly summary: Readonly<Record<string, unknown>>;
  /** Files that stayed where they should have gone. */
  readonly leftovers: readonly Leftover[];
}

/**
 * Does what comes after the commit, by the journal alone and again after a crash in the middle of it: sources go,
 * emptied folders go, the catalogue follows, the batch ends. `afterCrash` reads the placed files again before
 * anything that they were copied from goes.
 */
export async function completeBatch(
  deps: BatchDeps,
  journal: Journal,
  options: { readonly afterCrash: boolean },
): Promise<CompletedBatch> {
  const batch = readBatch(journal.records);
  const { begun } = batch;
  const original = begun.undoes === null ? null : readBatch(await deps.journals.read(begun.undoes));
  const ended = batch.ended ?? (await endBatch(deps, journal, batch, original, options.afterCrash));
  const summary = summaryOf(batch, ended);
  await recordEnd(deps, batch, ended, journal.sizeBytes, summary);
  const leftovers = ended.kept.map(({ file, reason }) => ({ file, reason }));
  for (const { file, reason } of leftovers) deps.warn(`${placeText(file)} stays where it is: ${reason}`);
  return { summary, leftovers };
}

async function endBatch(
  deps: BatchDeps,
  journal: Journal,
  batch: BatchRecords,
  original: BatchRecords | null,
  afterCrash: boolean,
): Promise<BatchEnded> {
  const { kept, trashed } = await discardSources(batch, afterCrash);
  await removeEmptied(batch);
  if (original !== null) await removeMadeFolders(batch.begun.roots, original.folders);
  const outcome = deps.catalogue.relocate(batch.begun.operationId, relocationsOf(batch, kept));
  await deps.catalogue.flush();
  deps.onBooks(batch.begun.operationId, outcome);
  if (original !== null) await restoreFolders(batch, original);
  const ended: BatchEnded = {
    type: "ended",
    at: deps.now().toISOString(),
    kept,
    trashed,
    folders: await foldersNow(batch),
  };
  await journal.append(ended);
  return ended;
}

/** Folders of an inbox that the batch has emptied, and of the trash; the root itself stays. */
async function removeEmptied({ begun, steps }: BatchRecords): Promise<void> {
  const folders = new Map<string, RootPath>();
  for (const { planned } of steps) {
    for (const { file } of planned.removes) {
      if (rootOf(begun.roots, file).kind !== "inbox" && !isInTrash(file)) continue;
      for (const folder of upwards(parentOf(file))) {
        if (folder.path !== "") folders.set(placeText(folder), folder);
      }
    }
  }
  const deepestFirst = [...folders.values()].sort(
    (a, b) => b.path.split("/").length - a.path.split("/").length,
  );
  for (const folder of deepestFirst) {
    const absolute = absolutePath(begun.roots, folder);
    if (await removeEmpty(absolute)) await syncFolder(path.dirname(absolute));
  }
}

function isInTrash(file: RootPath): boolean {
  return file.path.startsWith(".tomekeeper-trash/");
}

async function recordEnd(
  deps: BatchDeps,
  batch: BatchRecords,
  ended: BatchEnded,
  journalBytes: number,
  summary: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { operationId, undoes } = batch.begun;
  const known = deps.journals.batch(operationId);
  if (known === null) return;
  const record: BatchRecord = {
    ...known,
    state: "ended",
    files: Number(summary["files"] ?? 0),
    bytes: Number(summary["bytes"] ?? 0),
    finishedAt: ended.at,
    summary,
    journalBytes,
    hasTrash: ended.trashed.length > 0,
  };
  await deps.journals.put(record);
  const undone = undoes === null ? null : deps.journals.batch(undoes);
  if (undone === null) return;
  const isWhole = ended.kept.length === 0 && summary["conflict_count"] === 0;
  await deps.journals.put({
    ...undone,
    state: isWhole ? "undone" : "partly_undone",
    undoneBy: operationId,
    hasTrash: isWhole ? false : undone.hasTrash,
  });
}
