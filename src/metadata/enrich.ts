import type {
  Book,
  BookField,
  BookFields,
  MatchCandidate,
  MatchLayer,
  SourceId,
  TakenMatch,
} from "../domain/book.ts";
import { bookFields, composeFields } from "../domain/compose.ts";
import { AppError } from "../errors.ts";
import type { IdKind, Source, SourceBook } from "../plugin.ts";
import type { SourceClient } from "./client.ts";
import { isbn13, type MatchedBook, type Score, scoreMatch } from "./score.ts";
import { searchTitle } from "./title.ts";

export interface MatchBounds {
  /** From this score on a book is taken. */
  readonly threshold: number;
  /** From this score up to the threshold a person decides. */
  readonly review: number;
}

export interface Enriched {
  readonly outcome: "matched" | "review" | "nothing";
  readonly layer: MatchLayer | null;
  /** Names of sources that gave no answer. */
  readonly unavailable: readonly string[];
}

/** As many as a person wants to choose from. */
const mostCandidates = 10;

interface Offer {
  readonly book: SourceBook;
  readonly score: Score;
}

/** What the sources that were asked have said so far. */
interface Said {
  readonly taken: Map<string, { readonly book: SourceBook; readonly match: TakenMatch }>;
  readonly candidates: MatchCandidate[];
  readonly unavailable: string[];
}

/**
 * Asks one source after the other about a book, the one whose word counts most first, and puts together what those say
 * whose book is surely this one. A source that could only repeat what is known is not asked.
 */
export async function enrichBook(
  book: Book,
  clients: readonly SourceClient[],
  bounds: MatchBounds,
): Promise<Enriched> {
  const before = book.layers.match ?? null;
  const own = withoutMatch(book);
  const said: Said = { taken: new Map(), candidates: [], unavailable: [] };
  for (const client of clients) {
    const { name, goodFor } = client.source;
    if (
      isSaid(
        goodFor,
        [...said.taken.values()].map((each) => each.book),
        book,
      )
    )
      continue;
    try {
      const offers = await offersOf(client, own, before, said, bounds);
      judge(name, offers, before, bounds, said);
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      said.unavailable.push(name);
    }
  }
  const layer = mergeLayer(clients, before, said);
  const outcome = said.taken.size > 0 ? "matched" : said.candidates.length > 0 ? "review" : "nothing";
  return { outcome, layer, unavailable: said.unavailable };
}

/** The source says so, or its breaker; anything else thrown is a fault of ours. */
function isUnavailable(error: unknown): boolean {
  if (!(error instanceof AppError)) return false;
  return ["source_unavailable", "rate_limited", "answer_invalid", "address_refused"].includes(error.code);
}

/** What the book itself says, and its user: a match must not be found again for its own sake. */
export function withoutMatch(book: Book): MatchedBook {
  const { match: _, ...layers } = book.layers;
  const { fields } = composeFields(layers);
  return { ...fields, title: fields.title ?? book.title, durationSeconds: book.durationSeconds };
}

/** Ids that can be asked for before anything is known of a book, so that many go in one request. */
export function knownIds(book: MatchedBook, source: Source): readonly (readonly [IdKind, string])[] {
  const ids = { asin: asinOf(book.asin), isbn: isbn13(book.isbn) };
  return (["asin", "isbn"] as const).flatMap((kind) => {
    const id = ids[kind];
    return id !== null && source.looksUp.includes(kind) ? [[kind, id] as const] : [];
  });
}

function asinOf(text: string | null): string | null {
  const bare = text?.trim().toUpperCase() ?? "";
  return /^[A-Z0-9]{10}$/.test(bare) ? bare : null;
}

