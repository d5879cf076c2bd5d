import type { CommandHandlers } from "../bus/commands.ts";
import type { CommandData, CommandInput } from "../bus/topics.ts";
import { fieldsFromWire, wireBook, wireBookSummary, wireOperations, wireQueue } from "../bus/wire.ts";
import type { BookQuery, SeriesPlace } from "../domain/catalogue.ts";
import type { Diagnostics } from "../domain/diagnostic.ts";
import type { Operation, OperationRequest } from "../domain/operation.ts";
import { foldText } from "../domain/text.ts";
import { AppError } from "../errors.ts";
import type { QueryAnswer } from "../library/queries.ts";
import { seriesGaps } from "../library/series-gaps.ts";
import type { Queue } from "../queue/port.ts";
import type { Catalogue } from "../store/ports.ts";
import { seriesPlaces } from "../store/series-places.ts";
import { createFetchHandlers, type FetchParts } from "./fetch-commands.ts";
import { createOrganizeHandlers, type OrganizeParts } from "./organize-commands.ts";
import { type RootFolder, resolveFolder, scopeOf } from "./roots.ts";

interface CommandParts extends OrganizeParts, Pick<FetchParts, "fetching" | "sources" | "onBookSet"> {
  readonly isOnline: (rootId: string) => boolean;
  readonly queue: Pick<Queue, "enqueue" | "cancel" | "list" | "pause" | "resume" | "retry" | "snapshot">;
  readonly catalogue: Pick<Catalogue, "book" | "setFields" | "historyOf" | "seriesPlaces">;
  readonly query: (query: BookQuery) => QueryAnswer;
  readonly findOperation: (id: string) => Operation | null;
  readonly diagnose: () => Promise<Diagnostics>;
  readonly reload: () => { readonly applied: readonly string[]; readonly needsRestart: readonly string[] };
  /** Resolves with what is in force then. */
  readonly configure: (settings: CommandInput<"configure">) => Promise<CommandData<"configure">>;
  /** A pause changes the queue's state where it has no operation, too. */
  readonly publishQueue: () => void;
}

const shownGaps = 200;

/** What each command of the contract does. */
export function createHandlers(parts: CommandParts): CommandHandlers {
  const { queue, catalogue } = parts;
  return {
    ...createOrganizeHandlers(parts),
    ...createFetchHandlers({ ...parts, historyOf: (bookId) => historyOf(parts, bookId) }),
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
    query: {
      run: async (input) => {
        const { text, author, series, narrator, state, sort, gaps, limit, offset } = input;
        const answer = parts.query({ text, author, series, narrator, state, sort, limit, offset });
        const { total, generation, cached } = answer;
        const items = answer.items.map(wireBookSummary);
        if (!gaps) return { data: { items, total, generation, cached } };
        const places: SeriesPlace[] = [];
        for await (const page of seriesPlaces(catalogue)) places.push(...placesOf(page, author, series));
        const found = seriesGaps(places).slice(0, shownGaps);
        return { data: { items, total, generation, cached, gaps: found } };
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
        return { data: { items: wireOperations(items), total } };
      },
    },
    cancel: {
      run: async ({ operation_id }) => {
        const wanted = operation_id ?? queue.snapshot().running[0]?.operationId;
        if (wanted === undefined) throw new AppError("not_found", "Nothing runs that could be cancelled");
        const { id, state } = await queue.cancel(wanted);
        return { data: { operation_id: id, state } };
      },
    },
    pause: {
      run: async ({ kind, paused }) => {
        await (paused ? queue.pause(kind) : queue.resume(kind));
        return { data: queueNow(parts) };
      },
    },
    resume: {
      run: async ({ kind }) => {
        await queue.resume(kind);
        return { data: queueNow(parts) };
      },
    },
    retry: {
      run: async ({ operation_id }) => ({ operationIds: [(await queue.retry(operation_id)).id] }),
    },
    configure: {
      run: async (settings) => ({ data: await parts.configure(settings) }),
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

/** Those that the filters of a query name: all of their words are in it. */
function placesOf(
  places: readonly SeriesPlace[],
  author: string | undefined,
  series: string | undefined,
): readonly SeriesPlace[] {
  const has = (text: string | null, wanted: string | undefined) =>
    wanted === undefined || foldText(text ?? "").includes(foldText(wanted));
  return places.filter((place) => has(place.author, author) && has(place.series, series));
}

function queueNow({ queue, publishQueue }: CommandParts): CommandData<"pause"> {
  publishQueue();
  return wireQueue(queue.snapshot());
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
