import type { Operation, OperationState, Priority, WaitingReason } from "../domain/operation.ts";
import type { QueueSnapshot } from "../domain/queue.ts";
import { isBefore, type Member } from "./line.ts";

/** How many of those that wait are named. */
const namedWaiting = 20;

interface Unfinished extends Member {
  readonly operation: Operation;
  readonly reason: WaitingReason;
  readonly waitsFor: ReadonlySet<string>;
}

interface SnapshotInput {
  readonly state: QueueSnapshot["state"];
  readonly pausedKinds: QueueSnapshot["pausedKinds"];
  /** Oldest first. */
  readonly entries: Iterable<Unfinished>;
  /** What the store counts; used for the ended ones. */
  readonly storedCounts: Readonly<Record<OperationState, number>>;
  readonly workers: QueueSnapshot["workers"];
  readonly nowMs: number;
}

/** One pass over the unfinished operations. */
export function takeSnapshot(input: SnapshotInput): QueueSnapshot {
  const counts = { ...input.storedCounts, queued: 0, waiting: 0, running: 0, interrupted: 0 };
  const byPriority: Record<Priority, number> = { low: 0, normal: 0, high: 0 };
  const running: Operation[] = [];
  const next: Unfinished[] = [];
  let oldestMs: number | null = null;
  for (const entry of input.entries) {
    const { operation } = entry;
    counts[operation.state]++;
    byPriority[operation.priority]++;
    if (operation.state === "running") {
      running.push(operation);
    } else {
      oldestMs ??= Date.parse(operation.createdAt);
      insertInOrder(next, entry);
    }
  }
  return {
    state: input.state,
    pausedKinds: input.pausedKinds,
    counts,
    byPriority,
    workers: input.workers,
    oldestWaitSeconds: oldestMs === null ? 0 : Math.max(0, Math.floor((input.nowMs - oldestMs) / 1000)),
    running: running.map((operation) => ({ ...shown(operation), percent: operation.percent })),
    waiting: next.map(({ operation, reason, waitsFor }) => ({
      ...shown(operation),
      reason,
      retryAt: operation.retryAt,
      waitsFor: [...waitsFor].slice(0, namedWaiting),
    })),
  };
}

/** Keeps the first few in order: sorting all of a long queue for each message would cost too much. */
function insertInOrder(first: Unfinished[], entry: Unfinished): void {
  const last = first.at(-1);
  if (first.length === namedWaiting && last !== undefined && isBefore(last, entry)) return;
  const at = first.findIndex((other) => isBefore(entry, other));
  first.splice(at === -1 ? first.length : at, 0, entry);
  if (first.length > namedWaiting) first.pop();
}

function shown(
  operation: Operation,
): Pick<QueueSnapshot["running"][number], "operationId" | "kind" | "scope"> {
  return { operationId: operation.id, kind: operation.kind, scope: operation.scopes[0] ?? "" };
}
