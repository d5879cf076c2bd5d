import type { WorkerLimits } from "../domain/queue.ts";
import { AppError } from "../errors.ts";

/** So long there must be more that is ready than there are workers before one is added. */
const growAfterMs = 5_000;
/** So long there must be nothing to do for the added ones before they go. */
const shrinkAfterMs = 60_000;

/** What may stand against more workers: `hold` adds none, `shrink` leaves one. */
export type Pressure = "none" | "hold" | "shrink";

/**
 * How many operations may run at once: one more while the backlog stays, back to the least when it is gone for a
 * while. What lies between the two conditions changes nothing, so that it does not go up and down with every burst.
 */
export class Scaling {
  #limits: WorkerLimits;
  #grown: number;
  #pressure: Pressure = "none";
  #backlogSinceMs: number | null = null;
  #idleSinceMs: number | null = null;

  /** Throws `invalid_payload` where the limits are none. */
  constructor(limits: WorkerLimits) {
    this.#limits = checked(limits);
    this.#grown = limits.min;
  }

  get limits(): WorkerLimits {
    return this.#limits;
  }

  get current(): number {
    return this.#pressure === "shrink" ? 1 : this.#grown;
  }

  /** Takes effect at once; throws `invalid_payload` and changes nothing where the limits are none. */
  setLimits(limits: WorkerLimits): void {
    this.#limits = checked(limits);
    this.#grown = Math.min(Math.max(this.#grown, limits.min), limits.max);
  }

  setPressure(pressure: Pressure): void {
    this.#pressure = pressure;
    if (pressure === "shrink") this.#grown = this.#limits.min;
    this.#backlogSinceMs = null;
  }

  /** To be called about every second, with how many could run at once if there were workers, and how many do. */
  sample(nowMs: number, { ready, running }: { readonly ready: number; readonly running: number }): void {
    const hasBacklog = ready > this.#grown && this.#pressure === "none";
    const isIdle = ready === 0 && running <= this.#limits.min;
    this.#backlogSinceMs = hasBacklog ? (this.#backlogSinceMs ?? nowMs) : null;
    this.#idleSinceMs = isIdle ? (this.#idleSinceMs ?? nowMs) : null;
    if (this.#backlogSinceMs !== null && nowMs - this.#backlogSinceMs >= growAfterMs) {
      this.#grown = Math.min(this.#grown + 1, this.#limits.max);
      this.#backlogSinceMs = nowMs;
    }
    if (this.#idleSinceMs !== null && nowMs - this.#idleSinceMs >= shrinkAfterMs) {
      this.#grown = this.#limits.min;
    }
  }
}

function checked(limits: WorkerLimits): WorkerLimits {
  const { min, max } = limits;
  if (Number.isInteger(min) && Number.isInteger(max) && min >= 1 && max >= min) return limits;
  throw new AppError(
    "invalid_payload",
    `${min} to ${max} operations at once: they must be whole numbers above 0, the second not below the first`,
  );
}
