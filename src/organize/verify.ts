import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import type { Root } from "../domain/book.ts";
import type { OrganizeCatalogue } from "../domain/catalogue.ts";
import { isForNow, type Operation, type OperationRun } from "../domain/operation.ts";
import { type OrganizeProgress, type PlacedFile, placeText } from "../domain/organize.ts";
import { AppError, systemCode } from "../errors.ts";
import { lookAt, mtimeMsOf } from "../files/facts.ts";
import { hashPath } from "../files/hash.ts";

export interface VerifyDeps {
  readonly roots: readonly Root[];
  readonly catalogue: Pick<
    OrganizeCatalogue,
    "placedFiles" | "markRotten" | "forgetPlaced" | "verifyPosition" | "saveVerifyPosition"
  > & { flush(): Promise<void> };
  readonly now: () => Date;
  readonly onProgress: (progress: OrganizeProgress) => void;
}

/** What is counted, and kept over a restart. */
interface Tally {
  files: number;
  bytes: number;
  ok: number;
  changed: number;
  missing: number;
  unreadable: number;
  rotten: number;
  problems: { readonly path: string; readonly code: string; readonly message: string }[];
  elapsedMs: number;
}

/** Behind this file it goes on. */
interface Position {
  readonly rootId: string;
  readonly path: string;
  readonly tally: Tally;
}

type Verdict = "ok" | "changed" | "missing" | "unreadable" | "rotten";

const page = 500;
const shownProblems = 100;
/** What is read again after a crash. */
const saveEveryMs = 2_000;

/**
 * The run of operations of kind `verify`: input `{root_id, path, books}`. Reads organized files one after the other and
 * compares them with what was recorded. A file whose size or time differs was changed by its owner, one that is gone
 * was taken away: both are told once and forgotten. One that looks untouched and holds something else has rotten.
 * Goes on where it was after a restart. Throws `root_unavailable` where a disk is not there.
 */
export function createVerifyRun(deps: VerifyDeps): OperationRun {
  return async (operation, { signal }) => {
    const { catalogue } = deps;
    const stored = catalogue.verifyPosition(operation.id);
    const resumed: Position | null = stored === null ? null : JSON.parse(stored);
    const tally: Tally = resumed?.tally ?? newTally();
    const startedMs = deps.now().getTime() - tally.elapsedMs;
    let savedMs = deps.now().getTime();

    async function save({ rootId, path: at }: PlacedFile): Promise<void> {
      tally.elapsedMs = deps.now().getTime() - startedMs;
      const position: Position = { rootId, path: at, tally };
      catalogue.saveVerifyPosition(operation.id, JSON.stringify(position));
      await catalogue.flush();
      savedMs = deps.now().getTime();
    }

    const rootsSeen = new Map<string, bigint>();
    for (const { root, file } of filesOf(deps, operation, resumed)) {
      if (signal.aborted) {
        if (!isForNow(signal.reason)) catalogue.saveVerifyPosition(operation.id, null);
        signal.throwIfAborted();
      }
      if (!rootsSeen.has(root.id)) rootsSeen.set(root.id, await inodeOf(root));
      const verdict = await judge(root, file, signal);
      // Of a disk that is not there every file seems to be gone.
      if (verdict !== "ok" && (await inodeOf(root)) !== rootsSeen.get(root.id)) throw unavailable(root);
      note(deps, tally, file, verdict);
      deps.onProgress(progressOf(operation.id, tally));
      if (deps.now().getTime() - savedMs >= saveEveryMs) await save(file);
    }
    tally.elapsedMs = deps.now().getTime() - startedMs;
    catalogue.saveVerifyPosition(operation.id, null);
    await catalogue.flush();
    deps.onProgress({ ...progressOf(operation.id, tally), state: "idle", percent: 100 });
    return summaryOf(tally, resumed);
  };
}

function* filesOf(
  { roots, catalogue }: VerifyDeps,
  { input }: Operation,
  resumed: Position | null,
): Generator<{ readonly root: Root; readonly file: PlacedFile }> {
  const {
    root_id,
    path: under,
    books,
  } = input as Readonly<{
    root_id?: string | null;
    path?: string | null;
    books?: readonly string[] | null;
  }>;
  const wanted = books == null ? null : new Set(books);
  const asked = roots.filter(({ id }) => root_id == null || id === root_id);
  const first =
    resumed === null
      ? 0
      : Math.max(
          0,
          asked.findIndex(({ id }) => id === resumed.rootId),
        );
  for (const [index, root] of asked.slice(first).entries()) {
    let after = index === 0 ? (resumed?.path ?? null) : null;
    for (;;) {
      const files = catalogue.placedFiles({ rootId: root.id, under: under ?? "", after, limit: page });
      for (const file of files) if (wanted?.has(file.bookId) ?? true) yield { root, file };
      after = files.at(-1)?.path ?? null;
      if (files.length < page) break;
    }
  }
}

