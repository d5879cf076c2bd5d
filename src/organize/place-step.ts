import path from "node:path";
import type { BatchStep, JournalRecord, JournalRoot, PlannedRemoval } from "../domain/journal.ts";
import type { FileFacts, Method, Strategy } from "../domain/organize.ts";
import { AppError } from "../errors.ts";
import { isUnchanged, openSource } from "../files/facts.ts";
import { makeFolders } from "../files/folders.ts";
import { hashFile } from "../files/hash.ts";
import { placeFile, UnsupportedMethod } from "../files/place.ts";
import type { BatchSettings } from "./batch.ts";
import { absolutePath, parentOf, rootOf } from "./batch-roots.ts";

export interface StepContext {
  readonly roots: readonly JournalRoot[];
  readonly settings: BatchSettings;
  /** Durable when it resolves. */
  readonly journal: (...records: readonly JournalRecord[]) => Promise<void>;
  readonly syncFolder: (absolute: string) => Promise<void>;
  /** Runs what reads or writes whole files, so many at a time as are good for a disk. */
  readonly heavy: <T>(work: () => Promise<T>) => Promise<T>;
  /** Runs one after the other what is given for the same folder, an absolute path. */
  readonly inTurn: (absolute: string, work: () => Promise<void>) => Promise<void>;
  /** Ways that two file systems were found not to know; shared by the batch. */
  readonly unsupported: Set<string>;
  readonly newId: () => string;
  readonly signal: AbortSignal;
  /** Bytes that were hashed or copied. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * One file's way to its place, each thing in the journal before it is done. Throws `conflict` where the source is
 * not what it was or something lies at the destination, and what the disk throws; nothing is replaced, and the
 * source is only read.
 */
export async function placeStep(n: number, step: BatchStep, context: StepContext): Promise<void> {
  const { bookId, role, place, relocates } = step;
  if (place === null) {
    await context.journal({ type: "planned", n, bookId, role, place, removes: step.removes, relocates });
    return;
  }
  const methods = methodsOf(place.strategy);
  const source = absolutePath(context.roots, place.source);
  const destination = absolutePath(context.roots, place.destination);
  const { facts, sha256 } = await context.heavy(() => lookAtSource(source, place.known, methods, context));
  const temporaryName = `.tomekeeper-${context.newId()}.part`;
  const discarded: readonly PlannedRemoval[] = place.discardsSource
    ? [{ file: place.source, facts, how: "discard" }]
    : [];
  await context.journal({
    type: "planned",
    n,
    bookId,
    role,
    place: {
      source: place.source,
      facts,
      sha256,
      destination: place.destination,
      strategy: place.strategy,
      temporaryName,
    },
    removes: [...discarded, ...step.removes],
    relocates,
  });
  await makeParents(step, context);
  const placed = await placeBySome(
    n,
    { source, facts, sha256, destination, temporaryName },
    methods,
    context,
  );
  await context.syncFolder(path.dirname(destination));
  const { method } = placed;
  await context.journal({ type: "done", n, method, facts: placed.facts, sha256: placed.sha256 });
}

/** What is tried for each strategy, in this order. */
function methodsOf(strategy: Strategy): readonly Method[] {
  switch (strategy) {
    case "auto":
      return ["reflink", "hardlink", "copy"];
    case "move":
      return ["hardlink", "copy"];
    default:
      return [strategy];
  }
}

async function lookAtSource(
  source: string,
  known: { readonly facts: FileFacts; readonly sha256: string | null } | null,
  methods: readonly Method[],
  { settings, signal, onBytes }: StepContext,
): Promise<{ readonly facts: FileFacts; readonly sha256: string | null }> {
  const { handle, facts } = await openSource(source);
  try {
    if (known !== null) {
      if (!isUnchanged(known.facts, facts)) throw sourceChanged(source);
      return { facts, sha256: known.sha256 };
    }
    const isLinkedForSure = methods.every((method) => method === "hardlink" || method === "symlink");
    if (isLinkedForSure && !settings.hashLinks) return { facts, sha256: null };
    return { facts, sha256: await hashFile(handle, { signal, onBytes }) };
  } finally {
    await handle.close();
  }
}

async function makeParents(
  { place }: BatchStep,
  { roots, journal, inTurn, syncFolder }: StepContext,
): Promise<void> {
  if (place === null) return;
  const { rootId } = place.destination;
  await makeFolders(rootOf(roots, place.destination).path, parentOf(place.destination).path, {
    inTurn,
    syncFolder,
    onIntent: (made) =>
      journal({
        type: "folder_planned",
        folder: { rootId, path: made },
        atNs: String(BigInt(Date.now()) * 1_000_000n),
      }),
    onMade: (made, identity) => journal({ type: "folder_made", folder: { rootId, path: made }, identity }),
  });
}

interface Placing {
  readonly source: string;
  readonly facts: FileFacts;
  readonly sha256: string | null;
  readonly destination: string;
  readonly temporaryName: string;
}

/** The first way that the file systems know. */
async function placeBySome(
  n: number,
  placing: Placing,
  methods: readonly Method[],
  context: StepContext,
): Promise<{ readonly method: Method; readonly facts: FileFacts; readonly sha256: string | null }> {
  const { signal, onBytes, journal, unsupported } = context;
  const isLink = (method: Method): boolean => method === "hardlink" || method === "symlink";
  for (const [index, method] of methods.entries()) {
    const isLast = index === methods.length - 1;
    const way = `${method} ${placing.facts.identity.dev} ${path.dirname(placing.destination)}`;
    if (!isLast && unsupported.has(way)) continue;
    try {
      const place = (): Promise<FileFacts> =>
        placeFile({
          ...placing,
          method,
          signal,
          onBytes,
          onMade: ({ identity, as }) => journal({ type: "made", n, method, as, identity }),
        });
      const facts = await (isLink(method) ? place() : context.heavy(place));
      return { method, facts, sha256: placing.sha256 };
    } catch (error) {
      if (!(error instanceof UnsupportedMethod)) throw error;
      if (isLast) throw notSupported(method, placing, error);
      unsupported.add(way);
    }
  }
  throw new AppError("internal", `No way is known to place ${placing.destination}`);
}

function sourceChanged(source: string): AppError {
  return new AppError("conflict", `${source} was changed since it was looked at: ask again`, {
    details: { path: source, code: "source_changed" },
  });
}

function notSupported(method: Method, { source, destination }: Placing, cause: unknown): AppError {
  const message = `${source} cannot be placed at ${destination} by ${method}: the file systems do not do that. Use the strategy auto or copy.`;
  return new AppError("conflict", message, {
    cause,
    details: { path: destination, code: "cross_device", with: source },
  });
}
