import type { Operation, OperationKind, OperationRequest } from "../domain/operation.ts";
import type { Queue } from "../queue/port.ts";

export interface StartParts {
  readonly queue: Pick<Queue, "enqueue">;
  /** Operations that this transaction has asked for already. */
  readonly operationsOf: (transaction: string) => readonly Operation[];
}

/** One operation, and the same one where a crash came between the queue's record of it and the command's. */
export async function startOnce(
  { queue, operationsOf }: StartParts,
  kind: OperationKind,
  transaction: string | null,
  request: () => Promise<OperationRequest>,
): Promise<{ readonly operationIds: readonly string[] }> {
  const known = transaction === null ? [] : operationsOf(transaction);
  const operation = known.find((each) => each.kind === kind) ?? (await queue.enqueue(await request()));
  return { operationIds: [operation.id] };
}
