import type { Operation, OperationState } from "../domain/operation.ts";
import { isEnded, operationStates } from "../domain/operation.ts";
import {
  type Documents,
  isReported,
  openDocuments,
  type StoreFile,
  type StoreFileOptions,
} from "./documents.ts";
import { type OperationDocument, operationDocuments, toDocument, toOperation } from "./operation-document.ts";
import { OperationIndex } from "./operation-index.ts";
import type { OperationStore } from "./ports.ts";

/** Long enough to look up what happened in a season, and to undo what was organized (30 days) well before. */
const endedMaxAgeMs = 90 * 24 * 60 * 60 * 1000;
/** About 10 MB in memory; at a scan per quarter of an hour it is as long as `endedMaxAgeMs`. */
const endedMaxCount = 10_000;
const transactionMaxAgeMs = 24 * 60 * 60 * 1000;

/** Opens the operations; ended ones are kept for 90 days, the newest 10,000 of them. */
export async function openOperations(options: StoreFileOptions): Promise<OperationStore & StoreFile> {
  const index = new OperationIndex();
  const changed = (_key: string, before: OperationDocument | null, after: OperationDocument | null) =>
    index.replace(before, after);
  const documents = await openDocuments({ ...options, kind: operationDocuments, changed });
  const store = new OperationDocuments(documents, index, options.now);
  await store.prune();
  return store;
}

class OperationDocuments implements OperationStore, StoreFile {
  readonly #documents: Documents<OperationDocument>;
  readonly #index: OperationIndex;
  readonly #now: () => Date;
  #nextSequence: number;
  readonly #sequences = new Map<string, number>();

  constructor(documents: Documents<OperationDocument>, index: OperationIndex, now: () => Date) {
    this.#documents = documents;
    this.#index = index;
    this.#now = now;
    this.#nextSequence = index.highestSequence + 1;
  }

  get readOnly(): boolean {
    return this.#documents.readOnly;
  }

  async put(operation: Operation): Promise<void> {
    const sequence = this.#sequenceOf(operation.id);
    try {
      await this.#documents.write({
        puts: new Map([[operation.id, toDocument(operation, sequence)]]),
        removes: isEnded(operation.state) ? this.#expired(operation.id) : [],
      });
    } finally {
      if (this.#documents.get(operation.id) !== null) this.#sequences.delete(operation.id);
    }
  }

  get(id: string): Operation | null {
    const document = this.#documents.get(id);
    return document === null ? null : toOperation(document);
  }

  list(filter: { readonly state?: OperationState; readonly limit: number; readonly offset: number }): {
    readonly items: readonly Operation[];
    readonly total: number;
  } {
    const { state, limit, offset } = filter;
    const total = state === undefined ? this.#index.size : this.#index.count(state);
    const items: Operation[] = [];
    let toSkip = offset;
    for (const document of this.#index.newestFirst()) {
      if (items.length >= limit) break;
      if (state !== undefined && document.state !== state) continue;
      if (toSkip > 0) toSkip--;
      else items.push(toOperation(document));
    }
    return { items, total };
  }

  unfinished(): readonly Operation[] {
    return this.#index.unfinished().map(toOperation);
  }

  countByState(): Readonly<Record<OperationState, number>> {
    const counts = operationStates.map((state) => [state, this.#index.count(state)] as const);
    return Object.fromEntries(counts) as Record<OperationState, number>;
  }

  byTransaction(transaction: string): readonly Operation[] {
    const since = new Date(this.#now().getTime() - transactionMaxAgeMs).toISOString();
    const documents = this.#index.byTransaction(transaction);
    return documents.filter((document) => document.createdAt >= since).map(toOperation);
  }

  async prune(): Promise<void> {
    const removes = this.#expired(null);
    if (removes.length > 0 && !this.readOnly) await this.#documents.write({ removes }).catch(isReported);
  }

  reopen(): Promise<void> {
    return this.#documents.reopen();
  }

  verify(): Promise<void> {
    return this.#documents.verify();
  }

  close(): Promise<void> {
    return this.#documents.close();
  }

  /** An operation keeps its place in the order when it is written again, also while its first write is under way. */
  #sequenceOf(id: string): number {
    const known = this.#documents.get(id)?.sequence ?? this.#sequences.get(id);
    if (known !== undefined) return known;
    const sequence = this.#nextSequence++;
    this.#sequences.set(id, sequence);
    return sequence;
  }

  /** Ended operations that are too old or too many, the oldest first; `endingId` is about to be one more. */
  #expired(endingId: string | null): readonly string[] {
    const before = new Date(this.#now().getTime() - endedMaxAgeMs).toISOString();
    const tooMany = this.#index.endedCount + (endingId === null ? 0 : 1) - endedMaxCount;
    const ids: string[] = [];
    for (const document of this.#index.oldestFirst()) {
      if (ids.length >= tooMany && document.createdAt >= before) break;
      if (!isEnded(document.state) || document.id === endingId) continue;
      const endedAt = document.finishedAt ?? document.createdAt;
      if (ids.length < tooMany || endedAt < before) ids.push(document.id);
    }
    return ids;
  }
}
