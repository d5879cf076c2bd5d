import path from "node:path";
import type { Root } from "../domain/book.ts";
import {
  type BookMove,
  type Conflict,
  coversRootId,
  type Move,
  type Plan,
  type PlannableBook,
  placeText,
  type RootPath,
  type Strategy,
} from "../domain/organize.ts";
import type { Template } from "../domain/template.ts";
import { AppError } from "../errors.ts";
import { hasFolder } from "./own-sidecars.ts";
import { freeBytesAt, type Look, Survey } from "./survey.ts";
import { foldPath, hasOwnFolder, targetOf } from "./target.ts";

export interface PlanRules {
  readonly template: Template;
  readonly strategy: Strategy;
  /** Whether books of library roots are put in order too. */
  readonly library: boolean;
  /** Whether a cover is put beside books that have none there; `only`: nothing else is done. */
  readonly covers: "no" | "too" | "only";
  /** The library root that books of an inbox go to; null where there is none. */
  readonly destination: Root | null;
}

interface PlanInput {
  readonly books: Iterable<PlannableBook>;
  readonly roots: readonly Root[];
  readonly rules: PlanRules;
  /** A book of the catalogue that lies in this folder of the root, or is it, and is none of these. */
  readonly hasOtherBooks: (rootId: string, folder: string, except: ReadonlySet<string>) => boolean;
  readonly signal: AbortSignal;
}

/** Looks at the disk in flight; as many as the walk uses. */
const looksAtOnce = 16;

/**
 * What an organize would do: which of the books are due and where their files go, what stands in the way, and how
 * much space it takes. Nothing is changed. Throws the signal's reason.
 */
export async function createPlan(input: PlanInput): Promise<Plan> {
  const skipped: Plan["skipped"][number][] = [];
  const conflicts: Conflict[] = [];
  const due: BookMove[] = [];
  const staying: BookMove[] = [];
  for (const book of input.books) {
    const move = bookMove(book, input);
    const covered = typeof move === "string" ? coverInPlace(book, input) : null;
    if (typeof move !== "string") due.push(move);
    else if (covered !== null) staying.push(covered);
    else skipped.push({ bookId: book.id, reason: move });
  }
  const apart = withoutSharedFolders(withoutCollisions(due, conflicts), input, conflicts);
  const survey = new Survey(input.roots);
  const writes = new Map<string, { bytes: number; folder: string }>();
  const free: BookMove[] = [];
  for (const book of apart) {
    input.signal.throwIfAborted();
    const looks = await lookAtAll(survey, book);
    const objections = looks.flatMap(({ objection }) => objection ?? []);
    for (const objection of objections) conflicts.push({ bookId: book.bookId, ...objection });
    if (objections.length > 0) continue;
    free.push(book);
    for (const { writes: written } of looks) {
      if (written === null) continue;
      const bytes = (writes.get(written.dev)?.bytes ?? 0) + written.bytes;
      writes.set(written.dev, { bytes, folder: written.folder });
    }
  }
  const books = [...withPlaces(free, input), ...staying];
  return { books, conflicts, skipped, ...(await space(writes, input.rules)) };
}

/** One book's way, or why it has none. */
function bookMove(book: PlannableBook, { roots, rules }: PlanInput): BookMove | string {
  const root = roots.find(({ id }) => id === book.rootId);
  if (root === undefined) return "its root is not configured any more";
  switch (book.state) {
    case "needs_review":
      return `it needs review: ${book.reviewReason ?? "something is missing"}`;
    case "missing":
      return "it is missing";
    case "offline":
      return "its root is offline";
    case "present":
      break;
  }
  if (rules.covers === "only") return "only covers were asked for";
  if (root.kind === "library" && !rules.library) return "it is in the library, and organize.library is off";
  const to = root.kind === "library" ? root : rules.destination;
  if (to === null) return "there is no library root to put it into";
  const strategy = root.kind === "library" ? "move" : rules.strategy;
  const target = targetOf(book, rules.template);
  const moves = target.files
    .filter((file) => root.id !== to.id || file.from !== file.to)
    .map(
      (file): Move => ({
        bookId: book.id,
        role: file.role,
        from: { rootId: root.id, path: file.from },
        to: { rootId: to.id, path: file.to },
        sizeBytes: file.sizeBytes,
        removesSource: strategy === "move",
      }),
    );
  const isInPlace = !moves.some(({ role }) => role === "track");
  if (isInPlace) return "it is where it belongs";
  const place = { rootId: to.id, path: target.folder };
  const cover = hasOwnFolder(rules.template) ? coverMove(book, place, rules) : null;
  return {
    bookId: book.id,
    title: book.title,
    from: { rootId: root.id, path: book.path, unitPath: book.unitPath },
    to: { ...place, unitPath: target.folder },
    strategy,
    moves: cover === null ? moves : [...moves, cover],
  };
}

/** For a book of a library that stays where it is; null where there is nothing to be done. */
function coverInPlace(book: PlannableBook, { roots, rules }: PlanInput): BookMove | null {
  const isInLibrary = roots.some(({ id, kind }) => id === book.rootId && kind === "library");
  if (book.state !== "present" || !isInLibrary || !hasFolder(book)) return null;
  const place = { rootId: book.rootId, path: book.path, unitPath: book.unitPath };
  const cover = coverMove(book, place, rules);
  if (cover === null) return null;
  return { bookId: book.id, title: book.title, from: place, to: place, strategy: "copy", moves: [cover] };
}

