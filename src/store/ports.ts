import type { Operation, OperationState } from "../domain/operation.ts";
import type { ScanCheckpoint, ScanProblem } from "../domain/scan.ts";

/** Operations, kept in NeDB. A promise resolves when the change is durable. */
export interface OperationStore {
  put(operation: Operation): Promise<void>;
  get(id: string): Operation | null;
  /** Newest first. */
  list(filter: { readonly state?: OperationState; readonly limit: number; readonly offset: number }): {
    readonly items: readonly Operation[];
    readonly total: number;
  };
  /** Everything that has not ended, oldest first. */
  unfinished(): readonly Operation[];
  countByState(): Readonly<Record<OperationState, number>>;
  /** Operations asked for by this transaction within the last 24 hours. */
  byTransaction(transaction: string): readonly Operation[];
}

/** Where interrupted scans go on. One record per operation, replaced by each save. */
export interface CheckpointStore {
  /** Durable when it resolves. `newProblems` are those since the last save; the first 100 are kept. */
  save(checkpoint: ScanCheckpoint, newProblems: readonly ScanProblem[]): Promise<void>;
  load(
    operationId: string,
  ): { readonly checkpoint: ScanCheckpoint; readonly problems: readonly ScanProblem[] } | null;
  remove(operationId: string): Promise<void>;
}

/** A command that was answered, kept for 24 hours so that the same transaction does nothing twice. */
export interface CommandRecord {
  readonly command: string;
  readonly transaction: string;
  /** The operations that answer it, empty for a command that ended at once. */
  readonly operationIds: readonly string[];
  /** MQTT 5: where else the answer goes. */
  readonly responseTopic: string | null;
  /** Base64. */
  readonly correlationData: string | null;
  /** The answers given so far, as they went out. */
  readonly answers: readonly Readonly<Record<string, unknown>>[];
  /** True when no further answer will follow. */
  readonly complete: boolean;
  /** RFC 3339. */
  readonly createdAt: string;
}

export interface CommandStore {
  put(record: CommandRecord): Promise<void>;
  get(command: string, transaction: string): CommandRecord | null;
  /** Records that still owe an answer. */
  open(): readonly CommandRecord[];
}
