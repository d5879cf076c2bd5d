/** What a breaker says of the source behind it, in the contract's words. */
export type BreakerState = "closed" | "open" | "half_open" | "isolated";

export interface BreakerSnapshot {
  readonly state: BreakerState;
  /** In a row, up to now. */
  readonly failures: number;
  /** RFC 3339; null while it is closed. */
  readonly openedAt: string | null;
  /** RFC 3339: from then on one call may try whether the source answers again. */
  readonly nextProbeAt: string | null;
  /** The last failure's, kept when the source works again; without secrets. */
  readonly lastError: { readonly code: string; readonly message: string } | null;
}

/** What of a breaker outlives the process. */
export type KeptBreaker = BreakerSnapshot;

export interface SourceSnapshot extends BreakerSnapshot {
  readonly source: string;
  /** Requests sent since the start. */
  readonly calls: number;
  /** Look-ups since the start that another one's answer, on its way or kept, was good for. */
  readonly coalesced: number;
}
