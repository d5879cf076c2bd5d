import type { Root } from "../domain/book.ts";
import type { BookCatalogue } from "../domain/catalogue.ts";
import type { OperationStore } from "../store/ports.ts";
import type { DiagnosticInputs, StoreFinding } from "./diagnostics.ts";

interface OpenStore {
  readonly catalogue: Pick<BookCatalogue, "totals">;
  readonly operations: Pick<OperationStore, "list">;
  readonly issues: readonly StoreFinding[];
}

type StoreFacts = Pick<
  DiagnosticInputs,
  "knownBooks" | "watchedFolders" | "newestStoredAt" | "storeFindings"
>;

/** Folders of a library per book in it, as measured on real ones: authors and series have folders too. */
const foldersPerBook = 1.3;

/** What the diagnostics want to know from the store. A catalogue that cannot be read knows no books. */
export function storeFacts(store: OpenStore, roots: readonly Root[]): StoreFacts {
  const knownBooks = booksByRoot(store.catalogue);
  const watched = roots.filter((root) => root.watch).map((root) => knownBooks[root.id] ?? 0);
  const newest = store.operations.list({ limit: 1, offset: 0 }).items[0];
  return {
    knownBooks,
    watchedFolders: Math.ceil(watched.reduce((sum, books) => sum + books, 0) * foldersPerBook),
    newestStoredAt: newest?.finishedAt ?? newest?.startedAt ?? newest?.createdAt ?? null,
    storeFindings: store.issues,
  };
}

function booksByRoot(catalogue: OpenStore["catalogue"]): Readonly<Record<string, number>> {
  try {
    const { roots } = catalogue.totals();
    return Object.fromEntries(Object.entries(roots).map(([id, totals]) => [id, totals.books]));
  } catch {
    // Why it cannot be read is among the store's issues.
    return {};
  }
}
