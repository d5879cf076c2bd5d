import { isEnded, type Operation } from "../domain/operation.ts";
import type { CommandRecord } from "../store/ports.ts";
import { type Answer, addUp, endedAnswer, type SumUp } from "./answers.ts";
import type { ReplyTo } from "./reply-topic.ts";

/** A command that was accepted and still owes its second answer. */
export interface OpenCommand {
  readonly record: CommandRecord;
  readonly transaction: string | null;
  /** Where else the answer goes: of the request, and of those that repeated it. */
  readonly replyTos: ReplyTo[];
  /** Those that are on their way to the broker: none, the first, both. */
  answers: readonly Answer[];
  /** Those of its operations that have ended in this run. */
  readonly ended: Map<string, Operation>;
}

interface OpenCommandsOptions {
  readonly findOperation: (id: string) => Operation | null;
  readonly sumUpOf: (command: string) => SumUp | undefined;
  /** Sends the second answer. Called once per command. */
  readonly finish: (open: OpenCommand, answer: Answer) => void;
}

/** Watches the operations of accepted commands. */
export class OpenCommands {
  readonly #options: OpenCommandsOptions;
  readonly #byKey = new Map<string, OpenCommand>();
  readonly #byOperation = new Map<string, Set<OpenCommand>>();

  constructor(options: OpenCommandsOptions) {
    this.#options = options;
  }

  get(command: string, transaction: string): OpenCommand | null {
    return this.#byKey.get(keyOf(command, transaction)) ?? null;
  }

  /** From now on the end of its operations is noticed; call `check` when its first answer is out. */
  add(open: OpenCommand): void {
    this.#byKey.set(keyOf(open.record.command, open.record.transaction), open);
    for (const id of open.record.operationIds) {
      const others = this.#byOperation.get(id) ?? new Set();
      this.#byOperation.set(id, others.add(open));
    }
  }

  /** Notes the end of an operation for all commands that wait for it, and says which. */
  ended(operation: Operation): readonly OpenCommand[] {
    const waiting = [...(this.#byOperation.get(operation.id) ?? [])];
    for (const open of waiting) open.ended.set(operation.id, operation);
    return waiting;
  }

  /** Finishes the command if all its operations have ended, or no longer exist. */
  check(open: OpenCommand): void {
    const { record } = open;
    if (!this.#isWatched(open)) return;
    const operations = record.operationIds.map((id) => open.ended.get(id) ?? this.#options.findOperation(id));
    if (operations.some((operation) => operation !== null && !isEnded(operation.state))) return;
    this.#unwatch(open);
    const sumUp = this.#options.sumUpOf(record.command) ?? addUp;
    const answer = endedAnswer(
      { ...record, transaction: open.transaction },
      record.operationIds,
      operations,
      sumUp,
    );
    open.answers = [...open.answers, answer];
    this.#options.finish(open, answer);
  }

  /** Its second answer has been delivered, or given up. */
  forget(open: OpenCommand): void {
    this.#byKey.delete(keyOf(open.record.command, open.record.transaction));
  }

  #isWatched(open: OpenCommand): boolean {
    const [first] = open.record.operationIds;
    return first !== undefined && (this.#byOperation.get(first)?.has(open) ?? false);
  }

  #unwatch(open: OpenCommand): void {
    for (const id of open.record.operationIds) {
      const others = this.#byOperation.get(id);
      others?.delete(open);
      if (others?.size === 0) this.#byOperation.delete(id);
    }
  }
}

function keyOf(command: string, transaction: string): string {
  return `${command} ${transaction}`;
}
