import { z } from "zod";
import type { Operation } from "../domain/operation.ts";
import { operationKinds, operationStates, priorities } from "../domain/operation.ts";
import { wireErrorCodes } from "../errors.ts";
import type { DocumentKind, Fields } from "./document-versions.ts";

const operationFields = z.strictObject({
  id: z.string(),
  /** Rises with every new operation: the order of those that were created in the same millisecond. */
  sequence: z.number(),
  kind: z.enum(operationKinds),
  state: z.enum(operationStates),
  priority: z.enum(priorities),
  scopes: z.array(z.string()),
  reads: z.array(z.string()),
  after: z.array(z.string()),
  afterAny: z.array(z.string()),
  /** JSON, as `error` and `summary`. */
  input: z.string(),
  transaction: z.string().nullable(),
  percent: z.number().nullable(),
  attempts: z.number(),
  createdAt: z.string(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  error: z.string().nullable(),
  /** JSON of all of them. */
  errors: z.string(),
  retryAt: z.string().nullable(),
  isParked: z.boolean(),
  crashes: z.number(),
  crashedAt: z.number(),
  mergedInto: z.string().nullable(),
  summary: z.string().nullable(),
});

const json = z.record(z.string(), z.unknown());
const errorRecord = z.object({
  code: z.enum(wireErrorCodes),
  message: z.string(),
  retryable: z.boolean(),
  details: json.nullable(),
});

/** An operation as it is stored: flat, what is free-form in it as text. */
export type OperationDocument = Readonly<z.infer<typeof operationFields>>;

export const operationDocuments: DocumentKind<OperationDocument> = {
  name: "operations",
  schemaVersion: 2,
  migrations: [withWaiting],
  toFields: (document) => document,
  fromFields: (fields) => operationFields.parse(fields),
};

/** Version 2 knows what an operation waits for and how often it was tried. */
function withWaiting(fields: Fields): Fields {
  return {
    ...fields,
    reads: [],
    after: [],
    afterAny: [],
    errors: "[]",
    retryAt: null,
    isParked: false,
    crashes: 0,
    crashedAt: 0,
    mergedInto: null,
  };
}

export function toDocument(operation: Operation, sequence: number): OperationDocument {
  const { error, summary } = operation;
  return {
    id: operation.id,
    sequence,
    kind: operation.kind,
    state: operation.state,
    priority: operation.priority,
    scopes: [...operation.scopes],
    reads: [...operation.reads],
    after: [...operation.after],
    afterAny: [...operation.afterAny],
    input: JSON.stringify(operation.input),
    transaction: operation.transaction,
    percent: operation.percent,
    attempts: operation.attempts,
    createdAt: operation.createdAt,
    startedAt: operation.startedAt,
    finishedAt: operation.finishedAt,
    error: error === null ? null : JSON.stringify(error),
    errors: JSON.stringify(operation.errors),
    retryAt: operation.retryAt,
    isParked: operation.isParked,
    crashes: operation.crashes,
    crashedAt: operation.crashedAt,
    mergedInto: operation.mergedInto,
    summary: summary === null ? null : JSON.stringify(summary),
  };
}

export function toOperation(document: OperationDocument): Operation {
  const { sequence: _, error, summary, ...rest } = document;
  return {
    ...rest,
    input: json.parse(JSON.parse(document.input)),
    error: error === null ? null : errorRecord.parse(JSON.parse(error)),
    errors: z.array(errorRecord).parse(JSON.parse(document.errors)),
    summary: summary === null ? null : json.parse(JSON.parse(summary)),
  };
}
