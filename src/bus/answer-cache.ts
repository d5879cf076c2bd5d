import type { Answer } from "./answers.ts";
import type { Clock } from "./ports.ts";

const maxEntries = 1_000;
const maxBytes = 4 * 1_048_576;
const lifetimeMs = 24 * 3_600_000;

interface Entry {
  readonly answer: Answer;
  readonly sizeBytes: number;
  readonly storedAt: number;
}

/**
 * Answers to transactions that need no durable record: those of commands that change nothing. Bounded, and
 * gone with the process: running such a command again does nothing twice.
 */
export class AnswerCache {
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #entries = new Map<string, Entry>();
  #sizeBytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(key: string): Answer | null {
    const entry = this.#entries.get(key);
    if (entry === undefined || this.#clock.now() - entry.storedAt > lifetimeMs) return null;
    return entry.answer;
  }

  put(key: string, answer: Answer, sizeBytes: number): void {
    this.#remove(key);
    this.#entries.set(key, { answer, sizeBytes, storedAt: this.#clock.now() });
    this.#sizeBytes += sizeBytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= maxEntries && this.#sizeBytes <= maxBytes) break;
      this.#remove(oldest);
    }
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#sizeBytes -= entry.sizeBytes;
  }
}