async function offersOf(
  client: SourceClient,
  own: MatchedBook,
  before: MatchLayer | null,
  said: Said,
  { threshold }: MatchBounds,
): Promise<readonly Offer[]> {
  const { name } = client.source;
  // What a person has chosen is looked up, not searched.
  const chosen = before?.taken?.find(({ source, score }) => source === name && score === null);
  if (chosen !== undefined) {
    const book = await client.lookUp("own", chosen.id);
    return book === null ? [] : [{ book, score: { value: 1, reasons: ["chosen by hand"] } }];
  }
  const found = [...said.taken.values()].map(({ book }) => book.fields);
  const asked: MatchedBook = {
    ...own,
    asin: own.asin ?? firstOf(found, "asin"),
    isbn: own.isbn ?? firstOf(found, "isbn"),
  };
  for (const [kind, id] of knownIds(asked, client.source)) {
    const book = await client.lookUp(kind, id);
    const score = book === null ? null : scoreMatch(asked, book);
    if (book !== null && score !== null && score.value >= threshold) return [{ book, score }];
  }
  const title = searchTitle(
    own.title,
    own.series.map((each) => each.name),
  );
  const offered = await client.search({ title, author: own.authors[0] ?? null });
  return offered
    .map((book) => ({ book, score: scoreMatch(asked, book) }))
    .sort((a, b) => b.score.value - a.score.value);
}

/** Takes the best of what a source offers, or lays it before a person, or neither. */
function judge(
  source: string,
  offers: readonly Offer[],
  before: MatchLayer | null,
  { threshold, review }: MatchBounds,
  said: Said,
): void {
  const isRejected = ({ book }: Offer) =>
    before?.rejected?.some((each) => each.source === source && each.id === book.id) === true;
  const left = offers.filter((offer) => !isRejected(offer));
  const [best] = left;
  if (best !== undefined && best.score.value >= threshold) {
    const isChosen = best.score.reasons[0] === "chosen by hand";
    const match = { source, id: best.book.id, score: isChosen ? null : best.score.value };
    said.taken.set(source, { book: best.book, match });
    return;
  }
  said.candidates.push(
    ...left.filter(({ score }) => score.value >= review).map((offer) => candidateOf(source, offer)),
  );
}

function candidateOf(source: string, { book, score }: Offer): MatchCandidate {
  const { fields, durationSeconds } = book;
  return {
    source,
    id: book.id,
    score: score.value,
    reasons: score.reasons,
    title: fields.title ?? "",
    authors: fields.authors ?? [],
    narrators: fields.narrators ?? [],
    series: fields.series ?? [],
    year: fields.year ?? null,
    durationSeconds,
  };
}

/**
 * Puts together what was taken, in the sources' order. What was taken before and is not found again stays: only a person
 * takes a source's word back, and no field falls to a lower one.
 */
function mergeLayer(
  clients: readonly SourceClient[],
  before: MatchLayer | null,
  { taken, candidates, unavailable }: Said,
): MatchLayer | null {
  const order = clients.map(({ source }) => source.name);
  const isKept = (source: string | undefined) => source !== undefined && !taken.has(source);
  const fields: Record<string, unknown> = {};
  const sources: Partial<Record<BookField | "cover" | "chapters", string>> = {};
  for (const field of bookFields) {
    const now = order.find((name) => !isEmpty(taken.get(name)?.book.fields[field]));
    const then = before?.sources?.[field];
    const isOldBetter = isKept(then) && isBefore(then, now, order);
    if (isOldBetter && before !== null) fields[field] = before[field];
    else if (now !== undefined) fields[field] = taken.get(now)?.book.fields[field];
    else continue;
    sources[field] = isOldBetter ? (then ?? "") : (now ?? "");
  }
  const withCover = order.find((name) => taken.get(name)?.book.coverUrl != null);
  const coverThen = before?.sources?.cover;
  const isOldCover = isKept(coverThen) && isBefore(coverThen, withCover, order);
  const coverUrl = isOldCover
    ? (before?.coverUrl ?? null)
    : (taken.get(withCover ?? "")?.book.coverUrl ?? null);
  const coverSource = isOldCover ? coverThen : withCover;
  if (coverSource !== undefined) sources.cover = coverSource;
  const matches = [
    ...[...taken.values()].map(({ match }) => match),
    ...(before?.taken ?? []).filter(({ source }) => isKept(source)),
  ];
  const isSure = matches.length > 0;
  const oldCandidates = (before?.candidates ?? []).filter(({ source }) => unavailable.includes(source));
  const toChoose = isSure ? [] : [...candidates, ...oldCandidates];
  const rejected = before?.rejected ?? [];
  const guess = before?.guess;
  const former = before?.former;
  if (
    !isSure &&
    toChoose.length === 0 &&
    rejected.length === 0 &&
    guess === undefined &&
    former === undefined
  )
    return null;
  return {
    ...(fields as BookFields),
    sources,
    taken: matches,
    candidates: toChoose.sort((a, b) => b.score - a.score).slice(0, mostCandidates),
    rejected,
    coverUrl,
    coverFile: coverUrl === before?.coverUrl ? (before?.coverFile ?? null) : null,
    ...(guess === undefined ? {} : { guess }),
    ...(former === undefined ? {} : { former }),
  };
}

