import type { CommandHandlers } from "../bus/commands.ts";
import { wireBatch, wirePlan } from "../bus/wire-organize.ts";
import type { Root } from "../domain/book.ts";
import type { Organizing } from "./organizing.ts";
import { resolveFolder } from "./roots.ts";
import { type StartParts, startOnce } from "./start-once.ts";

export interface OrganizeParts extends StartParts {
  readonly roots: readonly Root[];
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
