import type { CommandRecord } from "../store/ports.ts";
import type { Answer } from "./answers.ts";
import type { OpenCommand } from "./open-commands.ts";
import type { ReplyTo } from "./reply-topic.ts";

interface Answered {
  readonly command: string;
  readonly transaction: string | null;
  readonly answer: Answer;
  /** Empty for a command that ended at once. */
  readonly operationIds: readonly string[];
  readonly replyTos: readonly ReplyTo[];
  readonly at: Date;
  /** For the key of a command without a transaction, which is owed its second answer too. */
  readonly newId: () => string;
}

/** Stands before what no client can send as a transaction. */
const ownKeyMark = "~";

export function recordOf(answered: Answered): CommandRecord {
  const [replyTo] = answered.replyTos;
  return {
    command: answered.command,
    transaction: answered.transaction ?? `${ownKeyMark}${answered.newId()}`,
    operationIds: answered.operationIds,
    responseTopic: replyTo?.topic ?? null,
    correlationData: replyTo?.correlationData?.toString("base64") ?? null,
    answers: [{ ...answered.answer }],
    complete: answered.operationIds.length === 0,
    createdAt: answered.at.toISOString(),
  };
}

/** The record of an accepted command once its second answer is delivered. */
export function completeRecord(open: OpenCommand): CommandRecord {
  return { ...open.record, answers: open.answers.map((answer) => ({ ...answer })), complete: true };
}

/** The command of an earlier run that still owes its second answer. */
export function openCommandOf(record: CommandRecord): OpenCommand {
  const { responseTopic, correlationData } = record;
  const replyTo =
    responseTopic === null ? [] : [{ topic: responseTopic, correlationData: decoded(correlationData) }];
  const transaction = record.transaction.startsWith(ownKeyMark) ? null : record.transaction;
  return { record, transaction, replyTos: replyTo, answers: answersOf(record), ended: new Map() };
}

/** What the store keeps as plain objects is what the functions above put there. */
export function answersOf(record: CommandRecord): readonly Answer[] {
  return record.answers as unknown as readonly Answer[];
}

function decoded(base64: string | null): Buffer | null {
  return base64 === null ? null : Buffer.from(base64, "base64");
}
