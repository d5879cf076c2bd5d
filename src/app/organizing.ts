import { randomUUID } from "node:crypto";
import path from "node:path";
import type { Config } from "../config/schema.ts";
import type { Operation, OperationRequest, OperationRun } from "../domain/operation.ts";
import {
  coversRootId,
  idleOrganize,
  type LastBatch,
  type OrganizeProgress,
  type Plan,
  type PlannableBook,
  type RootPath,
  type Strategy,
} from "../domain/organize.ts";
import { pictureExtension } from "../domain/picture.ts";
import { parseTemplate } from "../domain/template.ts";
import { AppError } from "../errors.ts";
import type { BatchDeps } from "../organize/batch.ts";
import { createOrganizeRun } from "../organize/organize.ts";
import { createPlan, type PlanRules } from "../organize/plan.ts";
import { recoverBatches, type Unrecovered } from "../organize/recover.ts";
import { expireBatches } from "../organize/retention.ts";
import { createUndoRun, undoable } from "../organize/undo.ts";
import { createVerifyRun } from "../organize/verify.ts";
import type { Store } from "../store/open.ts";
import type { BookNews } from "./announce.ts";
import { type BatchHistory, createBatchHistory } from "./batch-history.ts";
import { booksOfRoots, foundBooks, namedBooks } from "./chosen-books.ts";
import type { LiveSettings } from "./live-settings.ts";
import type { Logger } from "./logger.ts";
import { createProgressView } from "./progress-view.ts";
import { type RootFolder, scopeOf } from "./roots.ts";

interface OrganizingOptions {
  readonly config: Config;
  readonly live: () => LiveSettings;
  readonly store: Pick<Store, "catalogue" | "journals" | "covers">;
  /** The picture that is in a file; null where none is. */
  readonly readPicture: (file: string) => Promise<Uint8Array | null>;
  readonly log: Logger;
  /** Whether that operation has not ended yet. */
  readonly goesOn: (operationId: string) => boolean;
  readonly onProgress: (progress: OrganizeProgress, last: LastBatch | null) => void;
  readonly onBooks: (operationId: string, news: BookNews) => void;
}

/** What an organize is asked to do: some books, those that a search finds, or all that are due. */
interface OrganizeAsked {
  readonly books?: readonly string[] | undefined;
  readonly query?: string | undefined;
  readonly strategy?: Strategy | undefined;
  /** Only covers are put beside books: nothing is moved. */
  readonly coversOnly?: boolean | undefined;
}

interface VerifyAsked {
  /** Null for all roots. */
  readonly folder: RootFolder | null;
  readonly books?: readonly string[] | undefined;
}

interface TouchedFolder {
  readonly rootId: string;
  readonly folder: string;
  /** Something lies there now, or no more, of which the catalogue does not know: it is to be scanned. */
  readonly isNews: boolean;
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
  /** Throws `not_found` for a book that is not known. */
  organizeRequest(what: OrganizeAsked, asked: Asked): Promise<OperationRequest>;
  /** What is due once that scan of an inbox has ended well. */
  autoRequest(scan: Operation): Promise<OperationRequest>;
  /** Throws `not_found` or `conflict` where there is nothing to undo, with the reason. */
  undoRequest(
    what: { readonly operationId?: string | undefined; readonly partial: boolean },
    asked: Asked,
  ): Promise<OperationRequest>;
  /** Throws `not_found` for a book that is not known. */
  verifyRequest(what: VerifyAsked, asked: Asked): Promise<OperationRequest>;
  readonly history: BatchHistory["look"];
  /** Whether the operation had begun to touch files, and all of it was taken back. */
  wasRolledBack(operationId: string): boolean;
  /** Ends what a crash left open; what waits for a disk is answered. */
  recover(): Promise<readonly Unrecovered[]>;
  /** The folders that a batch has put books into, or taken them from; none where it has not ended. */
  touchedBy(operationId: string): Promise<readonly TouchedFolder[]>;
  /** Forgets what is too old to be undone. */
  expire(): Promise<void>;
  /** Says again how far organizing is, with what can be undone by now. */
  publish(): void;
}

/** So many books are named by their own folders; more take all roots. */
const booksWithOwnScopes = 50;