/** Whether the one's word counts more; a source that is not asked any more counts least. */
function isBefore(one: string | undefined, other: string | undefined, order: readonly string[]): boolean {
  if (one === undefined || other === undefined) return other === undefined;
  const [first, second] = [order.indexOf(one), order.indexOf(other)];
  return first !== -1 && first < second;
}

function isSaid(
  goodFor: readonly (BookField | "cover")[],
  books: readonly SourceBook[],
  { cover }: Pick<Book, "cover">,
): boolean {
  return goodFor.every((field) =>
    field === "cover"
      ? (cover !== null && cover.kind !== "fetched") || books.some((book) => book.coverUrl !== null)
      : books.some((book) => !isEmpty(book.fields[field])),
  );
}

function firstOf(found: readonly BookFields[], field: "asin" | "isbn"): string | null {
  return found.map((fields) => fields[field]).find((value) => value != null) ?? null;
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0)
  );
}

/** The layer of a book for which a person has chosen one of a source's books, or has rejected what was offered. */
export function decidedLayer(
  before: MatchLayer | null,
  decision:
    | { readonly chosen: SourceBook; readonly source: string }
    | { readonly rejected: readonly SourceId[] },
): MatchLayer | null {
  if ("rejected" in decision) {
    const rejected = [...(before?.rejected ?? []), ...decision.rejected];
    const isGone = ({ source, id }: SourceId) =>
      rejected.some((each) => each.source === source && each.id === id);
    const lost = new Set((before?.taken ?? []).filter(isGone).map(({ source }) => source));
    const left = (before?.taken ?? []).filter(({ source }) => !lost.has(source));
    return { ...withoutSources(before, lost), taken: left, candidates: [], rejected };
  }
  const { chosen, source } = decision;
  const said = Object.entries(chosen.fields).filter(([, value]) => !isEmpty(value));
  const names = Object.fromEntries(said.map(([field]) => [field, source]));
  return {
    ...before,
    ...Object.fromEntries(said),
    sources: { ...before?.sources, ...names, ...(chosen.coverUrl === null ? {} : { cover: source }) },
    taken: [
      ...(before?.taken ?? []).filter((each) => each.source !== source),
      { source, id: chosen.id, score: null },
    ],
    candidates: [],
    rejected: (before?.rejected ?? []).filter((each) => each.source !== source || each.id !== chosen.id),
    coverUrl: chosen.coverUrl ?? before?.coverUrl ?? null,
    coverFile:
      chosen.coverUrl === null || chosen.coverUrl === before?.coverUrl ? (before?.coverFile ?? null) : null,
  };
}

function withoutSources(layer: MatchLayer | null, lost: ReadonlySet<string>): MatchLayer {
  const gone = new Set(
    Object.entries(layer?.sources ?? {}).flatMap(([field, source]) => (lost.has(source) ? [field] : [])),
  );
  const left = Object.entries(layer ?? {}).filter(([field]) => !gone.has(field));
  const sources = Object.entries(layer?.sources ?? {}).filter(([field]) => !gone.has(field));
  return {
    ...Object.fromEntries(left),
    sources: Object.fromEntries(sources),
    coverUrl: gone.has("cover") ? null : (layer?.coverUrl ?? null),
    coverFile: gone.has("cover") ? null : (layer?.coverFile ?? null),
  };
}
