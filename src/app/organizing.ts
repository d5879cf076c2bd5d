import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import type { Config } from "../config/schema.ts";
import type { BatchRecord, JournalRecord } from "../domain/journal.ts";
import type { Operation, OperationRequest, OperationRun } from "../domain/operation.ts";
import type {
  LastBatch,
  OrganizeProgress,
  Plan,
  PlannableBook,
  RootPath,
  Strategy,
} from "../domain/organize.ts";
import { parseTemplate } from "../domain/template.ts";
import { AppError } from "../errors.ts";
import type { BatchDeps } from "../organize/batch.ts";
import { createOrganizeRun } from "../organize/organize.ts";
import { createPlan, type PlanRules } from "../organize/plan.ts";
import { recoverBatches, type Unrecovered } from "../organize/recover.ts";
import { expireBatches, undoableUntilMs } from "../organize/retention.ts";
import { createUndoRun, undoable } from "../organize/undo.ts";
import { createVerifyRun } from "../organize/verify.ts";
import type { Store } from "../store/open.ts";
import type { BookNews } from "./announce.ts";
import type { LiveSettings } from "./live-settings.ts";
import type { Logger } from "./logger.ts";
import { type RootFolder, scopeOf } from "./roots.ts";

interface OrganizingOptions {
  readonly config: Config;
  readonly live: () => LiveSettings;
  readonly store: Pick<Store, "catalogue" | "journals">;
  readonly log: Logger;
  readonly onProgress: (progress: OrganizeProgress) => void;
  readonly onBooks: (operationId: string, news: BookNews) => void;
}

/** What an organize is asked to do: some books, those that a search finds, or all that are due. */
interface OrganizeAsked {
  readonly books?: readonly string[] | undefined;
  readonly query?: string | undefined;
  readonly strategy?: Strategy | undefined;
}

type Asked = Pick<OperationRequest, "priority" | "transaction">;

export interface Organizing {
  readonly runs: {
    readonly organize: OperationRun;
    readonly undo: OperationRun;
    readonly verify: OperationRun;
  };
  /** What an organize would do now. Throws `not_found` for a book that is not known. */
  plan(asked: OrganizeAsked, signal: AbortSignal): Promise<Plan>;
  organizeRequest(what: OrganizeAsked, asked: Asked): OperationRequest;
  /** Throws `not_found` or `conflict` where there is nothing to undo, with the reason. */
  undoRequest(
    what: { readonly operationId?: string | undefined; readonly partial: boolean },
    asked: Asked,
  ): Promise<OperationRequest>;
  verifyRequest(
    what: { readonly folder: RootFolder | null; readonly books?: readonly string[] | undefined },
    asked: Asked,
  ): OperationRequest;
  /** What each batch did, newest first. */
  history(what: {
    readonly operationId?: string | undefined;
    readonly limit: number;
    readonly offset: number;
  }): Promise<{
    readonly items: readonly BatchEntry[];
    readonly total: number;
  }>;
  /** The newest batch that can be looked back on; null where there is none. */
  lastBatch(): LastBatch | null;
  /** Ends what a crash left open; what waits for a disk is answered. */
  recover(): Promise<readonly Unrecovered[]>;
  expire(): Promise<void>;
  publishIdle(): void;
}

/** A batch as people look back on it. */
interface BatchEntry {
  readonly batch: BatchRecord;
  readonly undoableUntil: string | null;
  /** From where to where, where one batch is asked for. */
  readonly moves?: readonly { readonly from: RootPath; readonly to: RootPath }[];
}

/** So many books are planned by name, each with its own folders as scopes; more take their roots as a whole. */
const booksWithOwnScopes = 50;
const page = 200;

