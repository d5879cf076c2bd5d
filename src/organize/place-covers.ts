import path from "node:path";
import type { BatchStep, JournalRoot } from "../domain/journal.ts";
import { type BookMove, coversRootId, type Move, placeText } from "../domain/organize.ts";
import { toErrorRecord } from "../errors.ts";
import { lookAt } from "../files/facts.ts";
import { absolutePath } from "./batch-roots.ts";
import { ownSidecarsIn } from "./own-sidecars.ts";

/** Gives the picture that is in a track a file of its own among the covers: its name there. Throws where that fails. */
export type ExtractCover = (track: Move["from"]) => Promise<string>;

export interface PlacedCovers {
  readonly books: readonly BookMove[];
  /** Covers that cannot be had; their books are put in order all the same. */
  readonly problems: readonly { readonly book: string; readonly message: string }[];
}

/**
 * Makes files of the covers that a plan wants. One that cannot be had is left out, and one for which there is
 * something at its place by now; a book of which nothing else was wanted then goes, too. Throws the signal's reason.
 */
export async function placeableCovers(
  books: readonly BookMove[],
  roots: readonly JournalRoot[],
  extract: ExtractCover,
  signal: AbortSignal,
): Promise<PlacedCovers> {
  const problems: PlacedCovers["problems"][number][] = [];
  const placeable: BookMove[] = [];
  for (const book of books) {
    const cover = book.moves.find(({ role }) => role === "cover");
    if (cover === undefined) {
      placeable.push(book);
      continue;
    }
    signal.throwIfAborted();
    const made = await coverFile(cover, roots, extract).catch((error: unknown) => {
      const { message } = toErrorRecord(error);
      problems.push({ book: book.bookId, message: `${placeText(cover.from)}: ${message}` });
      return null;
    });
    const others = book.moves.filter((move) => move !== cover);
    const moves = made === null ? others : [...others, made];
    if (moves.length > 0) placeable.push({ ...book, moves });
  }
  return { books: placeable, problems };
}

/** Null where something lies where it would go. */
async function coverFile(
  cover: Move,
  roots: readonly JournalRoot[],
  extract: ExtractCover,
): Promise<Move | null> {
  const name = cover.from.rootId === coversRootId ? cover.from.path : await extract(cover.from);
  const folder = path.posix.dirname(cover.to.path);
  const to = { ...cover.to, path: `${folder}/cover${path.posix.extname(name)}` };
  const there = await lookAt(absolutePath(roots, to));
  return there === null ? { ...cover, from: { rootId: coversRootId, path: name }, to } : null;
}

/**
 * What we wrote beside these books at `from` goes with the commit; beside them at their new place it is written anew.
 * Of a book that has no folder of its own there is nothing.
 */
export async function ownSidecarSteps(
  roots: readonly JournalRoot[],
  books: readonly { readonly bookId: string; readonly from: Move["from"]; readonly hasFolder: boolean }[],
): Promise<readonly BatchStep[]> {
  const steps: BatchStep[] = [];
  for (const { bookId, from, hasFolder } of books) {
    if (!hasFolder || from.path === "") continue;
    for (const { name, facts } of await ownSidecarsIn(absolutePath(roots, from))) {
      const file = { rootId: from.rootId, path: `${from.path}/${name}` };
      const removes = [{ file, facts, how: "unlink" }] as const;
      steps.push({ bookId, role: "sidecar", place: null, removes, relocates: null });
    }
  }
  return steps;
}
