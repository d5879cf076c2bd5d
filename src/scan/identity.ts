import fs from "node:fs/promises";
import type { BookDraft } from "../domain/book.ts";
import type { KnownBook, ScanCatalogue, UnitBook } from "../domain/catalogue.ts";
import { isSameFile } from "./signature.ts";
import { joinPath } from "./walk-place.ts";
import { diskLost, isDiskLost, isNotThere } from "./walk-problems.ts";

type Lookup = Pick<ScanCatalogue, "unitBooks" | "booksByFingerprint" | "unitEntries">;

/** Decides which known book a draft is. */
export interface Identities {
  /**
   * Gives each draft of a unit the id of the book that it is: the one at the same path, else one of the same
   * unit with the same content, else one of the root with the same content that is missing or no longer lies
   * where it was. What came to a place whose book was another is the book that it was elsewhere: two books
   * change places and keep their ids. Null for a new book: of two copies that are both there, each is a book.
   */
  assign(unitPath: string, drafts: readonly BookDraft[]): Promise<readonly UnitBook[]>;
  /** To be called when what was assigned has been committed: from then on the catalogue knows it. */
  committed(): void;
}

export function createIdentities(catalogue: Lookup, rootId: string, rootPath: string): Identities {
  /** Ids given out since the last commit: until then the catalogue still shows their books at the old place. */
  const claimed = new Set<string>();

  function claim(book: KnownBook): string {
    claimed.add(book.id);
    return book.id;
  }

  function isFree(book: KnownBook): boolean {
    return !claimed.has(book.id);
  }

  async function findMoved(draft: BookDraft): Promise<KnownBook | undefined> {
    const alike = catalogue.booksByFingerprint(rootId, draft.fingerprint).filter(isFree);
    const missing = alike.find((book) => book.state === "missing");
    if (missing !== undefined) return missing;
    for (const book of alike) if (!(await isStillThere(book))) return book;
    return undefined;
  }

  /** Whether any file of the book lies where it lay, as it was. The folder alone says nothing: a cover may stay. */
  async function isStillThere(book: KnownBook): Promise<boolean> {
    const entries = (catalogue.unitEntries(rootId, book.unitPath) ?? []).filter(
      ({ result }) => result !== null,
    );
    const own = entries.filter(({ file }) => joinPath(book.unitPath, file.name) === book.path);
    for (const { file } of own.length > 0 ? own : entries) {
      const absolute = joinPath(joinPath(rootPath, book.unitPath), file.name);
      const stats = await fs.stat(absolute).catch((error: unknown) => {
        if (isDiskLost(error)) throw diskLost(absolute, error);
        return isNotThere(error) ? null : undefined;
      });
      if (stats === undefined) return true;
      if (
        stats !== null &&
        isSameFile(file, { name: file.name, sizeBytes: stats.size, mtimeMs: stats.mtimeMs })
      ) {
        return true;
      }
    }
    return false;
  }

  return {
    async assign(unitPath, drafts) {
      const known = catalogue.unitBooks(rootId, unitPath);
      const ids = new Map<BookDraft, string>();
      for (const draft of drafts) {
        const same = known.find((book) => book.path === draft.path && isFree(book));
        if (same === undefined) continue;
        const moved = same.fingerprint === draft.fingerprint ? undefined : await findMoved(draft);
        ids.set(draft, claim(moved ?? same));
      }
      for (const draft of drafts) {
        if (ids.has(draft)) continue;
        const renamed = known.find((book) => book.fingerprint === draft.fingerprint && isFree(book));
        const book = renamed ?? (await findMoved(draft));
        if (book !== undefined) ids.set(draft, claim(book));
      }
      return drafts.map((draft) => ({ id: ids.get(draft) ?? null, draft }));
    },
    committed() {
      claimed.clear();
    },
  };
}
