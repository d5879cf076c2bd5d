import type { RetryPolicy } from "../domain/queue.ts";
import type { ErrorRecord } from "../errors.ts";

/** Without a policy a kind is tried once. */
const tryOnce: RetryPolicy = { attempts: 1, baseMs: 0, maxMs: 0 };

/**
 * Whether another try may end better. What is not there (a root whose disk is away) is not tried again: whoever sees
 * that it is back asks anew.
 */
export function mayPass(error: ErrorRecord | null): boolean {
  return error?.retryable === true && error.code !== "not_found";
}

/**
 * How long to wait before the next try, in milliseconds; null where that was the last one. Doubles with each failure,
 * and a random half of it keeps many that failed together from coming back together.
 */
export function retryDelayMs(
  policy: RetryPolicy = tryOnce,
  failures: number,
  random: () => number,
): number | null {
  if (failures >= policy.attempts) return null;
  const whole = Math.min(policy.maxMs, policy.baseMs * 2 ** (failures - 1));
  return Math.round(whole * (0.5 + random() / 2));
}

/** The time, in milliseconds since 1970, that an error says it can be tried again at: to wait for that is no failure. */
export function namedTimeMs(error: ErrorRecord | null): number | null {
  const text = error?.details?.["retry_at"];
  const ms = typeof text === "string" ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}
