import { z } from "zod";
import { severities } from "../domain/diagnostic.ts";
import { operationKinds, operationStates, priorities } from "../domain/operation.ts";
import { wireErrorCodes } from "../errors.ts";

/*
 * The shapes that travel, with the exact keys of the contract: keys may be added here, none may be renamed
 * or removed, since other people's templates rely on them.
 */

export const count = z.int().min(0);
export const time = z.iso.datetime().describe("RFC 3339, UTC");
export const percent = z.number().min(0).max(100).nullable().describe("null while the total is unknown");
export const operationId = z.string().describe("id of the operation");

/** What every JSON state carries beside its own keys. */
export const stamp = {
  ts: time.describe("when it was published, RFC 3339, UTC"),
  boot_id: z.string().describe("changes with every start of the runner"),
  seq: z.int().min(1).describe("rises by one per topic and start"),
};

export const errorShape = z
  .strictObject({
    code: z.enum(wireErrorCodes),
    message: z.string(),
    retryable: z.boolean().describe("whether the same request may succeed later"),
    details: z.record(z.string(), z.unknown()).nullable(),
  })
  .meta({ title: "error" });

export const infoShape = {
  schema: z.literal("1").describe("only keys are added under it"),
  version: z.string(),
  node: z.string(),
  node_id: z.string().describe("a UUID that stays with the data folder"),
  plugins: z.array(z.strictObject({ name: z.string(), state: z.string(), error: z.string().nullable() })),
  roots: z.array(
    z.strictObject({
      id: z.string(),
      kind: z.enum(["library", "inbox"]),
      state: z.enum(["online", "offline"]),
    }),
  ),
  capabilities: z.array(z.string()),
};

export const scanShape = {
  state: z.enum(["idle", "walking", "reading", "saving", "paused", "resuming", "failed"]),
  operation_id: operationId.nullable(),
  root_id: z.string().nullable(),
  path: z.string().nullable().describe("the folder at work, from the root"),
  dirs_found: count,
  dirs_done: count,
  files_found: count,
  files_done: count,
  books_found: count,
  percent,
  eta_seconds: z.number().min(0).nullable(),
  resumed_from: z.string().nullable().describe("the folder after which an interrupted scan went on"),
  problems: count,
};

const waitingReasons = ["scope_busy", "dependency", "retry", "paused", "no_worker"] as const;

export const queueShape = {
  state: z.enum(["running", "paused", "stopped"]),
  paused_kinds: z.array(z.enum(operationKinds)).describe("kinds that are paused by themselves"),
  counts: z.strictObject({
    queued: count,
    waiting: count,
    running: count,
    completed: count,
    failed: count,
    cancelled: count,
    interrupted: count,
  }),
  by_priority: z.strictObject({ low: count, normal: count, high: count }),
  workers: z.strictObject({ current: count, min: count, max: count }),
  oldest_wait_seconds: z.number().min(0),
  running: z.array(
    z.strictObject({ operation_id: operationId, kind: z.enum(operationKinds), scope: z.string(), percent }),
  ),
  waiting: z
    .array(
      z.strictObject({
        operation_id: operationId,
        kind: z.enum(operationKinds),
        scope: z.string(),
        reason: z.enum(waitingReasons),
        retry_at: time.nullable().describe("not before then it is tried again"),
        waits_for: z.array(operationId).describe("operations that must end before it, the first 20"),
      }),
    )
    .describe("the first 20"),
};

const totals = {
  books: count.describe("present ones only"),
  authors: count,
  series: count,
  files: count,
  bytes: count,
  duration_seconds: z.number().min(0),
  missing: count,
  needs_review: count,
  last_scan: time.nullable().describe("when the last complete scan ended"),
};

export const libraryShape = {
  ...totals,
  roots: z.record(z.string(), z.strictObject(totals)).describe("the same per root"),
};

export const diagnosticsShape = {
  worst: z.enum(severities),
  checks: z.array(
    z.strictObject({
      check: z.string(),
      severity: z.enum(severities),
      message: z.string(),
      remedy: z.string().nullable(),
    }),
  ),
};

export const breakerShape = {
  source: z.string(),
  state: z.enum(["closed", "open", "half_open", "isolated"]),
  failures: count.describe("in a row, up to now"),
  opened_at: time.nullable(),
  next_probe_at: time.nullable().describe("from then on one request tries whether it answers again"),
  last_error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  calls: count.describe("requests sent since the start"),
  coalesced: count.describe("look-ups since the start that another one's answer was good for"),
};

export const settingsShape = {
  scan_concurrency: z.int().min(1),
  operation_concurrency: z.int().min(1),
  organize_strategy: z.string(),
  log_level: z.string(),
};

export const coverShape = {
  book: z.strictObject({ id: z.string(), title: z.string(), authors: z.array(z.string()) }),
  url: z.string().describe("of the picture; another one when the book has changed"),
  added_at: time,
};

