import { isEnded, type Operation } from "../domain/operation.ts";
import type { OperationStore } from "../store/ports.ts";
import type { Entry } from "./entry.ts";
import type { OperationFilter } from "./port.ts";

/** All operations that are known: the unfinished ones as they are now, the ended ones as the store has them. */
export class Records {
  /** Durable and unfinished, oldest first. */
  readonly unfinished = new Map<string, Entry>();
  /** How operations ended whose last record the store did not take. */
  readonly #unsaved = new Map<string, Operation>();
  readonly #store: OperationStore;

  constructor(store: OperationStore) {
    this.#store = store;
  }

  /** Durable when it resolves; after the operation's earlier writes, whatever became of them. */
  save(entry: Entry, operation: Operation): Promise<void> {
    const put = async (): Promise<void> => {
      await this.#store.put(operation);
      await this.#saveKept();
    };
    entry.written = entry.written.then(put, put);
    return entry.written;
  }

  /** Keeps what the store refused, until it takes records again. */
  keep(operation: Operation): void {
    this.#unsaved.set(operation.id, operation);
  }

  async #saveKept(): Promise<void> {
    for (const operation of this.#unsaved.values()) {
      const isSaved = await this.#store.put(operation).then(
        () => true,
        () => false,
      );
      if (isSaved) this.#unsaved.delete(operation.id);
    }
  }

  get(id: string): Operation | null {
    return this.unfinished.get(id)?.operation ?? this.#unsaved.get(id) ?? this.#store.get(id);
  }

  list(filter: OperationFilter): { readonly items: readonly Operation[]; readonly total: number } {
    const { state, limit, offset } = filter;
    if (state === undefined || isEnded(state)) {
      const { items, total } = this.#store.list(filter);
      return { items: items.map((stored) => this.get(stored.id) ?? stored), total };
    }
    // The store does not know who waits and who could run.
    const matching = [...this.unfinished.values()]
      .map((entry) => entry.operation)
      .filter((operation) => operation.state === state)
      .reverse();
    return { items: matching.slice(offset, offset + limit), total: matching.length };
  }
}
