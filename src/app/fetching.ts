import fastq from "fastq";
import type { Book, MatchLayer, SourceId } from "../domain/book.ts";
import type { CommitOutcome } from "../domain/catalogue.ts";
import type { OperationRequest, OperationRun } from "../domain/operation.ts";
import { AppError, toErrorRecord } from "../errors.ts";
import { withChapters } from "../metadata/chapters.ts";
import type { SourceClient } from "../metadata/client.ts";
import { fetchPicture } from "../metadata/cover.ts";
import { decidedLayer, enrichBook, knownIds, withoutMatch } from "../metadata/enrich.ts";
import { learnSpellings } from "../metadata/spelling.ts";
import type { Store } from "../store/open.ts";
import type { BookNews } from "./announce.ts";
import { foundIds, pagesOfRoots } from "./chosen-books.ts";
import type { LiveSettings } from "./live-settings.ts";
import type { Sources } from "./sources.ts";

interface FetchingOptions {
  readonly rootIds: readonly string[];
  readonly live: () => LiveSettings;
  readonly store: Pick<Store, "catalogue" | "answers" | "covers">;
  readonly sources: Sources;
  readonly onBooks: (operationId: string, news: BookNews) => void;
}

interface CoverProblem {
  readonly book: string;
  readonly code: string;
  readonly message: string;
}

interface Wanted {
  readonly books?: readonly string[] | undefined;
  readonly query?: string | undefined;
  readonly sources?: readonly string[] | undefined;
}

export interface Fetching {
  readonly run: OperationRun;
  /** Throws `not_found` for a book or a source that is not known. */
  request(wanted: Wanted, asked: Pick<OperationRequest, "transaction" | "priority">): OperationRequest;
  /** A person's word on which book of a source it is. Throws `not_found`, and `source_unavailable`. */
  choose(bookId: string, chosen: SourceId): Promise<Book>;
  /** It is not that one, or none of those that were offered. Throws `not_found`. */
  reject(bookId: string, rejected: SourceId | null): Book;
}

/** As many are looked at together: their ids go to the sources many at once. */
const pageSize = 200;
/** In an operation's summary; their number is exact. */
const shownProblems = 100;
/** What a call fetches is kept, whoever it was for. */
const neverAborted = new AbortController().signal;