export const memoryShape = {
  level: z.enum(["normal", "elevated", "critical"]),
  rss_bytes: count,
  heap_bytes: count,
  limit_bytes: count,
  actions: count.describe("measures taken since the start"),
};

export const healthShape = {
  uptime_seconds: z.number().min(0),
  mqtt: z.strictObject({
    connected: z.boolean(),
    reconnects: count,
    outbox: count.describe("messages that wait to be sent"),
    dropped: count.describe("events and answers that were given up since the start"),
  }),
  event_loop_delay_p99_ms: z.number().min(0),
  queue: z.strictObject({ running: count, waiting: count }),
  worst_diagnostic: z.enum(severities),
};

export const eventTypes = [
  "scan_started",
  "scan_finished",
  "book_added",
  "book_changed",
  "book_missing",
  "organize_finished",
  "organize_rolled_back",
  "undo_finished",
  "operation_failed",
  "needs_review",
  "breaker_opened",
  "breaker_closed",
  "diagnostics_changed",
  "memory_pressure",
] as const;

export const eventShape = z.looseObject({
  event_type: z.enum(eventTypes),
  ...stamp,
});

export const logShape = z.strictObject({ ...stamp, level: z.string(), message: z.string() });

export const bookStates = ["present", "missing", "needs_review", "offline"] as const;

const series = z.strictObject({ name: z.string(), position: z.string().nullable() });

const bookKeys = {
  id: z.string(),
  root_id: z.string(),
  path: z.string(),
  state: z.enum(bookStates),
  title: z.string(),
  subtitle: z.string().nullable(),
  authors: z.array(z.string()),
  narrators: z.array(z.string()),
  series: z.array(series),
  year: z.int().nullable(),
  publisher: z.string().nullable(),
  language: z.string().nullable(),
  asin: z.string().nullable(),
  isbn: z.string().nullable(),
  duration_seconds: z.number(),
  bytes: count,
  format: z.string(),
  track_count: count,
  chapter_count: count,
  has_cover: z.boolean(),
  added_at: time,
  changed_at: time,
};

/** A book as `query` lists it. */
export const bookSummaryShape = z.strictObject(bookKeys).meta({ title: "listed book" });

export const operationShape = z
  .strictObject({
    operation_id: operationId,
    kind: z.enum(operationKinds),
    state: z.enum(operationStates),
    priority: z.enum(priorities),
    scope: z.string().describe("root id, colon, path from the root with a leading slash"),
    scopes: z.array(z.string()),
    percent,
    attempts: count,
    created_at: time,
    started_at: time.nullable(),
    finished_at: time.nullable(),
    transaction: z.string().nullable(),
    error: errorShape
      .nullable()
      .describe("why it failed; of one that waits for another try: why the last failed"),
    summary: z.record(z.string(), z.unknown()).nullable(),
  })
  .meta({ title: "operation" });

/** A book whole, as `book` and `set` answer it. */
export const bookShape = z
  .strictObject({
    ...bookKeys,
    description: z.string().nullable(),
    genres: z.array(z.string()),
    explicit: z.boolean().nullable(),
    abridged: z.boolean().nullable(),
    reason: z.string().describe("why these files are one book"),
    review_reason: z.string().nullable(),
    cover: z
      .strictObject({
        kind: z.enum(["file", "embedded", "fetched"]),
        path: z.string().describe("from the root; of a fetched one from the data folder"),
      })
      .nullable(),
    tracks: z.array(
      z.strictObject({
        path: z.string(),
        title: z.string().nullable(),
        disc: z.int().nullable(),
        track: z.int().nullable(),
        duration_seconds: z.number(),
        bytes: count,
        format: z.string(),
      }),
    ),
    chapters: z.array(z.strictObject({ title: z.string(), start_ms: z.number(), end_ms: z.number() })),
    companions: z.array(z.strictObject({ path: z.string(), kind: z.string(), bytes: count })),
    provenance: z.record(z.string(), z.string()).describe("field → the source that its value came from"),
    matches: z
      .array(z.strictObject({ source: z.string(), id: z.string(), score: z.number().nullable() }))
      .describe("the sources' books that were taken for it; `score` is null where a person chose"),
    candidates: z
      .array(
        z.strictObject({
          source: z.string(),
          id: z.string(),
          score: z.number().min(0).max(1),
          reasons: z.array(z.string()),
          title: z.string(),
          authors: z.array(z.string()),
          narrators: z.array(z.string()),
          series: z.array(z.strictObject({ name: z.string(), position: z.string().nullable() })),
          year: z.int().nullable(),
          duration_seconds: z.number().nullable(),
        }),
      )
      .describe("what a person has to choose from with `match`, best first"),
    history: z.array(operationShape).describe("operations that touched it, newest first"),
  })
  .meta({ title: "book" });
