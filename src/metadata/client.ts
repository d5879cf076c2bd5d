import { setTimeout as delay } from "node:timers/promises";
import { ExponentialBackoff, handleWhen, retry } from "cockatiel";
import DataLoader from "dataloader";
import pThrottle from "p-throttle";
import { ZodError, z } from "zod";
import { personKey } from "../domain/people.ts";
import type { BreakerState, KeptBreaker, SourceSnapshot } from "../domain/source.ts";
import { foldText } from "../domain/text.ts";
import { AppError } from "../errors.ts";
import type { IdKind, SearchQuery, Source, SourceBook, SourceCall, SourceChapters } from "../plugin.ts";
import type { AnswerStore } from "../store/ports.ts";
import { type Breaker, createBreaker, notAsked } from "./breaker.ts";

interface ClientOptions {
  readonly source: Source;
  readonly getJson: SourceCall["getJson"] extends (...args: infer Args) => infer Result
    ? (signal: AbortSignal, ...args: Args) => Result
    : never;
  readonly answers: AnswerStore;
  readonly settings: ClientSettings;
  /** Instead of the source's own limit. */
  readonly requestsPerSecond: number | null;
  readonly kept: KeptBreaker | null;
  readonly onChange: (before: BreakerState) => void;
}

interface ClientSettings {
  readonly breakerFailures: number;
  readonly breakerOpenMs: number;
  readonly callLimitMs: number;
  /** How long an answer is good for, in milliseconds. */
  readonly foundTtlMs: number;
  readonly notFoundTtlMs: number;
}

/**
 * Asks one source, and asks nothing twice: look-ups of the same thing share one call, ids go many in one request where
 * the source takes them, answers are kept, and the breaker, the source's limit and its Retry-After are heeded.
 */
export interface SourceClient {
  readonly source: Source;
  /** Throws `source_unavailable` where the source is not asked or gave no answer that can be used. */
  search(query: SearchQuery): Promise<readonly SourceBook[]>;
  lookUp(kind: IdKind, id: string): Promise<SourceBook | null>;
  /** `id` is the source's own; null where it knows no chapters of that. */
  chapters(id: string): Promise<SourceChapters | null>;
  /** Whether it would be asked now. */
  isReady(): boolean;
  snapshot(): SourceSnapshot;
  reset(): void;
  isolate(): void;
  stop(): void;
}

/** Tries after the first, of what may pass by itself. */
const retries = 2;
/** Ids that are wanted within this time go together. */
const gatherMs = 10;
/** A longer wait that a source asks for is not sat out by a call. */
const longestPauseMs = 60_000;
/** What nobody waits for is not asked at the first moment: whoever does wait is to have it. */
const probeGraceMs = 2_000;
/** Between two tries of our own, however often they fail. */
const longestProbeMs = 60 * 60 * 1000;
/** Every catalogue of books has it. */
const probeQuery: SearchQuery = { title: "Pride and Prejudice", author: "Jane Austen" };
/** Raised when what is kept of an answer changes its form. */
const answerVersion = 1;

