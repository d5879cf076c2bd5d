import type { CommandHandlers } from "../bus/commands.ts";
import { wireBatch, wirePlan } from "../bus/wire-organize.ts";
import type { Root } from "../domain/book.ts";
import type { Operation, OperationKind, OperationRequest } from "../domain/operation.ts";
import type { Queue } from "../queue/port.ts";
import type { Organizing } from "./organizing.ts";
import { resolveFolder } from "./roots.ts";

export interface OrganizeParts {
  readonly roots: readonly Root[];
  readonly queue: Pick<Queue, "enqueue">;
  /** Operations that this transaction has asked for already. */
  readonly operationsOf: (transaction: string) => readonly Operation[];
  readonly organizing: Pick<
    Organizing,
    "plan" | "organizeRequest" | "undoRequest" | "verifyRequest" | "history"
  >;
}

type OrganizeHandlers = Pick<CommandHandlers, "organize" | "undo" | "verify" | "history">;

/** What the commands about organizing do. */
export function createOrganizeHandlers(parts: OrganizeParts): OrganizeHandlers {
  const { organizing } = parts;
  return {
    organize: {
      run: async ({ books, query, strategy, dry_run: isDry }, { transaction, priority }) => {
        const what = { books, query, strategy };
        if (isDry) return { data: wirePlan(await organizing.plan(what, neverAborted)) };
        return await startOnce(parts, "organize", transaction, () =>
          organizing.organizeRequest(what, { transaction, priority }),
        );
      },
    },
    undo: {
      run: ({ operation_id: operationId, partial }, { transaction, priority }) =>
        startOnce(parts, "undo", transaction, () =>
          organizing.undoRequest({ operationId, partial }, { transaction, priority }),
        ),
    },
    verify: {
      run: ({ root, path, books }, { transaction, priority }) =>
        startOnce(parts, "verify", transaction, async () => {
          const isNamed = root !== undefined || path !== undefined;
          const folder = isNamed ? await resolveFolder(parts.roots, root, path) : null;
          return await organizing.verifyRequest({ folder, books }, { transaction, priority });
        }),
    },
    history: {
      run: async ({ operation_id: operationId, limit, offset }) => {
        const { items, total } = await organizing.history({ operationId, limit, offset });
        const entries = items.map(({ batch, undoableUntil, moves }) =>
          wireBatch(batch, undoableUntil, moves),
        );
        return { data: { items: entries, total } };
      },
    },
  };
}

/** A dry run is short, and nobody can take it back: its answer is all that it does. */
const neverAborted = new AbortController().signal;

/** One operation, and the same one where a crash came between the queue's record of it and the command's. */
async function startOnce(
  { queue, operationsOf }: OrganizeParts,
  kind: OperationKind,
  transaction: string | null,
  request: () => Promise<OperationRequest>,
): Promise<{ readonly operationIds: readonly string[] }> {
  const known = transaction === null ? [] : operationsOf(transaction);
  const operation = known.find((each) => each.kind === kind) ?? (await queue.enqueue(await request()));
  return { operationIds: [operation.id] };
}
