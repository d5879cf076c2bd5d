import DataLoader from "dataloader";
import type { BookFields } from "../domain/book.ts";
import type { BreakerState, KeptBreaker, SourceSnapshot } from "../domain/source.ts";
import { AppError } from "../errors.ts";
import type { NameParser, ParserCall } from "../plugin.ts";
import type { AnswerStore } from "../store/ports.ts";
import { createBreaker } from "./breaker.ts";

interface GuesserOptions {
  readonly parser: NameParser;
  readonly postJson: (signal: AbortSignal, ...args: Parameters<ParserCall["postJson"]>) => Promise<unknown>;
  readonly answers: AnswerStore;
  readonly breakerFailures: number;
  readonly breakerOpenMs: number;
  /** How long an answer is good for, in milliseconds. */
  readonly keptMs: number;
  readonly kept: KeptBreaker | null;
  readonly onChange: (before: BreakerState) => void;
}

/** Has names read by a parser: many in one request, each once, and behind a breaker of its own. */
export interface Guesser {
  /** Null where it understood nothing. Throws `source_unavailable` where it is not asked or gives no usable answer. */
  guess(name: string): Promise<BookFields | null>;
  snapshot(): SourceSnapshot;
  reset(): void;
  isolate(): void;
  stop(): void;
}

/** Names that are wanted within this time go together. */
const gatherMs = 50;
/** A model on a small machine at home takes its time. */
export const guessLimitMs = 120_000;

export function createGuesser(options: GuesserOptions): Guesser {
  const { parser, answers } = options;
  let calls = 0;
  let coalesced = 0;
  const breaker = createBreaker({
    source: parser.name,
    failures: options.breakerFailures,
    openMs: options.breakerOpenMs,
    limitMs: guessLimitMs,
    kept: options.kept,
    onChange: options.onChange,
  });
  const loader = new DataLoader<string, BookFields | null>(
    (names) =>
      breaker.run(async (signal) => {
        calls++;
        const call: ParserCall = { signal, postJson: (...args) => options.postJson(signal, ...args) };
        const guesses = await parser.parse(names, call).catch((error: unknown) => {
          throw error instanceof AppError || signal.aborted ? error : notUnderstood(parser.name, error);
        });
        options.onChange(breaker.snapshot().state);
        return names.map((_, index) => guesses[index] ?? null);
      }),
    { maxBatchSize: parser.most, batchScheduleFn: (go) => setTimeout(go, gatherMs) },
  );

  return {
    guess: async (name) => {
      const key = `${parser.name} ${parser.version} ${name}`;
      const known = answers.get(key, Date.now());
      if (known !== null) {
        coalesced++;
        return JSON.parse(known);
      }
      try {
        const fields = await loader.load(name);
        answers.put(key, JSON.stringify(fields), Date.now() + options.keptMs);
        return fields;
      } finally {
        loader.clear(name);
      }
    },
    snapshot: () => ({ source: parser.name, ...breaker.snapshot(), calls, coalesced }),
    reset: () => breaker.reset(),
    isolate: () => breaker.isolate(),
    stop: () => breaker.stop(),
  };
}

function notUnderstood(parser: string, cause: unknown): AppError {
  const reason = String(cause instanceof Error ? cause.message : cause).slice(0, 300);
  return new AppError("answer_invalid", `${parser} answers in a form that is not understood: ${reason}`, {
    cause,
  });
}
