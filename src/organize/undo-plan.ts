import { readlink } from "node:fs/promises";
import type { BatchStep } from "../domain/journal.ts";
import {
  type Conflict,
  type ConflictCode,
  type FileFacts,
  placeText,
  type RootPath,
} from "../domain/organize.ts";
import { type Found, isSameFile, isUnchanged, lookAt, openSource } from "../files/facts.ts";
import { hashFile } from "../files/hash.ts";

import type { BatchRecords, StepRecords } from "./batch-records.ts";
import { absolutePath } from "./batch-roots.ts";

export interface UndoPlan {
  readonly steps: readonly BatchStep[];
  /** Files that are no longer as the batch left them; nothing is done for them. */
  readonly refused: readonly Conflict[];
}

export interface UndoLook {
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
}

/**
 * What takes an ended batch back, file by file. Looks only. What the batch placed goes if it is still what was placed
 * and what it was made of is still there; what the batch took away comes back, out of the trash or from its new place.
 */
export async function planUndo(original: BatchRecords, look: UndoLook): Promise<UndoPlan> {
  const steps: BatchStep[] = [];
  const refused: Conflict[] = [];
  for (const step of original.steps) {
    look.signal.throwIfAborted();
    if (step.planned.place === null || step.done === null) continue;
    const planned = await planStep(original, step, look);
    if (planned === null) continue;
    if ("code" in planned) refused.push(planned);
    else steps.push(planned);
  }
  return { steps, refused };
}

async function planStep(
  original: BatchRecords,
  step: StepRecords,
  look: UndoLook,
): Promise<BatchStep | Conflict | null> {
  const { planned, done } = step;
  const { place } = planned;
  if (place === null || done === null) return null;
  const { roots } = original.begun;
  const paths = {
    source: absolutePath(roots, place.source),
    destination: absolutePath(roots, place.destination),
  };
  const there = await lookAt(paths.destination);
  const source = await lookAt(paths.source);
  const refuse = (code: ConflictCode, message: string, at: RootPath = place.destination): Conflict => ({
    bookId: planned.bookId,
    path: at,
    code,
    with: code === "destination_taken" ? placeText(place.source) : null,
    message,
  });
  if (!wasDiscarded(original, step)) {
    if (there === null) return stayStep(step, null);
    const changed = await whyChanged(step, there, paths, look);
    if (changed !== null) return refuse("destination_changed", changed);
    const lost = whyLost(step, source, there, paths);
    if (lost !== null)
      return refuse(source === null ? "source_missing" : "source_changed", lost, place.source);
    return stayStep(step, there.facts);
  }
  const trash = original.ended?.trashed.find(({ n }) => n === planned.n)?.trash ?? null;
  const inTrash = trash === null ? null : await lookAt(absolutePath(roots, trash));
  const kept =
    inTrash !== null && isUnchanged(place.facts, inTrash.facts)
      ? { file: trash, facts: inTrash.facts }
      : null;
  if (there === null && kept === null) {
    const message = `${paths.destination} is gone, and with it what would come back to ${paths.source}. Where a later batch moved it, undo that one first.`;
    return refuse("destination_missing", message);
  }
  if (there !== null) {
    const changed = await whyChanged(step, there, paths, look);
    if (changed !== null) return refuse("destination_changed", changed);
  }
  if (source !== null && !(there !== null && isSameFile(source.facts.identity, there.facts.identity))) {
    const message = `something lies at ${paths.source} by now: move it away, then undo again`;
    return refuse("destination_taken", message, place.source);
  }
  return returnStep(step, there, kept, source !== null);
}

/** The source went with the commit: an undo has to bring it back. */
function wasDiscarded({ ended }: BatchRecords, { planned }: StepRecords): boolean {
  const isKept = ended?.kept.some(({ n }) => n === planned.n) ?? false;
  return !isKept && planned.removes.some(({ how }) => how === "discard");
}

/** The source never went: only what was placed goes, where it still is. */
function stayStep({ planned, done }: StepRecords, facts: FileFacts | null): BatchStep | null {
  const { place } = planned;
  if (place === null || done === null) return null;
  return {
    bookId: planned.bookId,
    role: planned.role,
    place: null,
    removes: facts === null ? [] : [{ file: place.destination, facts, how: "unlink" }],
    // A cover came from where the catalogue knows of no file: there is nothing to tell it.
    relocates:
      planned.relocates === null
        ? null
        : {
            from: place.destination,
            to: place.source,
            there: { facts: place.facts, sha256: place.sha256 },
          },
  };
}

function returnStep(
  { planned, done }: StepRecords,
  there: Found | null,
  kept: { readonly file: RootPath | null; readonly facts: FileFacts } | null,
  isBackAlready: boolean,
): BatchStep | null {
  const { place } = planned;
  if (place === null || done === null) return null;
  const from =
    kept?.file != null
      ? { file: kept.file, facts: kept.facts }
      : there === null
        ? null
        : { file: place.destination, facts: there.facts };
  if (from === null) return null;
  const { sha256 } = done;
  return {
    bookId: planned.bookId,
    role: planned.role,
    place: isBackAlready
      ? null
      : {
          source: from.file,
          destination: place.source,
          strategy: "move",
          known: { facts: from.facts, sha256 },
          discardsSource: false,
        },
    removes: [
      ...(there === null ? [] : [{ file: place.destination, facts: there.facts, how: "unlink" } as const]),
      ...(kept?.file == null ? [] : [{ file: kept.file, facts: kept.facts, how: "unlink" } as const]),
    ],
    relocates: {
      from: place.destination,
      to: place.source,
      there: isBackAlready ? { facts: place.facts, sha256 } : null,
    },
  };
}

interface Paths {
  readonly source: string;
  readonly destination: string;
}

/** Why what lies at the destination is no longer what was placed there; null where it is. */
async function whyChanged(
  { done }: StepRecords,
  there: Found,
  { destination, source }: Paths,
  { signal, onBytes }: UndoLook,
): Promise<string | null> {
  if (done === null) return `${destination} was never placed`;
  if (done.method === "symlink") {
    const isOurs = there.kind === "symlink" && (await readlink(destination)) === source;
    return isOurs ? null : `${destination} no longer is the link to ${source} that was placed`;
  }
  if (there.kind !== "file" || !isSameFile(done.facts.identity, there.facts.identity)) {
    return `${destination} is another file than was placed there`;
  }
  const message = `${destination} was changed after it had been placed: it stays, with what was changed`;
  if (done.sha256 === null) return isUnchanged(done.facts, there.facts) ? null : message;
  if (there.facts.sizeBytes !== done.facts.sizeBytes) return message;
  const { handle } = await openSource(destination);
  try {
    return (await hashFile(handle, { signal, onBytes })) === done.sha256 ? null : message;
  } finally {
    await handle.close();
  }
}

/** Why taking away what was placed would lose something; null where the source still holds it. */
function whyLost(
  { planned, done }: StepRecords,
  source: Found | null,
  there: Found,
  paths: Paths,
): string | null {
  const { place } = planned;
  if (place === null || done?.method === "symlink") return null;
  const { destination } = paths;
  if (source === null) return `${paths.source} is gone: ${destination} is all that is left of it and stays`;
  if (done?.method === "hardlink") {
    const isLinked = isSameFile(source.facts.identity, there.facts.identity);
    return isLinked ? null : `${paths.source} is another file by now: ${destination} stays`;
  }
  return isUnchanged(place.facts, source.facts)
    ? null
    : `${paths.source} was changed since: ${destination} stays`;
}
