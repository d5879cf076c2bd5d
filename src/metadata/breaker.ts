import {
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  type IBackoff,
  isBrokenCircuitError,
  isIsolatedCircuitError,
} from "cockatiel";
import type { BreakerSnapshot, BreakerState, KeptBreaker } from "../domain/source.ts";
import { AppError, toErrorRecord } from "../errors.ts";

export interface BreakerOptions {
  readonly source: string;
  /** So many failures in a row open it. */
  readonly failures: number;
  /** Milliseconds until one call may try again; longer where the source asked for more (Retry-After). */
  readonly openMs: number;
  /** Milliseconds that a call may take: one that has not answered by then has failed. */
  readonly limitMs: number;
  /** As it was when the process before ended. */
  readonly kept: KeptBreaker | null;
  /** Told of every transition and every change of the count. */
  readonly onChange: (before: BreakerState) => void;
}

/** One per source, for the life of the process. */
export interface Breaker {
  /**
   * Runs a call of the source, or throws `source_unavailable` at once, with the time of the next try among its details
   * (`retry_at`). While one call tries whether the source is back, further ones wait for what it finds. `turn` is waited
   * for first, outside of the time limit; a call whose turn comes after the breaker has opened is refused as well.
   */
  run<T>(work: (signal: AbortSignal) => Promise<T>, turn?: () => Promise<void>): Promise<T>;
  snapshot(): BreakerSnapshot;
  /** Whether a call would be let through. */
  isReady(): boolean;
  /** Closes it, whatever it is. */
  reset(): void;
  /** Holds it open until `reset`. */
  isolate(): void;
  /** Cuts what is under way, which then says nothing about the source. */
  stop(): void;
}

/** A day's wait that a source asks for would look like a source that is broken for good. */
const longestOpenMs = 60 * 60 * 1000;

const stateNames: Readonly<Record<CircuitState, BreakerState>> = {
  [CircuitState.Closed]: "closed",
  [CircuitState.Open]: "open",
  [CircuitState.HalfOpen]: "half_open",
  [CircuitState.Isolated]: "isolated",
};

