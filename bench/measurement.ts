import type { BenchLibrary } from "./make-library.ts";

/** One figure, and the bar that it should meet where there is one. */
export interface Measurement {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** `min`: at least so much, `max`: at most. */
  readonly bar?: { readonly min: number } | { readonly max: number };
  readonly note?: string;
}

/** What was not measured, and why. */
interface Skipped {
  readonly what: string;
  readonly skipped: string;
}

export type RowResult = Measurement | Skipped;

export interface BenchContext {
  readonly library: BenchLibrary;
  /** For data folders and the like; emptied at the end. */
  readonly scratchDir: string;
  /** Stays, for what is costly to make. */
  readonly cacheDir: string;
  readonly isLarge: boolean;
  /** The first file of the program that is measured, absolute. */
  readonly main: string;
}

/** A row of the table in the architecture document: run by its name, measures one or more figures. */
export interface Row {
  readonly name: string;
  readonly run: (context: BenchContext) => Promise<readonly RowResult[]>;
}

/** Null where there is no bar. */
export function meetsBar({ value, bar }: Measurement): boolean | null {
  if (bar === undefined) return null;
  return "min" in bar ? value >= bar.min : value <= bar.max;
}

export function seconds(ms: number): number {
  return ms / 1000;
}

/** Value below which 99 % lie. */
export function p99(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? Number.NaN;
}

export function megabytes(bytes: number): number {
  return bytes / 1e6;
}

/** A number that a payload holds; not a number where it does not. */
export function asNumber(payload: unknown, key: string): number {
  if (typeof payload !== "object" || payload === null) return Number.NaN;
  return Number((payload as Readonly<Record<string, unknown>>)[key]);
}

export async function timed<T>(work: () => Promise<T>): Promise<{ readonly ms: number; readonly result: T }> {
  const startedMs = performance.now();
  const result = await work();
  return { ms: performance.now() - startedMs, result };
}