/** Gives organizing what it works with. */
export function createOrganizing(options: OrganizingOptions): Organizing {
  const { config, live, store, log, onProgress, onBooks } = options;
  const { catalogue, journals } = store;
  const deps: BatchDeps = {
    journals,
    catalogue,
    settings: () => ({ concurrency: live().organize.concurrency, hashLinks: live().organize.hash_links }),
    now: () => new Date(),
    newId: randomUUID,
    onBooks: (operationId, outcome) => onBooks(operationId, { ...outcome, missing: [] }),
    warn: (message) => log.warn(message),
  };
  const organize = createOrganizeRun({
    ...deps,
    roots: config.roots,
    plan: ({ input }, signal) => plan(askedOf(input), signal),
    onProgress,
  });
  const undo = createUndoRun({ ...deps, onProgress });
  const verify = createVerifyRun({ roots: config.roots, catalogue, now: deps.now, onProgress });

  async function plan(asked: OrganizeAsked, signal: AbortSignal): Promise<Plan> {
    const rules = rulesOf(config, live(), asked.strategy);
    const books = await booksOf(asked, rules, signal);
    return await createPlan({
      books,
      roots: config.roots,
      rules,
      hasOtherBooks: (...args) => catalogue.hasOtherBooks(...args),
      signal,
    });
  }

  async function booksOf(
    asked: OrganizeAsked,
    rules: PlanRules,
    signal: AbortSignal,
  ): Promise<PlannableBook[]> {
    if (asked.books !== undefined) return asked.books.map(knownBook);
    if (asked.query !== undefined) return (await found(asked.query, signal)).map(knownBook);
    const books: PlannableBook[] = [];
    for (const { id: rootId, kind } of config.roots) {
      if (kind === "library" && !rules.library) continue;
      let after: string | null = null;
      for (;;) {
        const ids = catalogue.booksOfRoot(rootId, after, page);
        for (const id of ids) books.push(knownBook(id));
        after = ids.at(-1) ?? null;
        if (ids.length < page) break;
        signal.throwIfAborted();
        await turn();
      }
    }
    return books;
  }

  async function found(text: string, signal: AbortSignal): Promise<readonly string[]> {
    const ids: string[] = [];
    for (;;) {
      const { items, total } = catalogue.query({ text, limit: page, offset: ids.length });
      ids.push(...items.map(({ id }) => id));
      if (items.length === 0 || ids.length >= total) return ids;
      signal.throwIfAborted();
      await turn();
    }
  }

  function knownBook(id: string): PlannableBook {
    const book = catalogue.plannableBook(id);
    if (book !== null) return book;
    throw new AppError("not_found", `There is no book with the id "${id}"`, { details: { book: id } });
  }

  /** Where it puts something first, then what it takes from. */
  function scopesOf(asked: OrganizeAsked): readonly string[] {
    const { destination } = rulesOf(config, live(), asked.strategy);
    const target = destination === null ? [] : [`${destination.id}:/`];
    const named = asked.books?.map(knownBook) ?? [];
    if (asked.books !== undefined && named.length <= booksWithOwnScopes) {
      return unique([...target, ...named.map(({ rootId, unitPath }) => `${rootId}:/${unitPath}`)]);
    }
    return unique([...target, ...config.roots.map(({ id }) => `${id}:/`)]);
  }

  function newest(isAsked: (state: BatchRecord["state"]) => boolean): BatchRecord | undefined {
    return journals.batches().find(({ kind, state }) => kind === "organize" && isAsked(state));
  }

  function undoableUntil(batch: BatchRecord): string | null {
    if (batch.kind !== "organize" || !isUndoable(batch.state)) return null;
    const untilMs = undoableUntilMs(batch, live().organize.undo_days);
    return untilMs === null ? null : new Date(untilMs).toISOString();
  }

  return {
    runs: { organize, undo, verify },
    plan,
    organizeRequest: (what, asked) => ({
      kind: "organize",
      ...asked,
      scopes: scopesOf(what),
      input: { books: what.books ?? null, query: what.query ?? null, strategy: what.strategy ?? null },
    }),
    async undoRequest({ operationId, partial }, asked) {
      const id = operationId ?? newest(isUndoable)?.operationId;
      if (id === undefined) throw new AppError("not_found", "Nothing was organized that could be undone");
      const batch = undoable(journals, id);
      const [begun] = await journals.read(batch.operationId);
      const roots = begun?.type === "begun" ? begun.roots : [];
      return {
        kind: "undo",
        ...asked,
        scopes: roots.map(({ id: rootId }) => `${rootId}:/`),
        input: { batch: batch.operationId, partial },
      };
    },
    verifyRequest: ({ folder, books }, asked) => ({
      kind: "verify",
      ...asked,
      scopes: folder === null ? config.roots.map(({ id }) => `${id}:/`) : [scopeOf(folder)],
      input: { root_id: folder?.root.id ?? null, path: folder?.path ?? null, books: books ?? null },
    }),
    async history({ operationId, limit, offset }) {
      if (operationId === undefined) {
        const all = journals.batches();
        const items = all.slice(offset, offset + limit);
        return {
          items: items.map((batch) => ({ batch, undoableUntil: undoableUntil(batch) })),
          total: all.length,
        };
      }
      const batch = journals.batch(operationId);
      if (batch === null)
        throw new AppError("not_found", `No batch ${operationId} is known, or it has expired`);
      const moves = batch.state === "open" ? [] : movesOf(await journals.read(operationId));
      return { items: [{ batch, undoableUntil: undoableUntil(batch), moves }], total: 1 };
    },
    lastBatch() {
      const batch = newest(isLookedBackOn);
      if (batch === undefined || batch.finishedAt === null) return null;
      const { operationId, finishedAt, books, files } = batch;
      return { operationId, finishedAt, books, files, undoableUntil: undoableUntil(batch) };
    },
    recover: () => recoverBatches(deps),
    expire: () => {
      const { undo_days: undoDays, trash_days: trashDays } = live().organize;
      return expireBatches(deps, { undoDays, trashDays });
    },
    publishIdle: () => onProgress(idleOrganize),
  };
}

