import type { Operation, OperationState } from "../domain/operation.ts";
import type { QueueListener } from "./port.ts";

/** Who wants to hear of changes. */
export class Listeners {
  readonly #listeners = new Set<QueueListener>();

  /** Answers with the function that takes it away again. */
  add(listener: QueueListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A listener's mistake must not end an operation, nor go unseen: it surfaces as an uncaught error. */
  tell(operation: Operation, previous: OperationState | null): void {
    for (const listener of this.#listeners) {
      try {
        listener(operation, previous);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
