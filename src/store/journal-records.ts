import { z } from "zod";
import type { BatchRecord, JournalRecord } from "../domain/journal.ts";
import { methods, strategies } from "../domain/organize.ts";
import type { DocumentKind } from "./document-versions.ts";

const number = z.int().min(0);
const decimal = z.string().regex(/^-?\d+$/);
const place = z.strictObject({ rootId: z.string(), path: z.string() });
const bookPlace = z.strictObject({ rootId: z.string(), path: z.string(), unitPath: z.string() });
const identity = z.strictObject({ dev: decimal, ino: decimal, birthtimeNs: decimal });
const facts = z.strictObject({ identity, sizeBytes: number, mtimeNs: decimal, mode: number });
const hash = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .nullable();

const role = z.enum(["track", "companion", "cover", "sidecar"]);
const removes = z.array(z.strictObject({ file: place, facts, how: z.enum(["unlink", "discard"]) }));
const relocates = z
  .strictObject({
    from: place,
    to: place,
    there: z.strictObject({ facts, sha256: hash }).nullable(),
  })
  .nullable();

/** The records as they lie in a file of schema version 1. */
const journalRecord: z.ZodType<JournalRecord> = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("begun"),
    schemaVersion: z.literal(1),
    operationId: z.string(),
    kind: z.enum(["organize", "undo"]),
    undoes: z.string().nullable(),
    roots: z.array(
      z.strictObject({ id: z.string(), path: z.string(), ino: decimal, kind: z.enum(["library", "inbox"]) }),
    ),
    at: z.string(),
    planned: z.record(z.string(), z.unknown()),
  }),
  z.strictObject({
    type: z.literal("book"),
    bookId: z.string(),
    title: z.string(),
    from: bookPlace,
    to: bookPlace,
  }),
  z.strictObject({
    type: z.literal("folder_seen"),
    folder: place,
    mtimeNs: decimal,
    mode: number,
    uid: number,
    gid: number,
  }),
  z.strictObject({ type: z.literal("folder_planned"), folder: place, atNs: decimal }),
  z.strictObject({ type: z.literal("folder_made"), folder: place, identity }),
  z.strictObject({
    type: z.literal("planned"),
    n: number,
    bookId: z.string(),
    role,
    place: z
      .strictObject({
        source: place,
        facts,
        sha256: hash,
        destination: place,
        strategy: z.enum(strategies),
        temporaryName: z.string(),
      })
      .nullable(),
    removes,
    relocates,
  }),
  z.strictObject({
    type: z.literal("made"),
    n: number,
    method: z.enum(methods),
    as: z.enum(["temporary", "reservation"]),
    identity,
  }),
  z.strictObject({ type: z.literal("done"), n: number, method: z.enum(methods), facts, sha256: hash }),
  z.strictObject({ type: z.literal("committed"), at: z.string() }),
  z.strictObject({
    type: z.literal("ended"),
    at: z.string(),
    kept: z.array(z.strictObject({ n: number, file: place, reason: z.string() })),
    trashed: z.array(z.strictObject({ n: number, file: place, trash: place })),
    folders: z.array(z.strictObject({ folder: place, mtimeNs: decimal })),
  }),
  z.strictObject({
    type: z.literal("parked"),
    at: z.string(),
    rest: z.array(
      z.strictObject({
        n: number,
        bookId: z.string(),
        role,
        place: z
          .strictObject({
            source: place,
            destination: place,
            strategy: z.enum(strategies),
            known: z.strictObject({ facts, sha256: hash }).nullable(),
            discardsSource: z.boolean(),
          })
          .nullable(),
        removes,
        relocates,
      }),
    ),
    bytes: number,
  }),
  z.strictObject({ type: z.literal("rolled_back"), at: z.string(), reason: z.string() }),
]);

/** Throws where one of them is no record that this program knows. */
export function parseRecords(records: readonly unknown[]): readonly JournalRecord[] {
  return records.map((record) => journalRecord.parse(record));
}

const batchFields = z.strictObject({
  kind: z.enum(["organize", "undo"]),
  undoes: z.string().nullable(),
  state: z.enum(["open", "ended", "rolled_back", "partly_undone", "undone"]),
  undoneBy: z.string().nullable(),
  books: number,
  files: number,
  bytes: number,
  startedAt: z.string(),
  finishedAt: z.string().nullable(),
  summary: z.string().nullable(),
  journalBytes: number.nullable(),
  hasTrash: z.boolean(),
  operationId: z.string(),
});

export const batchDocuments: DocumentKind<BatchRecord> = {
  name: "batches",
  schemaVersion: 1,
  migrations: [],
  toFields: (batch) => ({ ...batch, summary: batch.summary === null ? null : JSON.stringify(batch.summary) }),
  fromFields: (value) => {
    const fields = batchFields.parse(value);
    return { ...fields, summary: fields.summary === null ? null : JSON.parse(fields.summary) };
  },
};
