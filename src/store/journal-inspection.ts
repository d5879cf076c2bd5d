import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { BatchRecord, JournalRecord } from "../domain/journal.ts";
import { systemCode } from "../errors.ts";
import { messageOf } from "./document-inspection.ts";
import { keepDamagedCopy } from "./durable.ts";
import { type JournalReading, readJournal } from "./journal-file.ts";
import { parseRecords } from "./journal-records.ts";
import type { StoreIssue } from "./ports.ts";

export const journalEnding = ".journal";

/** What the start found in the folder of journals. */
export interface JournalsFound {
  readonly issues: readonly StoreIssue[];
  /** Batches whose journal is there and which the index does not know. */
  readonly unknown: readonly BatchRecord[];
}

/**
 * Reads every journal once, one after the other, and says what is wrong with it. An unfinished write at the end of
 * an open batch's journal is no loss: a copy is kept, and recovery goes by what stands before it. Damage further in
 * is fatal there, since nobody can say what the batch did. In the journal of an ended batch any damage takes only
 * its undo away.
 */
export async function inspectJournals(
  folder: string,
  batches: readonly BatchRecord[],
  now: Date,
): Promise<JournalsFound> {
  const issues: StoreIssue[] = [];
  const unknown: BatchRecord[] = [];
  const byId = new Map(batches.map((batch) => [batch.operationId, batch]));
  const ids = await journalIds(folder);
  for (const id of ids) {
    const file = path.join(folder, `${id}${journalEnding}`);
    const batch = byId.get(id);
    const content = await readFile(file);
    const reading = readJournal(content);
    if (batch === undefined) {
      const adopted = adopt(reading, content.length);
      if (adopted === null)
        issues.push(damaged(file, "it is unreadable and the index does not know its batch"));
      else unknown.push(adopted);
    } else if (batch.state === "open") {
      const issue = await judgeOpen(file, reading, now);
      if (issue !== null) issues.push(issue);
    } else {
      const wrong = endedProblem(reading, content.length, batch);
      if (wrong !== null) issues.push(undoLost(file, wrong, batch));
    }
  }
  const there = new Set(ids);
  for (const batch of batches) {
    if (there.has(batch.operationId) || batch.state === "open") continue;
    issues.push(undoLost(path.join(folder, `${batch.operationId}${journalEnding}`), "it is missing", batch));
  }
  return { issues, unknown };
}

/** Why the journal of an ended batch cannot be trusted; null where it can. */
export function endedProblem(
  { damage }: JournalReading,
  sizeBytes: number,
  batch: Pick<BatchRecord, "journalBytes">,
): string | null {
  if (damage !== null) return `it is damaged at byte ${damage.offsetBytes}`;
  if (batch.journalBytes !== null && batch.journalBytes !== sizeBytes) {
    return `it is ${sizeBytes} bytes long and was ${batch.journalBytes}`;
  }
  return null;
}

/** The index's record of a batch, made of its journal. Null where the journal does not begin as one. */
export function batchOf(records: readonly JournalRecord[], journalBytes: number): BatchRecord | null {
  const [begun] = records;
  if (begun?.type !== "begun") return null;
  const last = records.at(-1);
  const hasEnded = last?.type === "ended" || last?.type === "rolled_back";
  const placed = records.flatMap((record) => (record.type === "planned" ? [record] : []));
  return {
    operationId: begun.operationId,
    kind: begun.kind,
    undoes: begun.undoes,
    state: last?.type === "ended" ? "ended" : last?.type === "rolled_back" ? "rolled_back" : "open",
    undoneBy: null,
    books: records.filter((record) => record.type === "book").length,
    files: placed.length,
    bytes: placed.reduce((sum, { place, removes }) => sum + ((place ?? removes[0])?.facts.sizeBytes ?? 0), 0),
    startedAt: begun.at,
    finishedAt: hasEnded ? last.at : null,
    summary: null,
    journalBytes: hasEnded ? journalBytes : null,
    hasTrash: last?.type === "ended" && last.trashed.length > 0,
  };
}

async function journalIds(folder: string): Promise<readonly string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter((name) => name.endsWith(journalEnding))
      .map((name) => name.slice(0, -journalEnding.length));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

function adopt(reading: JournalReading, sizeBytes: number): BatchRecord | null {
  if (reading.damage?.kind === "inside") return null;
  try {
    return batchOf(parseRecords(reading.records), sizeBytes);
  } catch {
    return null;
  }
}

async function judgeOpen(file: string, reading: JournalReading, now: Date): Promise<StoreIssue | null> {
  try {
    parseRecords(reading.records);
  } catch (error) {
    return damaged(file, `a record of it is not understood (${messageOf(error)})`);
  }
  const { damage } = reading;
  if (damage === null) return null;
  if (damage.kind === "inside") return damaged(file, `it is damaged at byte ${damage.offsetBytes}`);
  const copy = await keepDamagedCopy(file, now);
  return {
    store: "journals",
    severity: "warn",
    code: "store_damaged",
    message: `${file} ends in an unfinished write at byte ${damage.offsetBytes}; the file as it was is ${copy}`,
    remedy: "Nothing has to be done; delete the copy when you do not need it.",
  };
}

function damaged(file: string, what: string): StoreIssue {
  return {
    store: "journals",
    severity: "fatal",
    code: "store_damaged",
    message: `the journal ${file} cannot be trusted: ${what}`,
    remedy:
      "The file was left as it is, and so was every book. Restore it from a backup; or look at the folders that it " +
      "names (they stand in it as text), then move it away: nothing that its batch did is taken back then.",
  };
}

function undoLost(file: string, what: string, batch: BatchRecord): StoreIssue {
  return {
    store: "journals",
    severity: "warn",
    code: "store_damaged",
    message: `the journal ${file} of an ended batch (${batch.books} books, ${batch.finishedAt}) cannot be trusted: ${what}`,
    remedy:
      "Its books are not touched; that batch cannot be undone. Restore the file from a backup, or leave it to expire.",
  };
}
