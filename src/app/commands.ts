import type { CommandHandlers } from "../bus/commands.ts";
import {
  fieldsFromWire,
  wireBatch,
  wireBook,
  wireBookSummary,
  wireOperation,
  wirePlan,
} from "../bus/wire.ts";
import type { Book, Root } from "../domain/book.ts";
import type { BookQuery } from "../domain/catalogue.ts";
import type { Diagnostics } from "../domain/diagnostic.ts";
import type { Operation, OperationKind, OperationRequest } from "../domain/operation.ts";
import { AppError } from "../errors.ts";
import type { QueryAnswer } from "../library/queries.ts";
import type { Queue } from "../queue/port.ts";
import type { Catalogue } from "../store/ports.ts";
import type { Organizing } from "./organizing.ts";
import { type RootFolder, resolveFolder, scopeOf } from "./roots.ts";

interface CommandParts {
  readonly roots: readonly Root[];
  readonly isOnline: (rootId: string) => boolean;
  readonly queue: Pick<Queue, "enqueue" | "cancel" | "list">;
  readonly catalogue: Pick<Catalogue, "book" | "setFields" | "historyOf">;
  readonly query: (query: BookQuery) => QueryAnswer;
  readonly findOperation: (id: string) => Operation | null;
  /** Operations that this transaction has asked for already. */
  readonly operationsOf: (transaction: string) => readonly Operation[];
  readonly diagnose: () => Promise<Diagnostics>;
  readonly reload: () => { readonly applied: readonly string[]; readonly needsRestart: readonly string[] };
  readonly onBookSet: (book: Book) => void;
  readonly organizing: Pick<
    Organizing,
    "plan" | "organizeRequest" | "undoRequest" | "verifyRequest" | "history"
  >;
}

/** What each command of the contract does. */
export function createHandlers(parts: CommandParts): CommandHandlers {
  const { queue, catalogue } = parts;
  return {
    scan: {
      run: async ({ root, path, force }, { transaction, priority }) => {
        // After a crash between the queue's record and the command's, the operations are there already.
        const known = transaction === null ? [] : parts.operationsOf(transaction);
        const operationIds: string[] = [];
        for (const folder of await foldersToScan(parts, root, path)) {
          const scope = scopeOf(folder);
          const earlier = known.find(({ kind, scopes }) => kind === "scan" && scopes[0] === scope);
          const { id } =
            earlier ?? (await queue.enqueue(scanRequest(folder, { force, priority, transaction })));
          operationIds.push(id);
        }
        return { operationIds: [...new Set(operationIds)] };
      },
    },
    organize: {
      run: async ({ books, query, strategy, dry_run }, { transaction, priority }) => {
        const asked = { books, query, strategy };
        if (dry_run) return { data: wirePlan(await parts.organizing.plan(asked, neverAborted)) };
        return await startOnce(parts, "organize", transaction, async () =>
          parts.organizing.organizeRequest(asked, { transaction, priority }),
        );
      },
    },
    undo: {
      run: async ({ operation_id: operationId, partial }, { transaction, priority }) =>
        await startOnce(parts, "undo", transaction, () =>
          parts.organizing.undoRequest({ operationId, partial }, { transaction, priority }),
        ),
    },
    verify: {
      run: async ({ root, path, books }, { transaction, priority }) =>
        await startOnce(parts, "verify", transaction, async () => {
          const isNamed = root !== undefined || path !== undefined;
          const folder = isNamed ? await resolveFolder(parts.roots, root, path) : null;
          // Reading everything again can wait for what somebody waits for.
          const own = priority === "normal" ? "low" : priority;
          return parts.organizing.verifyRequest({ folder, books }, { transaction, priority: own });
        }),
    },
    history: {
      run: async ({ operation_id: operationId, limit, offset }) => {
        const { items, total } = await parts.organizing.history({ operationId, limit, offset });
        const entries = items.map(({ batch, undoableUntil, moves }) =>
          wireBatch(batch, undoableUntil, moves),
        );
        return { data: { items: entries, total } };
      },
    },
    query: {
      run: (input) => {
        const { text, author, series, narrator, state, sort, limit, offset } = input;
        const answer = parts.query({ text, author, series, narrator, state, sort, limit, offset });
        const { total, generation, cached } = answer;
        return { data: { items: answer.items.map(wireBookSummary), total, generation, cached } };
      },
    },
    book: {
      run: ({ id }) => {
        const book = catalogue.book(id);
        if (book === null) throw noBook(id);
        return { data: wireBook(book, historyOf(parts, id)) };
      },
    },
    operations: {
      run: ({ state, limit, offset }) => {
        const { items, total } = queue.list({ limit, offset, ...(state === undefined ? {} : { state }) });
        return { data: { items: items.map(wireOperation), total } };
      },
    },
    cancel: {
      run: async ({ operation_id }) => {
        const { id, state } = await queue.cancel(operation_id);
        return { data: { operation_id: id, state } };
      },
    },
    diagnose: {
      run: async () => {
        const { worst, checks } = await parts.diagnose();
        return { data: { worst, checks } };
      },
    },
    set: {
      run: ({ book: id, fields }) => {
        const book = catalogue.setFields(id, fieldsFromWire(fields));
        parts.onBookSet(book);
        return { data: wireBook(book, historyOf(parts, id)) };
      },
    },
    reload: {
      run: () => {
        const { applied, needsRestart } = parts.reload();
        return { data: { applied: [...applied], needs_restart: [...needsRestart] } };
      },
    },
  };
}

/** A dry run is short, and nobody can take it back: its answer is all that it does. */
const neverAborted = new AbortController().signal;

/** One operation, and the same one where a crash came between the queue's record of it and the command's. */
async function startOnce(
  { queue, operationsOf }: CommandParts,
  kind: OperationKind,
  transaction: string | null,
  request: () => Promise<OperationRequest>,
): Promise<{ readonly operationIds: readonly string[] }> {
  const known = transaction === null ? [] : operationsOf(transaction);
  const operation = known.find((each) => each.kind === kind) ?? (await queue.enqueue(await request()));
  return { operationIds: [operation.id] };
}

export function scanRequest(
  folder: RootFolder,
  asked: Pick<OperationRequest, "priority" | "transaction"> & { readonly force: boolean },
): OperationRequest {
  return {
    kind: "scan",
    priority: asked.priority,
    scopes: [scopeOf(folder)],
    input: { root_id: folder.root.id, path: folder.path, force: asked.force },
    transaction: asked.transaction,
  };
}

/** All roots, or the one folder that was named. Of all roots those that are away are left out, unless all are. */
async function foldersToScan(
  { roots, isOnline }: CommandParts,
  rootId: string | undefined,
  path: string | undefined,
): Promise<readonly RootFolder[]> {
  if (roots.length === 0) {
    throw new AppError(
      "not_found",
      "No roots are configured: add `roots` to the configuration, or start with --library",
    );
  }
  if (rootId !== undefined || path !== undefined) return [await resolveFolder(roots, rootId, path)];
  const online = roots.filter((root) => isOnline(root.id));
  return (online.length === 0 ? roots : online).map((root) => ({ root, path: "" }));
}

function historyOf({ catalogue, findOperation }: CommandParts, bookId: string): readonly Operation[] {
  return catalogue.historyOf(bookId).flatMap((id) => findOperation(id) ?? []);
}

function noBook(id: string): AppError {
  return new AppError("not_found", `There is no book with the id "${id}"`, { details: { book: id } });
}