export function createClient(options: ClientOptions): SourceClient {
  const { source, answers, settings } = options;
  let calls = 0;
  let coalesced = 0;
  let askAgainAtMs = 0;
  const stopping = new AbortController();
  const breaker: Breaker = createBreaker({
    source: source.name,
    failures: settings.breakerFailures,
    openMs: settings.breakerOpenMs,
    limitMs: settings.callLimitMs,
    kept: options.kept,
    onChange: (before) => {
      probeLater();
      options.onChange(before);
    },
  });
  let ownProbes = 0;
  let probing: NodeJS.Timeout | undefined;
  const again = retry(handleWhen(mayPass), {
    maxAttempts: retries,
    backoff: new ExponentialBackoff({ initialDelay: 500, maxDelay: 5_000 }),
  });
  const takeSlot = throttle(options.requestsPerSecond ?? source.requestsPerSecond);
  const searching = new Map<string, Promise<readonly SourceBook[]>>();
  const loaders = new Map(source.looksUp.map((kind) => [kind, createLoader(kind)] as const));

  async function turn(): Promise<void> {
    await takeSlot();
    const pauseMs = askAgainAtMs - Date.now();
    if (pauseMs <= 0) return;
    if (pauseMs > longestPauseMs) throw notYet();
    await delay(pauseMs, null, { signal: stopping.signal });
  }

  function notYet(): AppError {
    const nextProbeAt = new Date(askAgainAtMs).toISOString();
    return notAsked(source.name, false, { ...breaker.snapshot(), nextProbeAt });
  }

  /** Retry is outside of the breaker: each try is a call of its own, and one that is refused is not tried again. */
  function ask<T>(work: (call: SourceCall) => Promise<T>): Promise<T> {
    return again.execute(() => breaker.run((signal) => send(work, signal), turn));
  }

  async function send<T>(work: (call: SourceCall) => Promise<T>, signal: AbortSignal): Promise<T> {
    const getJson: SourceCall["getJson"] = (url, headers) => {
      calls++;
      return options.getJson(signal, url, headers);
    };
    try {
      const answer = await work({ signal, getJson });
      options.onChange(breaker.snapshot().state);
      return answer;
    } catch (error) {
      // What a source's own code stumbles over is an answer that is not as it should be.
      if (!(error instanceof AppError)) throw signal.aborted ? error : notUnderstood(source.name, error);
      const waitMs = Number(error.details?.["retry_after_ms"] ?? 0);
      askAgainAtMs = Math.max(askAgainAtMs, Date.now() + waitMs);
      throw error;
    }
  }

  /** While it is open, and nobody wants anything of it, it is found out all the same whether the source is back. */
  function probeLater(): void {
    clearTimeout(probing);
    const { state, nextProbeAt } = breaker.snapshot();
    if (state === "closed") ownProbes = 0;
    if (state !== "open" || nextProbeAt === null || stopping.signal.aborted) return;
    const more = Math.min(longestProbeMs, settings.breakerOpenMs * (2 ** ownProbes - 1));
    const waitMs = Math.max(0, Date.parse(nextProbeAt) - Date.now()) + probeGraceMs + more;
    probing = setTimeout(() => void probe(), waitMs).unref();
  }

  async function probe(): Promise<void> {
    if (breaker.snapshot().state !== "open") return;
    ownProbes++;
    const work = (call: SourceCall) => source.search(probeQuery, call);
    // How it came out is seen in the breaker.
    await breaker.run((signal) => send(work, signal), turn).catch(() => {});
  }

  function shareOne(): void {
    coalesced++;
    options.onChange(breaker.snapshot().state);
  }

  function keep(key: string, found: readonly (SourceBook | SourceChapters)[]): void {
    const ttlMs = found.length === 0 ? settings.notFoundTtlMs : settings.foundTtlMs;
    answers.put(key, JSON.stringify(found), Date.now() + ttlMs);
  }

  function kept<T = SourceBook>(key: string): readonly T[] | null {
    const text = answers.get(key, Date.now());
    return text === null ? null : JSON.parse(text);
  }

  async function searchNow(key: string, query: SearchQuery): Promise<readonly SourceBook[]> {
    const found = (await ask((call) => source.search(query, call))).slice(0, 10);
    keep(key, found);
    return found;
  }

  function createLoader(kind: IdKind): DataLoader<string, SourceBook | null> {
    const { many } = source;
    const isMany = many?.kinds.includes(kind) === true;
    return new DataLoader<string, SourceBook | null>(
      async (ids) => {
        if (many === undefined || !isMany) {
          const [id = ""] = ids;
          return [await ask((call) => source.get(kind, id, call))];
        }
        const found = await ask((call) => many.get(kind, ids, call));
        return ids.map((id) => found.get(id) ?? null);
      },
      {
        maxBatchSize: isMany ? (many?.most ?? 1) : 1,
        batchScheduleFn: (go) => setTimeout(go, isMany ? gatherMs : 0),
      },
    );
  }

  async function lookUpNow(kind: IdKind, id: string, key: string): Promise<SourceBook | null> {
    const loader = loaders.get(kind);
    if (loader === undefined) return null;
    try {
      const found = await loader.load(id);
      keep(key, found === null ? [] : [found]);
      return found;
    } finally {
      // What it remembers would never be asked for again: the answers that are kept have an end.
      loader.clear(id);
    }
  }

  async function chaptersNow(key: string, id: string): Promise<SourceChapters | null> {
    const found = (await ask(async (call) => source.chapters?.(id, call))) ?? null;
    keep(key, found === null ? [] : [found]);
    return found;
  }

  const lookingUp = new Map<string, Promise<SourceBook | null>>();
  const askingChapters = new Map<string, Promise<SourceChapters | null>>();

  function shared<T>(running: Map<string, Promise<T>>, key: string, start: () => Promise<T>): Promise<T> {
    const known = running.get(key);
    if (known !== undefined) {
      shareOne();
      return known;
    }
    const begun = start().finally(() => running.delete(key));
    running.set(key, begun);
    return begun;
  }

  probeLater();
  return {
    source,
    search: async (query) => {
      const key = `${answerVersion} ${source.name} search ${searchKey(query)}`;
      const found = kept(key);
      if (found === null) return await shared(searching, key, () => searchNow(key, query));
      shareOne();
      return found;
    },
    lookUp: async (kind, id) => {
      const key = `${answerVersion} ${source.name} ${kind} ${id}`;
      const found = kept(key);
      if (found === null) return await shared(lookingUp, key, () => lookUpNow(kind, id, key));
      shareOne();
      return found[0] ?? null;
    },
    chapters: async (id) => {
      const key = `${answerVersion} ${source.name} chapters ${id}`;
      const found = kept<SourceChapters>(key);
      if (found === null) return await shared(askingChapters, key, () => chaptersNow(key, id));
      shareOne();
      return found[0] ?? null;
    },
    isReady: () => breaker.isReady() && askAgainAtMs - Date.now() <= longestPauseMs,
    snapshot: () => ({ source: source.name, ...breaker.snapshot(), calls, coalesced }),
    reset: () => {
      askAgainAtMs = 0;
      breaker.reset();
    },
    isolate: () => breaker.isolate(),
    stop: () => {
      breaker.stop();
      clearTimeout(probing);
      stopping.abort(new AppError("cancelled", "The runner stops"));
    },
  };
}

/** The same for every spelling that means the same book: "Der Prozeß" by "F. Kafka" and by "f kafka". */
function searchKey({ title, author }: SearchQuery): string {
  const words = foldText(title).match(/[\p{L}\p{N}]+/gu) ?? [];
  return JSON.stringify([words.join(" "), author === null ? null : personKey(author)]);
}

function notUnderstood(source: string, cause: unknown): AppError {
  const reason = cause instanceof ZodError ? z.prettifyError(cause) : String(cause);
  return new AppError(
    "answer_invalid",
    `${source} answers in a form that is not understood: ${reason.slice(0, 300)}`,
    {
      cause,
    },
  );
}

function mayPass(error: unknown): boolean {
  return error instanceof AppError && error.retryable && error.details?.["not_asked"] !== true;
}

/** Resolves when the next request may go out. */
function throttle(perSecond: number | null): () => Promise<void> {
  if (perSecond === null) return async () => {};
  const limit = Math.max(1, Math.floor(perSecond));
  return pThrottle({ limit, interval: Math.ceil((limit / perSecond) * 1000), strict: true })(async () => {});
}
