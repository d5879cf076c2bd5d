import { z } from "zod";
import type { ScanCheckpoint, ScanProblem, ScanProblemCode } from "../domain/scan.ts";
import type { DocumentKind } from "./document-versions.ts";
import { type Documents, openDocuments, type StoreFile, type StoreFileOptions } from "./documents.ts";
import type { CheckpointStore } from "./ports.ts";

/** As many as a scan's summary shows. */
const keptProblems = 100;

/**
 * Opens the checkpoints. A save writes one record of the scan's position and one per new problem, so it costs
 * the same for the first folder and the millionth.
 */
export async function openCheckpoints(options: StoreFileOptions): Promise<CheckpointStore & StoreFile> {
  const documents = await openDocuments({ ...options, kind: checkpointDocuments });
  return {
    get readOnly() {
      return documents.readOnly;
    },
    save: (checkpoint, newProblems) => save(documents, checkpoint, newProblems),
    load: (operationId) => load(documents, operationId),
    keepOnly: (isKept) => keepOnly(documents, isKept),
    reopen: () => documents.reopen(),
    verify: () => documents.verify(),
    close: () => documents.close(),
  };
}

const fields = z.discriminatedUnion("record", [
  z.strictObject({ record: z.literal("position"), problemCount: z.number(), checkpoint: z.string() }),
  z.strictObject({ record: z.literal("problem"), problem: z.string() }),
]);
/** The position counts the problems that belong to it: one behind that count was never acknowledged. */
type CheckpointDocument = Readonly<z.infer<typeof fields>>;

const checkpointDocuments: DocumentKind<CheckpointDocument> = {
  name: "checkpoints",
  schemaVersion: 1,
  migrations: [],
  toFields: (document) => document,
  fromFields: (value) => fields.parse(value),
};

async function save(
  documents: Documents<CheckpointDocument>,
  checkpoint: ScanCheckpoint,
  newProblems: readonly ScanProblem[],
): Promise<void> {
  const { operationId } = checkpoint;
  const before = problemCountOf(documents, operationId);
  const kept = newProblems.slice(0, keptProblems - before);
  const puts = new Map<string, CheckpointDocument>();
  for (const [index, problem] of kept.entries()) {
    puts.set(problemKey(operationId, before + index), {
      record: "problem",
      problem: JSON.stringify(problem),
    });
  }
  const problemCount = before + kept.length;
  puts.set(operationId, { record: "position", problemCount, checkpoint: JSON.stringify(checkpoint) });
  await documents.write({ puts });
}

function load(
  documents: Documents<CheckpointDocument>,
  operationId: string,
): { readonly checkpoint: ScanCheckpoint; readonly problems: readonly ScanProblem[] } | null {
  const position = documents.get(operationId);
  if (position?.record !== "position") return null;
  const problems: ScanProblem[] = [];
  for (let index = 0; index < position.problemCount; index++) {
    const problem = documents.get(problemKey(operationId, index));
    if (problem?.record === "problem") problems.push(problemSchema.parse(JSON.parse(problem.problem)));
  }
  return { checkpoint: checkpointSchema.parse(JSON.parse(position.checkpoint)), problems };
}

async function keepOnly(
  documents: Documents<CheckpointDocument>,
  isKept: (operationId: string) => boolean,
): Promise<void> {
  const removes = [...documents.keys()].filter((key) => !isKept(operationIdOf(key)));
  if (removes.length > 0) await documents.write({ removes });
}

function problemCountOf(documents: Documents<CheckpointDocument>, operationId: string): number {
  const position = documents.get(operationId);
  return position?.record === "position" ? position.problemCount : 0;
}

function problemKey(operationId: string, index: number): string {
  return `${operationId}/${index}`;
}

function operationIdOf(key: string): string {
  return key.split("/", 1)[0] ?? key;
}

const count = z.number().int().min(0);
const checkpointSchema: z.ZodType<ScanCheckpoint> = z.object({
  operationId: z.string(),
  rootId: z.string(),
  cursor: z.string(),
  counts: z.object({ dirs: count, files: count, problemCount: count }),
  elapsedMs: z.number(),
  savedAt: z.string(),
});
const problemSchema: z.ZodType<ScanProblem> = z.object({
  path: z.string(),
  code: z.custom<ScanProblemCode>((value) => typeof value === "string"),
  message: z.string(),
});