async function judge(root: Root, file: PlacedFile, signal: AbortSignal): Promise<Verdict> {
  const absolute = path.join(root.path, file.path);
  const there = await lookAt(absolute);
  if (there === null) return "missing";
  const { facts } = there;
  if (there.kind === "symlink") return (await isThere(absolute)) ? "ok" : "missing";
  if (facts.sizeBytes !== file.sizeBytes || mtimeMsOf(facts.mtimeNs) !== file.mtimeMs) return "changed";
  try {
    return (await hashPath(absolute, { signal })) === file.sha256 ? "ok" : "rotten";
  } catch (error) {
    signal.throwIfAborted();
    // One bad sector must not keep all that comes behind it from being looked at.
    if (isUnreadable(error)) return "unreadable";
    throw error;
  }
}

function isUnreadable(error: unknown): boolean {
  const code = error instanceof AppError ? error.details?.["errno"] : systemCode(error);
  return typeof code === "string" && ["EACCES", "EPERM", "EIO"].includes(code);
}

async function isThere(absolute: string): Promise<boolean> {
  return await stat(absolute).then(
    () => true,
    () => false,
  );
}

/** Throws `root_unavailable` where the root is not there, or as empty as the place where a disk is mounted. */
async function inodeOf(root: Root): Promise<bigint> {
  try {
    const { ino } = await stat(root.path, { bigint: true });
    if ((await readdir(root.path)).length > 0) return ino;
  } catch (cause) {
    throw unavailable(root, cause);
  }
  throw unavailable(root);
}

function unavailable({ path: rootPath }: Root, cause?: unknown): AppError {
  return new AppError(
    "root_unavailable",
    `The root ${rootPath} is not what it was, or empty: is its disk mounted? Nothing is concluded about its files`,
    { cause, retryable: true, details: { path: rootPath } },
  );
}

function note({ catalogue, now }: VerifyDeps, tally: Tally, file: PlacedFile, verdict: Verdict): void {
  tally.files++;
  tally.bytes += verdict === "ok" || verdict === "rotten" ? file.sizeBytes : 0;
  tally[verdict]++;
  switch (verdict) {
    case "ok":
      catalogue.markRotten(file, null);
      return;
    case "rotten":
      catalogue.markRotten(file, now().toISOString());
      break;
    case "changed":
    case "missing":
      catalogue.forgetPlaced(file);
      break;
    case "unreadable":
      break;
  }
  if (tally.problems.length >= shownProblems) return;
  tally.problems.push({ path: placeText(file), code: verdict, message: messages[verdict] });
}

const messages: Readonly<Record<Exclude<Verdict, "ok">, string>> = {
  changed: "It was changed since it was organized, by its size or its time; it is not watched over any more",
  missing: "It is not there any more",
  unreadable: "It could not be read: check its permissions, and the disk",
  rotten:
    "It looks untouched and holds something else than was organized: the disk or a cable is failing. Restore it from where it came or from a backup",
};

function newTally(): Tally {
  return {
    files: 0,
    bytes: 0,
    ok: 0,
    changed: 0,
    missing: 0,
    unreadable: 0,
    rotten: 0,
    problems: [],
    elapsedMs: 0,
  };
}

function summaryOf(tally: Tally, resumed: Position | null): Readonly<Record<string, unknown>> {
  const { files, bytes, ok, changed, missing, unreadable, rotten, problems, elapsedMs } = tally;
  return {
    files,
    bytes,
    ok,
    changed,
    missing,
    unreadable,
    rotten,
    problem_count: files - ok,
    problems,
    seconds: elapsedMs / 1000,
    resumed_from: resumed === null ? null : placeText(resumed),
  };
}

function progressOf(operationId: string, { files, bytes }: Tally): OrganizeProgress {
  return {
    state: "verifying",
    operationId,
    booksTotal: 0,
    booksDone: 0,
    filesTotal: files,
    filesDone: files,
    bytesTotal: bytes,
    bytesDone: bytes,
    percent: null,
    conflicts: 0,
  };
}
