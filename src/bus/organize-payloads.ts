import { z } from "zod";
import { strategies } from "../domain/organize.ts";
import { count, operationId, percent, time } from "./payloads.ts";

/*
 * The shapes of organizing that travel; as in payloads.ts keys may be added, none may be renamed or removed.
 */

/**
 * How many entries an answer carries, and how many bytes of JSON they may take together: a name may have 4 KiB, and a
 * packet of 1 MiB ends the connection. Counts beside the lists are exact.
 */
export const listLimits = {
  moves: { entries: 500, bytes: 128 * 1024 },
  conflicts: { entries: 100, bytes: 64 * 1024 },
  skipped: { entries: 100, bytes: 32 * 1024 },
} as const;

export const organizeShape = {
  state: z.enum([
    "idle",
    "planning",
    "placing",
    "committing",
    "rolling_back",
    "paused",
    "undoing",
    "verifying",
    "failed",
  ]),
  operation_id: operationId.nullable(),
  books_total: count,
  books_done: count,
  files_total: count,
  files_done: count,
  bytes_total: count,
  bytes_done: count,
  percent,
  last_batch: z
    .strictObject({
      operation_id: operationId,
      finished_at: time,
      books: count,
      files: count,
      undoable_until: time.nullable().describe("null where it was undone or is too old"),
    })
    .nullable(),
  conflicts: count.describe("books that were left out"),
};

const placeName = z.string().describe("root id, colon, path from the root with a leading slash");
const bookId = z.string().describe("id of the book");

function first({ entries }: { readonly entries: number }): string {
  return `the first ${entries}, fewer where names are very long`;
}

/** What `organize` with `dry_run` answers. */
export const planShape = z
  .strictObject({
    moves: z
      .array(
        z.strictObject({
          book: bookId,
          from: placeName,
          to: placeName,
          strategy: z.enum(strategies),
          bytes: count,
        }),
      )
      .describe(first(listLimits.moves)),
    move_count: count.describe("of all moves"),
    conflicts: z
      .array(
        z.strictObject({
          book: bookId,
          path: placeName,
          code: z.string(),
          with: z.string().nullable(),
          message: z.string(),
        }),
      )
      .describe(`books that are left out, and why; ${first(listLimits.conflicts)}`),
    conflict_count: count,
    skipped: z
      .array(z.strictObject({ book: bookId, reason: z.string() }))
      .describe(`books that are not due, and why; ${first(listLimits.skipped)}`),
    skipped_count: count,
    bytes_needed: count.describe("to be written beyond what links and reflinks share"),
    bytes_free: count.describe("where the least is free of what is written to"),
  })
  .meta({ title: "plan" });

/** A batch as `history` lists it. */
export const batchShape = z
  .strictObject({
    operation_id: operationId,
    kind: z.enum(["organize", "undo"]),
    state: z.enum(["open", "ended", "rolled_back", "partly_undone", "undone"]),
    started_at: time,
    finished_at: time.nullable(),
    books: count,
    files: count,
    bytes: count,
    strategy: z.record(z.string(), count).describe("what was done → for how many files"),
    undoes: z.string().nullable().describe("of an undo: the batch that it took back"),
    undone_by: z.string().nullable().describe("the operation that took it back"),
    undoable_until: time.nullable().describe("null where it cannot be undone, or not any more"),
    moves: z
      .array(z.strictObject({ from: placeName, to: placeName }))
      .optional()
      .describe(`only where one batch is asked for: ${first(listLimits.moves)}`),
    move_count: count.optional().describe("of all its moves, with `moves`"),
  })
  .meta({ title: "batch" });