/** Gives organizing what it works with, and tells how far it is. */
export function createOrganizing(options: OrganizingOptions): Organizing {
  const { config, live, store, log, onBooks } = options;
  const { catalogue, journals, covers } = store;
  const history = createBatchHistory(journals, () => live().organize.undo_days);
  let shown = idleOrganize;
  let last = history.last();
  const tell = createProgressView((progress: OrganizeProgress) => {
    shown = progress;
    options.onProgress(progress, last);
  });
  const deps: BatchDeps = {
    journals,
    catalogue,
    settings: () => ({ concurrency: live().organize.concurrency, hashLinks: live().organize.hash_links }),
    now: () => new Date(),
    goesOn: options.goesOn,
    running: new Set(),
    recovering: new Set(),
    newId: randomUUID,
    onBooks: (operationId, outcome) => onBooks(operationId, { ...outcome, missing: [] }),
    warn: (message) => log.warn(message),
  };

  /** An operation whose progress is told, its last value at its end. */
  function told(create: (onProgress: (progress: OrganizeProgress) => void) => OperationRun): OperationRun {
    return async (operation, context) => {
      let newest: OrganizeProgress = { ...idleOrganize, operationId: operation.id };
      const run = create((progress) => {
        newest = progress;
        tell(progress);
      });
      try {
        const summary = await run(operation, context);
        newest = { ...newest, percent: 100 };
        return summary;
      } catch (error) {
        if (!context.signal.aborted) newest = { ...newest, state: "failed" };
        throw error;
      } finally {
        last = history.last();
        const isParked = context.signal.aborted && context.signal.reason === "pause";
        tell(newest.state === "failed" ? newest : { ...newest, state: isParked ? "paused" : "idle" });
      }
    };
  }

  /** Takes the picture out of a track, to be kept among the covers: its name there. */
  async function extractCover({ rootId, path: track }: RootPath): Promise<string> {
    const root = config.roots.find(({ id }) => id === rootId);
    if (root === undefined) throw new AppError("not_found", `There is no root "${rootId}"`);
    const picture = await options.readPicture(path.join(root.path, track));
    const extension = picture === null ? null : pictureExtension(picture);
    if (picture === null || extension === null) {
      throw new AppError("conflict", "no picture that is known is in it any more: scan its folder again");
    }
    return path.basename(await covers.put(picture, extension));
  }

  async function plan(asked: OrganizeAsked, signal: AbortSignal): Promise<Plan> {
    const rules = rulesOf(config, live(), asked);
    return await createPlan({
      books: await booksOf(asked, rules, signal),
      roots: config.roots,
      rules,
      hasOtherBooks: (...args) => catalogue.hasOtherBooks(...args),
      signal,
    });
  }

  async function booksOf(
    { books, query }: OrganizeAsked,
    rules: PlanRules,
    signal: AbortSignal,
  ): Promise<readonly PlannableBook[]> {
    if (books !== undefined) return await namedBooks(catalogue, books, signal);
    if (query !== undefined) return await foundBooks(catalogue, query, signal);
    const due = config.roots.filter(({ kind }) =>
      kind === "inbox" ? rules.covers !== "only" : rules.library || rules.covers !== "no",
    );
    return await booksOfRoots(
      catalogue,
      due.map(({ id }) => id),
      signal,
    );
  }

  /** The folders of these books, or all roots where they are many. Throws `not_found`. */
  async function scopesOf(
    books: readonly string[] | undefined,
    scopeOfBook: (book: PlannableBook) => string,
  ): Promise<readonly string[]> {
    const named = books === undefined ? null : await namedBooks(catalogue, books, neverAborted);
    if (named === null || named.length > booksWithOwnScopes) return config.roots.map(({ id }) => `${id}:/`);
    return named.map(scopeOfBook);
  }

  /** A book of a library goes to any folder of its root. */
  function organizedScope(book: PlannableBook): string {
    const root = config.roots.find(({ id }) => id === book.rootId);
    return root?.kind === "library" ? `${root.id}:/` : ownScope(book);
  }

  return {
    runs: {
      organize: told((onProgress) =>
        createOrganizeRun({
          ...deps,
          roots: config.roots,
          plan: ({ input }, signal) => plan(askedOf(input), signal),
          coversDir: covers.dir,
          extractCover,
          onProgress,
        }),
      ),
      undo: told((onProgress) => createUndoRun({ ...deps, onProgress })),
      verify: told((onProgress) =>
        createVerifyRun({ roots: config.roots, catalogue, now: deps.now, onProgress }),
      ),
    },
    plan,
    async organizeRequest(what, asked) {
      const { books, query, strategy, coversOnly } = what;
      const { destination } = rulesOf(config, live(), what);
      const target = destination === null ? [] : [`${destination.id}:/`];
      return {
        kind: "organize",
        ...asked,
        scopes: unique([...target, ...(await scopesOf(books, organizedScope))]),
        input: {
          books: books ?? null,
          query: query ?? null,
          strategy: strategy ?? null,
          ...(coversOnly === true ? { covers_only: true } : {}),
        },
      };
    },
    async autoRequest({ id, priority }) {
      const { destination } = rulesOf(config, live(), {});
      const target = destination === null ? [] : [`${destination.id}:/`];
      return {
        kind: "organize",
        priority,
        transaction: null,
        scopes: unique([...target, ...config.roots.map(({ id: rootId }) => `${rootId}:/`)]),
        after: [id],
        input: { books: null, query: null, strategy: null, auto: true },
      };
    },
    async undoRequest({ operationId, partial }, asked) {
      const id = operationId ?? history.newestUndoable();
      if (id === null) throw new AppError("not_found", "Nothing was organized that could be undone");
      const batch = undoable(journals, id);
      const [begun] = await journals.read(batch.operationId);
      const roots = begun?.type === "begun" ? begun.roots : [];
      return {
        kind: "undo",
        ...asked,
        scopes: roots
          .filter(({ id: rootId }) => rootId !== coversRootId)
          .map(({ id: rootId }) => `${rootId}:/`),
        input: { batch: batch.operationId, partial },
      };
    },
    async verifyRequest({ folder, books }, asked) {
      const scopes = await scopesOf(books, ownScope);
      return {
        kind: "verify",
        ...asked,
        scopes: unique(folder === null ? scopes : [scopeOf(folder)]),
        reads: unique(folder === null ? scopes : [scopeOf(folder)]),
        input: { root_id: folder?.root.id ?? null, path: folder?.path ?? null, books: books ?? null },
      };
    },
    history: history.look,
    wasRolledBack: (operationId) => journals.batch(operationId)?.state === "rolled_back",
    async recover() {
      const unrecovered = await recoverBatches(deps);
      publish();
      return unrecovered;
    },
    async touchedBy(operationId) {
      const state = journals.batch(operationId)?.state ?? "open";
      const records = state === "open" ? [] : await journals.read(operationId);
      const covered = new Set(
        records.flatMap((record) =>
          record.type === "planned" && record.role === "cover" ? record.bookId : [],
        ),
      );
      return records.flatMap((record): readonly TouchedFolder[] => {
        if (record.type !== "book") return [];
        const { bookId, from, to } = record;
        return [
          { rootId: from.rootId, folder: from.unitPath, isNews: false },
          { rootId: to.rootId, folder: to.unitPath, isNews: covered.has(bookId) },
        ];
      });
    },
    async expire() {
      const { undo_days: undoDays, trash_days: trashDays } = live().organize;
      await expireBatches(deps, { undoDays, trashDays });
      publish();
    },
    publish,
  };

  function publish(): void {
    last = history.last();
    options.onProgress(shown, last);
  }
}