/** Asks sources about books, and keeps what they say. */
export function createFetching({ rootIds, live, store, sources, onBooks }: FetchingOptions): Fetching {
  const { catalogue, answers, covers } = store;

  function bookOrThrow(id: string): Book {
    const book = catalogue.book(id);
    if (book === null) {
      throw new AppError("not_found", `There is no book with the id "${id}"`, { details: { book: id } });
    }
    return book;
  }

  async function chosenIds(input: Wanted, signal: AbortSignal): Promise<readonly string[]> {
    const { books, query } = input;
    if (books !== undefined) return [...new Set(books)];
    if (query !== undefined) return await foundIds(catalogue, query, signal);
    const ids: string[] = [];
    for await (const page of pagesOfRoots(catalogue, rootIds, signal)) ids.push(...page);
    return ids;
  }

  const run: OperationRun = async (operation, { signal, report }) => {
    const startedMs = performance.now();
    const wanted = operation.input as Wanted;
    const clients = sources.chosen(wanted.sources ?? null);
    if (clients.length === 0)
      throw new AppError("not_found", "No source is in use: see `sources` in the configuration");
    const ids = await chosenIds(wanted, signal);
    const counts = {
      books: ids.length,
      matched: 0,
      needs_review: 0,
      not_found: 0,
      unanswered: 0,
      changed: 0,
      covers: 0,
    };
    const unavailable = new Set<string>();
    const coverProblems: CoverProblem[] = [];
    const spellings = await learnSpellings(catalogue);

    async function fetchBook(id: string): Promise<void> {
      signal.throwIfAborted();
      // It may have gone meanwhile.
      const book = catalogue.book(id);
      if (book === null || book.state === "missing") return;
      refuseWhileNoneIsReady(clients);
      const enriched = await untilAborted(enrichBook(book, clients, live().match), signal);
      for (const name of enriched.unavailable) unavailable.add(name);
      // Nobody has said anything: the book is as it was.
      if (enriched.unavailable.length === clients.length) refuseWhileNoneIsReady(clients);
      const spelled = spellings.unify(book, enriched.layer);
      const chaptered =
        spelled === null ? null : await untilAborted(withChapters(book, spelled, clients), signal);
      const layer = await untilAborted(withCover(book, chaptered, coverProblems), signal);
      if (layer?.coverFile != null && !hasOwnCover(book)) counts.covers++;
      const outcome = catalogue.setMatch(id, () => layer, operation.id);
      tell(operation.id, outcome);
      counts.changed += outcome.changed.length;
      if (enriched.outcome === "matched") counts.matched++;
      else if (enriched.outcome === "review") counts.needs_review++;
      else if (enriched.unavailable.length > 0) counts.unanswered++;
      else counts.not_found++;
    }

    let done = 0;
    const pool = fastq.promise<null, string>(async (id) => {
      await fetchBook(id);
      report((++done / ids.length) * 100);
    }, live().fetchConcurrency);
    try {
      for (let at = 0; at < ids.length; at += pageSize) {
        const page = ids.slice(at, at + pageSize);
        await untilAborted(guessTogether(page, operation.id), signal);
        await untilAborted(lookUpTogether(page, clients), signal);
        await Promise.all(page.map((id) => pool.push(id)));
      }
    } finally {
      // What has not begun is not begun for nobody.
      pool.kill();
    }
    await catalogue.flush();
    const seconds = Math.round(performance.now() - startedMs) / 1000;
    return {
      ...counts,
      unavailable: [...unavailable].sort(),
      cover_problem_count: coverProblems.length,
      cover_problems: coverProblems.slice(0, shownProblems),
      seconds,
    };
  };

  /** What no rule understood is read by a parser, where there is one; what it says fills only what is empty. */
  async function guessTogether(page: readonly string[], operationId: string): Promise<void> {
    const { guesser } = sources;
    if (guesser === null) return;
    const books = page.flatMap((id) => catalogue.book(id) ?? []).filter(isRiddle);
    await Promise.all(
      books.map(async ({ id, path }) => {
        // Whatever ails it, the sources are asked with what there is.
        const guess = await guesser.guess(path).catch(() => undefined);
        if (guess === undefined) return;
        tell(
          operationId,
          catalogue.setMatch(id, (match) => ({ ...match, guess }), operationId),
        );
      }),
    );
  }

  /** Fetches the cover of a book that has none. One that is refused is not asked for again for a while. */
  async function withCover(
    book: Book,
    layer: MatchLayer | null,
    problems: CoverProblem[],
  ): Promise<MatchLayer | null> {
    const url = layer?.coverUrl ?? null;
    if (layer === null || url === null || hasOwnCover(book) || layer.coverFile != null) return layer;
    const key = `refused cover ${url}`;
    try {
      const known = answers.get(key, Date.now());
      if (known !== null) throw new AppError("answer_invalid", known);
      const { bytes, extension } = await fetchPicture(sources.http, url, neverAborted);
      return { ...layer, coverFile: await covers.put(bytes, extension) };
    } catch (error) {
      const { code, message, retryable } = toErrorRecord(error);
      problems.push({ book: book.id, code, message });
      if (error instanceof AppError && !retryable) answers.put(key, message, Date.now() + live().notFoundMs);
      return layer;
    }
  }

  /** Asks for the ids that are known already, so that they share requests; the answers are found when a book's turn comes. */
  async function lookUpTogether(page: readonly string[], clients: readonly SourceClient[]): Promise<void> {
    const books = page.flatMap((id) => catalogue.book(id) ?? []).map(withoutMatch);
    await Promise.all(
      clients.flatMap((client) =>
        books.flatMap((book) =>
          knownIds(book, client.source)
            .filter(([kind]) => client.source.many?.kinds.includes(kind))
            // A source that fails is met again by each book.
            .map(([kind, id]) => client.lookUp(kind, id).catch(() => null)),
        ),
      ),
    );
  }

  function tell(operationId: string, { changed, needsReview }: CommitOutcome): void {
    if (changed.length > 0) onBooks(operationId, { added: [], changed, missing: [], needsReview });
  }

  return {
    run,
    request: ({ books, query, sources: names }, { transaction, priority }) => {
      for (const id of books ?? []) bookOrThrow(id);
      sources.chosen(names ?? null);
      return {
        kind: "fetch",
        priority,
        // It touches no file and waits for no other work.
        scopes: [],
        input: {
          ...(books === undefined ? {} : { books }),
          ...(query === undefined ? {} : { query }),
          ...(names === undefined ? {} : { sources: names }),
        },
        transaction,
      };
    },
    choose: async (bookId, { source, id }) => {
      bookOrThrow(bookId);
      const [client] = sources.chosen([source]);
      const found = await client?.lookUp("own", id);
      if (found == null) {
        throw new AppError("not_found", `${source} knows no book with the id "${id}"`, {
          details: { source, id },
        });
      }
      catalogue.setMatch(bookId, (before) => decidedLayer(before, { chosen: found, source }), null);
      const book = bookOrThrow(bookId);
      const { match } = book.layers;
      if (match === undefined) return book;
      const layer = await withChapters(book, match, sources.chosen(null));
      catalogue.setMatch(bookId, () => layer, null);
      return bookOrThrow(bookId);
    },
    reject: (bookId, rejected) => {
      const { match } = bookOrThrow(bookId).layers;
      const all = (match?.candidates ?? []).map(({ source, id }) => ({ source, id }));
      const said = rejected === null ? all : [rejected];
      if (said.length === 0) {
        throw new AppError(
          "conflict",
          `Book "${bookId}" has no candidates: name the source and the id of what it is not`,
        );
      }
      catalogue.setMatch(bookId, (before) => decidedLayer(before, { rejected: said }), null);
      return bookOrThrow(bookId);
    },
  };
}

/** One beside it, or in one of its tracks. */
function hasOwnCover({ cover }: Book): boolean {
  return cover !== null && cover.kind !== "fetched";
}

/** Whether nothing was understood of its name, and nobody has offered anything yet. */
function isRiddle({ state, layers: { match } }: Book): boolean {
  return state === "needs_review" && match?.guess === undefined && (match?.candidates ?? []).length === 0;
}

/** While nobody can be asked the whole operation waits, and no book is called unknown for it. */
function refuseWhileNoneIsReady(clients: readonly SourceClient[]): void {
  if (clients.some((client) => client.isReady())) return;
  const times = clients.flatMap((client) => client.snapshot().nextProbeAt ?? []).sort();
  const names = clients.map(({ source }) => source.name).join(", ");
  throw new AppError("source_unavailable", `None of the sources can be asked now: ${names}`, {
    retryable: true,
    details: { sources: names, ...(times[0] === undefined ? {} : { retry_at: times[0] }) },
  });
}

/** A call that others share is not cut for one that does not want it any more: only the waiting ends. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
    work.catch(() => {});
  }
}