export function createBreaker(options: BreakerOptions): Breaker {
  const { source, kept, onChange } = options;
  const consecutive = new ConsecutiveBreaker(options.failures);
  const stopping = new AbortController();
  let lastError = kept?.lastError ?? null;
  let openedAtMs = kept?.openedAt == null ? null : Date.parse(kept.openedAt);
  let openForMs = keptDuration(kept) ?? options.openMs;
  let isolation: { dispose(): void } | null = null;
  let told: BreakerState = "closed";

  // A call that was cut because the runner stops is neither a failure nor a sign of life.
  const policy = circuitBreaker(
    handleWhen((error) => !stopping.signal.aborted && !isNotTried(error)),
    {
      breaker: consecutive,
      halfOpenAfter: { next: () => backoff() },
      ...(kept?.state === "open" || kept?.state === "half_open"
        ? { initialState: restored(kept, openedAtMs ?? 0) }
        : {}),
    },
  );
  if (kept !== null) consecutive.state = kept.failures;
  if (kept?.state === "isolated") isolation = policy.isolate();
  told = stateNow();

  /** Asked at the moment it opens, when the error that opens it has been noted. */
  function backoff(): IBackoff<unknown> {
    return { duration: openForMs, next: () => backoff() };
  }

  function stateNow(): BreakerState {
    return stateNames[policy.state];
  }

  function changed(): void {
    if (stopping.signal.aborted) return;
    const before = told;
    told = stateNow();
    if (told === "closed") openedAtMs = null;
    onChange(before);
  }

  policy.onStateChange((state) => {
    if (state === CircuitState.Open || state === CircuitState.Isolated) openedAtMs = Date.now();
    changed();
  });

  async function bounded<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    stopping.signal.throwIfAborted();
    // A source that heeds no signal must not block it for ever: the time limit alone ends the call.
    const { promise, reject } = Promise.withResolvers<never>();
    const limit = new AbortController();
    const timer = setTimeout(() => {
      const message = `${source} gave no answer within ${options.limitMs / 1000} s`;
      const error = new AppError("source_unavailable", message, { retryable: true });
      limit.abort(error);
      reject(error);
    }, options.limitMs);
    const stop = () => reject(stopping.signal.reason);
    stopping.signal.addEventListener("abort", stop);
    try {
      return await Promise.race([work(AbortSignal.any([limit.signal, stopping.signal])), promise]);
    } catch (error) {
      if (!stopping.signal.aborted && !isNotTried(error)) noteFailure(error);
      throw error;
    } finally {
      clearTimeout(timer);
      stopping.signal.removeEventListener("abort", stop);
    }
  }

  function noteFailure(error: unknown): void {
    const { code, message } = error instanceof AppError ? error : toErrorRecord(error);
    lastError = { code, message };
    const asked = error instanceof AppError ? Number(error.details?.["retry_after_ms"] ?? 0) : 0;
    openForMs = Math.min(longestOpenMs, Math.max(options.openMs, asked));
  }

  function snapshot(): BreakerSnapshot {
    const state = stateNow();
    return {
      state,
      failures: consecutive.state,
      openedAt: openedAtMs === null ? null : timestamp(openedAtMs),
      nextProbeAt: state === "open" && openedAtMs !== null ? timestamp(openedAtMs + openForMs) : null,
      lastError,
    };
  }

  return {
    run: async (work, turn) => {
      const before = consecutive.state;
      try {
        return await policy.execute(async () => {
          const isProbe = policy.state === CircuitState.HalfOpen;
          await turn?.();
          if (!isProbe && policy.state !== CircuitState.Closed) {
            throw notAsked(source, policy.state === CircuitState.Isolated, snapshot());
          }
          return await bounded(work);
        });
      } catch (error) {
        if (!isBrokenCircuitError(error)) throw error;
        throw notAsked(source, isIsolatedCircuitError(error), snapshot());
      } finally {
        if (consecutive.state !== before && told === stateNow()) changed();
      }
    },
    snapshot,
    isReady: () => {
      if (policy.state === CircuitState.Isolated) return false;
      return policy.state !== CircuitState.Open || Date.now() >= (openedAtMs ?? 0) + openForMs;
    },
    reset: () => {
      consecutive.state = 0;
      const held = isolation ?? (policy.state === CircuitState.Closed ? null : policy.isolate());
      isolation = null;
      if (held === null) changed();
      else held.dispose();
    },
    isolate: () => {
      isolation ??= policy.isolate();
    },
    stop: () => stopping.abort(new AppError("cancelled", "The runner stops")),
  };
}

/** What never reached the source says nothing about it. */
function isNotTried(error: unknown): boolean {
  return error instanceof AppError && error.details?.["not_asked"] === true;
}

export function notAsked(
  source: string,
  isIsolated: boolean,
  { nextProbeAt, lastError }: BreakerSnapshot,
): AppError {
  const why = lastError === null ? "" : ` (${lastError.message})`;
  const message = isIsolated
    ? `${source} is not asked: it has been switched off by hand, until its breaker is reset`
    : `${source} is not asked before ${nextProbeAt ?? "it is known whether it works again"}: it has failed too often${why}`;
  return new AppError("source_unavailable", message, {
    retryable: true,
    details: { source, not_asked: true, retry_at: nextProbeAt },
  });
}

function keptDuration(kept: KeptBreaker | null): number | null {
  if (kept?.openedAt == null || kept.nextProbeAt === null) return null;
  const duration = Date.parse(kept.nextProbeAt) - Date.parse(kept.openedAt);
  return duration > 0 && duration <= longestOpenMs ? duration : null;
}

/** As cockatiel writes it itself. */
function restored(kept: KeptBreaker, openedAt: number): unknown {
  // A clock that was set back must not hold it open for years.
  const at = Math.min(openedAt, Date.now());
  return {
    ownState: { value: CircuitState.Open, openedAt: at, attemptNo: 1 },
    breakerState: kept.failures,
  };
}

function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}