/** A picture is looked at only when it is placed: most that are in tracks are JPEG, and another is named as it is then. */
function coverMove(
  { id: bookId, rootId, cover }: PlannableBook,
  folder: RootPath,
  { covers }: PlanRules,
): Move | null {
  if (covers === "no" || cover === null || cover.kind === "file" || folder.path === "") return null;
  const name = path.posix.basename(cover.path);
  const extension = cover.kind === "fetched" ? path.posix.extname(name) : ".jpg";
  return {
    bookId,
    role: "cover",
    from: cover.kind === "fetched" ? { rootId: coversRootId, path: name } : { rootId, path: cover.path },
    to: { rootId: folder.rootId, path: `${folder.path}/cover${extension}` },
    sizeBytes: 0,
    removesSource: false,
  };
}

/** Two books for one path are both left out: nobody can say which of them is meant. */
function withoutCollisions(books: readonly BookMove[], conflicts: Conflict[]): readonly BookMove[] {
  const owners = new Map<string, Set<BookMove>>();
  for (const book of books) {
    for (const { to } of book.moves) {
      const key = foldPath(placeText(to));
      owners.set(key, (owners.get(key) ?? new Set()).add(book));
    }
  }
  const out = new Set<BookMove>();
  for (const book of books) {
    const move = book.moves.find(({ to }) => (owners.get(foldPath(placeText(to)))?.size ?? 0) > 1);
    if (move === undefined) continue;
    const other = [...(owners.get(foldPath(placeText(move.to))) ?? [])].find((each) => each !== book);
    out.add(book);
    conflicts.push({
      bookId: book.bookId,
      path: move.to,
      code: "same_destination",
      with: other?.bookId ?? null,
      message: `"${book.title}" and "${other?.title}" (${placeText(other?.from ?? move.from)}) would both be ${placeText(move.to)}: correct one of them, or make organize.pattern tell them apart`,
    });
  }
  return books.filter((book) => !out.has(book));
}

/** Where each book has a folder of its own, a scan takes all that lies in one for one book. */
function withoutSharedFolders(
  books: readonly BookMove[],
  { rules, hasOtherBooks }: PlanInput,
  conflicts: Conflict[],
): readonly BookMove[] {
  if (!hasOwnFolder(rules.template)) return books;
  const owners = new Map<string, BookMove[]>();
  for (const book of books) {
    const key = foldPath(placeText(book.to));
    owners.set(key, [...(owners.get(key) ?? []), book]);
  }
  const moving = new Set(books.map(({ bookId }) => bookId));
  return books.filter((book) => {
    const other = owners.get(foldPath(placeText(book.to)))?.find((each) => each !== book);
    const isTaken = hasOtherBooks(book.to.rootId, book.to.unitPath, moving);
    if (other === undefined && !isTaken) return true;
    const whose =
      other === undefined ? "another book lies" : `"${other.title}" (${placeText(other.from)}) would lie`;
    conflicts.push({
      bookId: book.bookId,
      path: book.to,
      code: other === undefined ? "destination_taken" : "same_destination",
      with: other?.bookId ?? placeText(book.to),
      message: `${whose} in ${placeText(book.to)} too, and the next scan would take both for one book: correct one of them, or make organize.pattern tell them apart`,
    });
    return false;
  });
}

async function lookAtAll(survey: Survey, { moves, strategy }: BookMove): Promise<readonly Look[]> {
  const looks: Look[] = [];
  const files = moves.filter(({ role }) => role !== "cover");
  for (let from = 0; from < files.length; from += looksAtOnce) {
    looks.push(
      ...(await Promise.all(
        files.slice(from, from + looksAtOnce).map((move) => survey.look(move, strategy)),
      )),
    );
  }
  return looks;
}

/** A book is its folder, or its first file where the folder holds other books too: as a scan will see it. */
function withPlaces(books: readonly BookMove[], { hasOtherBooks }: PlanInput): readonly BookMove[] {
  const moving = new Set(books.map(({ bookId }) => bookId));
  const sharing = new Map<string, number>();
  for (const { to } of books) sharing.set(placeText(to), (sharing.get(placeText(to)) ?? 0) + 1);
  return books.map((book) => {
    const { rootId, unitPath } = book.to;
    const isShared = (sharing.get(placeText(book.to)) ?? 0) > 1 || hasOtherBooks(rootId, unitPath, moving);
    const first = book.moves.find(({ role }) => role === "track");
    if (!isShared || first === undefined) return book;
    const moves = book.moves.filter(({ role }) => role !== "cover");
    return { ...book, to: { ...book.to, path: first.to.path }, moves };
  });
}

async function space(
  writes: ReadonlyMap<string, { readonly bytes: number; readonly folder: string }>,
  { destination }: PlanRules,
): Promise<Pick<Plan, "bytesNeeded" | "bytesFree">> {
  if (writes.size === 0) {
    return { bytesNeeded: 0, bytesFree: destination === null ? 0 : await freeBytesAt(destination.path) };
  }
  let [bytesNeeded, bytesFree, least] = [0, 0, Number.POSITIVE_INFINITY];
  for (const { bytes, folder } of writes.values()) {
    const free = await freeBytesAt(folder);
    // Of several file systems the tightest is said.
    if (free - bytes >= least) continue;
    least = free - bytes;
    [bytesNeeded, bytesFree] = [bytes, free];
  }
  return { bytesNeeded, bytesFree };
}

/** Throws `conflict` where a plan needs more than there is. */
export function refuseWithoutSpace({ bytesNeeded, bytesFree }: Plan): void {
  if (bytesNeeded <= bytesFree) return;
  throw new AppError(
    "conflict",
    `Not enough space: ${bytesNeeded} bytes are needed and ${bytesFree} are free. Free space, organize fewer books at once, or use a strategy that links. Nothing was touched.`,
    { retryable: true, details: { bytes_needed: bytesNeeded, bytes_free: bytesFree } },
  );
}
