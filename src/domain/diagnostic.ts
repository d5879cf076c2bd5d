export const severities = ["ok", "warn", "fatal"] as const;
export type Severity = (typeof severities)[number];

/** One start-up check's outcome. */
export interface Diagnostic {
  /** What was checked: `lock`, `root_writable:books`. */
  readonly check: string;
  readonly severity: Severity;
  readonly message: string;
  /** What to do about it; null where nothing is to be done. */
  readonly remedy: string | null;
}

export interface Diagnostics {
  /** The worst of them; `ok` where there is none. */
  readonly worst: Severity;
  readonly checks: readonly Diagnostic[];
}

export type MemoryLevel = "normal" | "elevated" | "critical";

/** The process's memory, as the `memory` topic says it. */
export interface MemoryUse {
  readonly level: MemoryLevel;
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** What the process may use: the smallest of the machine's memory and its containers' limits. */
  readonly limitBytes: number;
  /** Measures taken against pressure since the runner started. */
  readonly actions: number;
}