function isUndoable(state: BatchRecord["state"]): boolean {
  return state === "ended" || state === "partly_undone";
}

function isLookedBackOn(state: BatchRecord["state"]): boolean {
  return isUndoable(state) || state === "undone";
}

function rulesOf(config: Config, live: LiveSettings, strategy: Strategy | undefined): PlanRules {
  const { organize } = live;
  const parsed = parseTemplate(organize.pattern);
  if ("problem" in parsed) throw new AppError("config_invalid", `organize.pattern ${parsed.problem.text}`);
  const libraries = config.roots.filter(({ kind }) => kind === "library");
  const destination =
    organize.destination === null ? libraries[0] : libraries.find(({ id }) => id === organize.destination);
  return {
    template: parsed.template,
    strategy: strategy ?? live.organizeStrategy,
    library: organize.library,
    destination: destination ?? null,
  };
}

/** As `organizeRequest` wrote it. */
function askedOf(input: Operation["input"]): OrganizeAsked {
  const { books, query, strategy } = input as Readonly<{
    books?: readonly string[] | null;
    query?: string | null;
    strategy?: Strategy | null;
  }>;
  return { books: books ?? undefined, query: query ?? undefined, strategy: strategy ?? undefined };
}

function unique(scopes: readonly string[]): readonly string[] {
  return [...new Set(scopes)];
}

function movesOf(records: readonly JournalRecord[]): NonNullable<BatchEntry["moves"]> {
  return records.flatMap((record) =>
    record.type === "planned" && record.relocates !== null ? [record.relocates] : [],
  );
}

/** Nothing is being organized. */
export const idleOrganize: OrganizeProgress = {
  state: "idle",
  operationId: null,
  booksTotal: 0,
  booksDone: 0,
  filesTotal: 0,
  filesDone: 0,
  bytesTotal: 0,
  bytesDone: 0,
  percent: null,
  conflicts: 0,
};