/** Looking books up is short, and nobody can take it back. */
const neverAborted = new AbortController().signal;

function rulesOf(
  config: Config,
  live: LiveSettings,
  { strategy, coversOnly }: Pick<OrganizeAsked, "strategy" | "coversOnly">,
): PlanRules {
  const { organize, writeOut } = live;
  const parsed = parseTemplate(organize.pattern);
  if ("problem" in parsed) throw new AppError("config_invalid", `organize.pattern ${parsed.problem.text}`);
  const libraries = config.roots.filter(({ kind }) => kind === "library");
  const destination =
    organize.destination === null ? libraries[0] : libraries.find(({ id }) => id === organize.destination);
  return {
    template: parsed.template,
    strategy: strategy ?? live.organizeStrategy,
    library: organize.library,
    covers: coversOnly === true ? "only" : writeOut.cover ? "too" : "no",
    destination: destination ?? null,
  };
}

/** As `organizeRequest` wrote it. */
function askedOf(input: Operation["input"]): OrganizeAsked {
  const { books, query, strategy, covers_only } = input as Readonly<{
    books?: readonly string[] | null;
    query?: string | null;
    strategy?: Strategy | null;
    covers_only?: boolean;
  }>;
  return {
    books: books ?? undefined,
    query: query ?? undefined,
    strategy: strategy ?? undefined,
    coversOnly: covers_only,
  };
}

function ownScope({ rootId, unitPath }: PlannableBook): string {
  return `${rootId}:/${unitPath}`;
}

function unique(scopes: readonly string[]): readonly string[] {
  return [...new Set(scopes)];
}
