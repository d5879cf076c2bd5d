import { z } from "zod";
import type { DocumentKind } from "./document-versions.ts";
import {
  type Documents,
  isReported,
  openDocuments,
  type StoreFile,
  type StoreFileOptions,
} from "./documents.ts";
import type { CommandRecord, CommandStore } from "./ports.ts";

/** The contract: the same transaction within 24 hours does nothing twice. */
const maxAgeMs = 24 * 60 * 60 * 1000;
/**
 * What a day may hold in memory: twice the largest burst that is promised, and answers of 16 MiB. Beyond, the
 * oldest complete records go first; one that still owes an answer never does.
 */
const maxCount = 20_000;
const maxAnswerBytes = 16 * 1024 * 1024;

/** Opens the answered commands; a complete record is forgotten 24 hours after its command came. */
export async function openCommands(options: StoreFileOptions): Promise<CommandStore & StoreFile> {
  const held: Held = { byAge: new Map(), open: new Set(), answerBytes: 0 };
  const changed = (key: string, before: CommandDocument | null, after: CommandDocument | null) =>
    hold(held, key, before, after);
  const documents = await openDocuments({ ...options, kind: commandDocuments, changed });
  sortByAge(held);
  const forget = expired(held, options.now());
  if (forget.length > 0 && !documents.readOnly) await documents.write({ removes: forget }).catch(isReported);
  return {
    get readOnly() {
      return documents.readOnly;
    },
    put: (record) => {
      const puts = new Map([[keyOf(record.command, record.transaction), toDocument(record)]]);
      return documents.write({ puts, removes: expired(held, options.now()) });
    },
    get: (command, transaction) => get(documents, keyOf(command, transaction), options.now()),
    open: () => openRecords(documents, held),
    reopen: () => documents.reopen(),
    verify: () => documents.verify(),
    close: () => documents.close(),
  };
}

const fields = z.strictObject({
  command: z.string(),
  transaction: z.string(),
  operationIds: z.array(z.string()),
  responseTopic: z.string().nullable(),
  correlationData: z.string().nullable(),
  /** JSON. */
  answers: z.string(),
  complete: z.boolean(),
  createdAt: z.string(),
});
type CommandDocument = Readonly<z.infer<typeof fields>>;

const commandDocuments: DocumentKind<CommandDocument> = {
  name: "commands",
  schemaVersion: 1,
  migrations: [],
  toFields: (document) => document,
  fromFields: (value) => fields.parse(value),
};

/** What is in memory beside the documents: which are oldest, which owe an answer, how large the answers are. */
interface Held {
  byAge: Map<string, CommandDocument>;
  readonly open: Set<string>;
  answerBytes: number;
}

function hold(held: Held, key: string, before: CommandDocument | null, after: CommandDocument | null): void {
  held.answerBytes += (after?.answers.length ?? 0) - (before?.answers.length ?? 0);
  if (after === null) held.byAge.delete(key);
  else held.byAge.set(key, after);
  if (after !== null && !after.complete) held.open.add(key);
  else held.open.delete(key);
}

/** The file has no order; afterwards records come in the order of their commands by themselves. */
function sortByAge(held: Held): void {
  held.byAge = new Map([...held.byAge].sort(([, a], [, b]) => (a.createdAt < b.createdAt ? -1 : 1)));
}

function expired(held: Held, now: Date): readonly string[] {
  const before = ageLimit(now);
  let count = held.byAge.size;
  let { answerBytes } = held;
  const keys: string[] = [];
  for (const [key, document] of held.byAge) {
    const isTooMuch = count > maxCount || answerBytes > maxAnswerBytes;
    if (!isTooMuch && document.createdAt >= before) break;
    if (!document.complete) continue;
    keys.push(key);
    count--;
    answerBytes -= document.answers.length;
  }
  return keys;
}

function get(documents: Documents<CommandDocument>, key: string, now: Date): CommandRecord | null {
  const document = documents.get(key);
  if (document === null || (document.complete && document.createdAt < ageLimit(now))) return null;
  return toRecord(document);
}

function openRecords(documents: Documents<CommandDocument>, held: Held): readonly CommandRecord[] {
  const records: CommandRecord[] = [];
  for (const key of held.open) {
    const document = documents.get(key);
    if (document !== null) records.push(toRecord(document));
  }
  return records.sort((a, b) => (a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : 0));
}

function ageLimit(now: Date): string {
  return new Date(now.getTime() - maxAgeMs).toISOString();
}

function keyOf(command: string, transaction: string): string {
  return `${command} ${transaction}`;
}

function toDocument(record: CommandRecord): CommandDocument {
  return { ...record, operationIds: [...record.operationIds], answers: JSON.stringify(record.answers) };
}

const answersSchema = z.array(z.record(z.string(), z.unknown()));

function toRecord(document: CommandDocument): CommandRecord {
  return { ...document, answers: answersSchema.parse(JSON.parse(document.answers)) };
}
