import type { OperationState } from "../domain/operation.ts";
import { isEnded } from "../domain/operation.ts";
import type { OperationDocument } from "./operation-document.ts";

/** All operations in the order of their creation, counted by state and found by transaction; in memory only. */
export class OperationIndex {
  readonly #ordered: OperationDocument[] = [];
  readonly #counts = new Map<OperationState, number>();
  readonly #transactions = new Map<string, Set<OperationDocument>>();

  get size(): number {
    return this.#ordered.length;
  }

  get endedCount(): number {
    return this.count("completed") + this.count("failed") + this.count("cancelled");
  }

  get highestSequence(): number {
    return this.#ordered.reduce((highest, { sequence }) => Math.max(highest, sequence), 0);
  }

  count(state: OperationState): number {
    return this.#counts.get(state) ?? 0;
  }

  byTransaction(transaction: string): readonly OperationDocument[] {
    return [...(this.#transactions.get(transaction) ?? [])].sort(compare);
  }

  unfinished(): readonly OperationDocument[] {
    return this.#ordered.filter((document) => !isEnded(document.state));
  }

  oldestFirst(): Iterable<OperationDocument> {
    return this.#ordered;
  }

  *newestFirst(): Iterable<OperationDocument> {
    for (let at = this.#ordered.length - 1; at >= 0; at--) {
      const document = this.#ordered[at];
      if (document !== undefined) yield document;
    }
  }

  replace(before: OperationDocument | null, after: OperationDocument | null): void {
    if (before !== null) this.#remove(before);
    if (after !== null) this.#insert(after);
  }

  #insert(document: OperationDocument): void {
    this.#ordered.splice(this.#placeOf(document), 0, document);
    this.#counts.set(document.state, this.count(document.state) + 1);
    if (document.transaction === null) return;
    const sameTransaction = this.#transactions.get(document.transaction) ?? new Set();
    this.#transactions.set(document.transaction, sameTransaction.add(document));
  }

  #remove(document: OperationDocument): void {
    this.#ordered.splice(this.#placeOf(document), 1);
    this.#counts.set(document.state, this.count(document.state) - 1);
    if (document.transaction === null) return;
    const sameTransaction = this.#transactions.get(document.transaction);
    sameTransaction?.delete(document);
    if (sameTransaction?.size === 0) this.#transactions.delete(document.transaction);
  }

  /** The first place whose operation does not come before this one. */
  #placeOf(document: OperationDocument): number {
    let low = 0;
    let high = this.#ordered.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#ordered[middle];
      if (other !== undefined && compare(other, document) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function compare(a: OperationDocument, b: OperationDocument): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1;
  return a.sequence - b.sequence;
}
