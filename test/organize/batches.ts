import { randomUUID } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import path from "node:path";
import type { Operation } from "../../src/domain/operation.ts";
import type { Plan, RelocatedFile, Relocation, Strategy } from "../../src/domain/organize.ts";
import type { BatchDeps } from "../../src/organize/batch.ts";
import { createOrganizeRun } from "../../src/organize/organize.ts";
import { createUndoRun } from "../../src/organize/undo.ts";
import { openJournals } from "../../src/store/journals.ts";
import type { JournalStore, StoreIssue } from "../../src/store/ports.ts";
import { untroubled } from "../fixtures/operation.ts";

/** Where books are, as a catalogue would know it: enough to see that it follows. */
class KnownPlaces {
  /** File by file: the place that the catalogue has. */
  readonly files = new Map<string, string>();

  relocate(_operationId: string, relocations: readonly Relocation[]) {
    for (const { files } of relocations) for (const file of files) this.#move(file);
    return { added: [], changed: [], needsReview: [] };
  }

  async flush(): Promise<void> {}

  #move({ from, to }: RelocatedFile): void {
    this.files.delete(`${from.rootId}:/${from.path}`);
    this.files.set(`${to.rootId}:/${to.path}`, to.path);
  }
}

export interface Organizer {
  readonly journals: JournalStore;
  readonly deps: BatchDeps;
  readonly places: KnownPlaces;
  readonly issues: StoreIssue[];
  readonly warnings: string[];
  organize(
    files: Readonly<Record<string, string>>,
    options?: OrganizeOptions,
  ): Promise<Readonly<Record<string, unknown>>>;
  undo(
    batch: string,
    options?: { readonly partial?: boolean; readonly id?: string },
  ): Promise<Readonly<Record<string, unknown>>>;
  close(): Promise<void>;
}

interface OrganizeOptions {
  readonly id?: string;
  readonly strategy?: Strategy;
  readonly signal?: AbortSignal;
}

/** Organizes `inbox/…` to `library/…` below a folder, with a journal in `data`; the library may lie elsewhere. */
export async function openOrganizer(
  folder: string,
  libraryPath = path.join(folder, "library"),
): Promise<Organizer> {
  const roots = { inbox: path.join(folder, "inbox"), books: libraryPath };
  const data = path.join(folder, "data");
  for (const made of [...Object.values(roots), data]) await mkdir(made, { recursive: true });
  const issues: StoreIssue[] = [];
  const warnings: string[] = [];
  const journals = await openJournals({
    folder: data,
    now: () => new Date(),
    report: (issue) => issues.push(issue),
    withdraw: () => {},
  });
  const places = new KnownPlaces();
  const deps: BatchDeps = {
    journals,
    catalogue: places,
    settings: () => ({ concurrency: 4, hashLinks: true }),
    goesOn: () => true,
    now: () => new Date(),
    running: new Set(),
    recovering: new Set(),
    newId: randomUUID,
    onBooks: () => {},
    warn: (message) => warnings.push(message),
  };
  const configured = [
    { id: "inbox", path: roots.inbox, kind: "inbox", optional: false, watch: false },
    { id: "books", path: roots.books, kind: "library", optional: false, watch: false },
  ] as const;
  return {
    journals,
    deps,
    places,
    issues,
    warnings,
    organize: async (files, { id = randomUUID(), strategy = "auto", signal } = {}) => {
      const plan = await planOf(roots.inbox, files, strategy);
      const run = createOrganizeRun({
        ...deps,
        roots: configured,
        plan: async () => plan,
        coversDir: path.join(roots.inbox, "../covers"),
        extractCover: async () => {
          throw new Error("no cover is asked for");
        },
        onProgress: () => {},
      });
      return await run(operation(id, {}), {
        signal: signal ?? new AbortController().signal,
        report: () => {},
      });
    },
    undo: async (batch, { partial = false, id = randomUUID() } = {}) => {
      const run = createUndoRun({ ...deps, onProgress: () => {} });
      return await run(operation(id, { batch, partial }), {
        signal: new AbortController().signal,
        report: () => {},
      });
    },
    close: () => journals.close(),
  };
}

/** Each file one move; files of one folder of the inbox are one book. */
async function planOf(
  inbox: string,
  files: Readonly<Record<string, string>>,
  strategy: Strategy,
): Promise<Plan> {
  const books = new Map<string, Plan["books"][number]>();
  for (const [from, to] of Object.entries(files)) {
    const unitPath = path.dirname(from);
    const { size: sizeBytes } = await stat(path.join(inbox, from));
    const move = {
      bookId: unitPath,
      role: "track",
      from: { rootId: "inbox", path: from },
      to: { rootId: "books", path: to },
      sizeBytes,
      removesSource: strategy === "move",
    } as const;
    const known = books.get(unitPath);
    books.set(unitPath, {
      bookId: unitPath,
      title: unitPath,
      from: { rootId: "inbox", path: unitPath, unitPath },
      to: { rootId: "books", path: path.dirname(to), unitPath: path.dirname(to) },
      strategy,
      moves: [...(known?.moves ?? []), move],
    });
  }
  return { books: [...books.values()], conflicts: [], skipped: [], bytesNeeded: 0, bytesFree: 1 };
}

function operation(id: string, input: Operation["input"]): Operation {
  return {
    id,
    kind: "organize",
    priority: "normal",
    scopes: ["books:/"],
    input,
    transaction: null,
    state: "running",
    percent: null,
    attempts: 1,
    createdAt: "2026-01-01T00:00:00.000Z",
    startedAt: null,
    finishedAt: null,
    error: null,
    ...untroubled,
    summary: null,
  };
}
