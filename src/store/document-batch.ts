import type { RawDocument } from "./document-file.ts";
import { type DocumentKind, type StoredVersion, toRaw } from "./document-versions.ts";

export interface DocumentChange<D> {
  readonly puts?: ReadonlyMap<string, D>;
  readonly removes?: Iterable<string>;
}

/** What a batch of changes writes, and what holds when that is durable; `null` for a document that is removed. */
interface DocumentBatch<D> {
  readonly inserts: readonly RawDocument[];
  readonly removedIds: readonly string[];
  readonly applied: ReadonlyMap<string, StoredVersion<D> | null>;
}

/** Of several changes of a document the last one counts. The versions are those from `firstVersion` on. */
export function planBatch<D>(
  kind: DocumentKind<D>,
  changes: readonly DocumentChange<D>[],
  newest: ReadonlyMap<string, StoredVersion<D>>,
  firstVersion: number,
): DocumentBatch<D> {
  const inserts: RawDocument[] = [];
  const removedIds: string[] = [];
  const applied = new Map<string, StoredVersion<D> | null>();
  for (const [key, document] of lastOfEach(changes)) {
    const before = newest.get(key);
    if (before !== undefined) removedIds.push(before.id);
    if (document === null) {
      applied.set(key, null);
      continue;
    }
    const version = firstVersion + inserts.length;
    const raw = toRaw(kind, key, version, document);
    applied.set(key, { id: raw._id, version, document, migrated: false });
    inserts.push(raw);
  }
  return { inserts, removedIds, applied };
}

/** In the order of the last changes. */
function lastOfEach<D>(changes: readonly DocumentChange<D>[]): ReadonlyMap<string, D | null> {
  const last = new Map<string, D | null>();
  const set = (key: string, document: D | null): void => {
    last.delete(key);
    last.set(key, document);
  };
  for (const change of changes) {
    for (const key of change.removes ?? []) set(key, null);
    for (const [key, document] of change.puts ?? []) set(key, document);
  }
  return last;
}
