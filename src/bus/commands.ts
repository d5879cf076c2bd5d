import type { Operation, Priority } from "../domain/operation.ts";
import { AppError, toErrorRecord } from "../errors.ts";
import type { CommandRecord, CommandStore } from "../store/ports.ts";
import { AnswerCache } from "./answer-cache.ts";
import { type Answer, acceptedAnswer, errorAnswer, okAnswer, type SumUp } from "./answers.ts";
import { answersOf, completeRecord, openCommandOf, recordOf } from "./command-record.ts";
import type { IncomingMessage } from "./connection.ts";
import { type OpenCommand, OpenCommands } from "./open-commands.ts";
import type { OutgoingMessage } from "./outbox.ts";
import type { BusLog, Clock } from "./ports.ts";
import { type ReplyTo, replyTosOf } from "./reply-topic.ts";
import { type GoodRequest, readRequest } from "./request.ts";
import { TaskQueue } from "./task-queue.ts";
import {
  type CommandData,
  type CommandInput,
  type CommandName,
  commandNamePattern,
  commands,
  isCommandName,
} from "./topics.ts";

/** What a handler is told beside the command's own keys. */
interface CommandContext {
  readonly transaction: string | null;
  readonly priority: Priority;
}

/** `data` is the answer's; a command that starts operations gives their ids instead, at least one. */
type CommandOutcome<C extends CommandName> = Outcomes<C>[(typeof commands)[C]["manner"]];

interface Outcomes<C extends CommandName> {
  readonly reads: { readonly data: CommandData<C> };
  readonly acts: { readonly data: CommandData<C> };
  readonly starts: { readonly operationIds: readonly string[] };
  readonly starts_or_reads: Outcomes<C>["starts"] | Outcomes<C>["reads"];
}

interface CommandHandler<C extends CommandName> {
  /** An `AppError` becomes the answer's error; anything else is logged and answered as `internal`. */
  run(input: CommandInput<C>, context: CommandContext): CommandOutcome<C> | Promise<CommandOutcome<C>>;
  /** The summary of several operations; without it numbers are added and lists joined. */
  readonly sumUp?: SumUp;
}

export type CommandHandlers = { readonly [C in CommandName]: CommandHandler<C> };

interface CommandsOptions {
  readonly base: string;
  readonly store: CommandStore;
  readonly findOperation: (id: string) => Operation | null;
  readonly handlers: CommandHandlers;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly log: BusLog;
  /** `settled` is told once whether the broker has it, or it was given up. */
  readonly send: (message: OutgoingMessage, settled?: (delivered: boolean) => void) => void;
  /** True while more answers wait to be sent than is good: commands wait then. */
  readonly isCongested: () => boolean;
}

/** A handler as it is called, whatever its command: `readRequest` has checked the input against the table. */
interface AnyHandler {
  run(input: Readonly<Record<string, unknown>>, context: CommandContext): AnyOutcome | Promise<AnyOutcome>;
  readonly sumUp?: SumUp;
}
type AnyOutcome = { readonly operationIds: readonly string[] } | { readonly data: unknown };

const concurrency = 128;
/** Beyond these a command is answered with `busy` at once. */
const maxWaiting = 20_000;
const maxWaitingBytes = 32 * 1_048_576;

/**
 * Takes commands from the bus, runs each once and answers each. The same transaction of the same command
 * within 24 hours is answered again and does nothing, whatever its payload; the record of it is durable before
 * the first answer goes out, except for commands that change nothing.
 */
export class Commands {
  readonly #options: CommandsOptions;
  readonly #handlers: { readonly [C in CommandName]: AnyHandler };
  readonly #queue: TaskQueue;
  readonly #open: OpenCommands;
  readonly #cache: AnswerCache;
  /** Transactions whose first answer is being made. */
  readonly #beingAnswered = new Map<string, Promise<unknown>>();
  /** Records that are on their way to the store behind a delivered answer. */
  readonly #beingKept = new Set<Promise<void>>();
  #waitingBytes = 0;
  #stopping = false;

  constructor(options: CommandsOptions) {
    this.#options = options;
    this.#handlers = options.handlers;
    this.#cache = new AnswerCache(options.clock);
    this.#queue = new TaskQueue({ concurrency, clock: options.clock, isHeldUp: options.isCongested });
    this.#open = new OpenCommands({
      findOperation: options.findOperation,
      sumUpOf: (command) => (isCommandName(command) ? this.#handlers[command].sumUp : undefined),
      finish: (open, answer) => this.#finish(open, answer),
    });
  }

  /** Takes what arrived on a command topic. Never throws and never waits. */
  receive(message: IncomingMessage): void {
    // The empty payload is how a retained message is cleared.
    if (message.payload.length === 0) return;
    const { log, base } = this.#options;
    const name = message.topic.slice(`${base}/cmd/`.length);
    if (!commandNamePattern.test(name)) {
      log.warn(`Ignored a command whose name is not one: ${JSON.stringify(name.slice(0, 64))}`);
      return;
    }
    if (message.retain) {
      log.warn(
        `A retained message on ${message.topic} was not executed: commands are sent without the retain flag ` +
          `(clear it with an empty retained message)`,
      );
      return;
    }
    const sizeBytes = message.payload.length;
    if (this.#queue.waiting >= maxWaiting || this.#waitingBytes + sizeBytes > maxWaitingBytes) {
      this.#turnAway(name, message, "More commands wait than the runner takes; send it again later");
      return;
    }
    this.#waitingBytes += sizeBytes;
    this.#queue.add(async () => {
      this.#waitingBytes -= sizeBytes;
      await this.#process(name, message).catch((error: unknown) => {
        log.error(`A command "${name}" could not be answered: ${toErrorRecord(error).message}`);
      });
    });
  }

  /** Tells it that an operation has ended; commands that waited for it get their second answer. */
  operationEnded(operation: Operation): void {
    for (const open of this.#open.ended(operation)) {
      // Where the first answer is not out yet, whoever sends it looks again.
      if (open.answers.length > 0) this.#queue.add(async () => this.#open.check(open));
    }
  }

  /** Takes up what an earlier run still owes an answer; operations that ended meanwhile are answered. */
  resume(): void {
    for (const record of this.#options.store.open()) this.#resume(record);
  }

  /** Commands that have not begun are turned away; resolves when those that have are answered. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#queue.idle();
  }

  /** Resolves when what has been delivered is recorded as such. */
  async recorded(): Promise<void> {
    await Promise.all(this.#beingKept);
  }

  async #process(name: string, message: IncomingMessage): Promise<void> {
    if (this.#stopping) {
      this.#turnAway(name, message, "The runner is stopping; send it again when it is back");
      return;
    }
    const request = readRequest(name, message.payload);
    const replyTo = this.#replyTosOf(name, message);
    if (!request.ok) {
      this.#send(errorAnswer({ command: name, transaction: request.transaction }, request.error), replyTo);
      return;
    }
    const { command, transaction } = request;
    if (transaction === null) {
      await this.#execute(request, replyTo);
      return;
    }
    const key = `${command} ${transaction}`;
    // Whoever repeats a transaction while it is being handled waits for its answer.
    while (this.#beingAnswered.has(key)) await this.#beingAnswered.get(key);
    if (this.#answerAgain(command, transaction, replyTo)) return;
    const answered = this.#execute(request, replyTo).finally(() => this.#beingAnswered.delete(key));
    this.#beingAnswered.set(key, answered);
    await answered;
  }

  #turnAway(name: string, message: IncomingMessage, why: string): void {
    const { transaction } = readRequest(name, message.payload);
    const error = new AppError("busy", why, { retryable: true });
    this.#send(errorAnswer({ command: name, transaction }, error), this.#replyTosOf(name, message));
  }

  #answerAgain(command: CommandName, transaction: string, replyTo: readonly ReplyTo[]): boolean {
    const open = this.#open.get(command, transaction);
    if (open !== null) {
      if (open.replyTos.length < 10) open.replyTos.push(...replyTo);
      for (const answer of open.answers) this.#send(answer, replyTo);
      return true;
    }
    const cached = this.#cache.get(`${command} ${transaction}`);
    if (cached !== null) {
      this.#send(cached, replyTo);
      return true;
    }
    const record =
      commands[command].manner === "reads" ? null : this.#options.store.get(command, transaction);
    if (record === null) return false;
    for (const answer of answersOf(record)) this.#send(answer, replyTo);
    // Its second answer was given up while the broker was away: it is still owed.
    if (!record.complete) this.#resume(record);
    return true;
  }

  async #execute(request: GoodRequest, replyTo: readonly ReplyTo[]): Promise<void> {
    const outcome = await this.#run(request);
    if ("operationIds" in outcome) await this.#accept(request, outcome.operationIds, replyTo);
    else await this.#answer(request, outcome, replyTo);
  }

  async #run(request: GoodRequest): Promise<Answer | { readonly operationIds: readonly string[] }> {
    const { command, transaction, priority, input } = request;
    try {
      const outcome = await this.#handlers[command].run(input, { transaction, priority });
      if (!("operationIds" in outcome)) return okAnswer(request, outcome.data);
      if (outcome.operationIds.length > 0) return outcome;
      throw new Error(`${command} started no operation`);
    } catch (error) {
      if (!(error instanceof AppError)) {
        this.#options.log.error(`The command ${command} failed: ${toErrorRecord(error).message}`);
      }
      return errorAnswer(request, toErrorRecord(error));
    }
  }

  async #answer(request: GoodRequest, answer: Answer, replyTo: readonly ReplyTo[]): Promise<void> {
    const { command, transaction } = request;
    // Nothing was done, and the same request may succeed later: its transaction is not used up.
    const isWorthRepeating = answer.error?.retryable === true;
    if (transaction !== null && !isWorthRepeating) {
      if (isRead(command, answer)) this.#cacheAnswer(command, transaction, answer);
      else await this.#keep(this.#record(request, answer, [], replyTo));
    }
    this.#send(answer, replyTo);
  }

  async #accept(
    request: GoodRequest,
    operationIds: readonly string[],
    replyTo: readonly ReplyTo[],
  ): Promise<void> {
    const answer = acceptedAnswer(request, operationIds);
    const record = this.#record(request, answer, operationIds, replyTo);
    const { transaction } = request;
    const open: OpenCommand = { record, transaction, replyTos: [...replyTo], answers: [], ended: new Map() };
    // Watched before the record is durable: the operation may end meanwhile.
    this.#open.add(open);
    await this.#keep(record);
    open.answers = [answer];
    this.#send(answer, open.replyTos);
    this.#open.check(open);
  }

  #resume(record: CommandRecord): void {
    const open = openCommandOf(record);
    this.#open.add(open);
    this.#queue.add(async () => this.#open.check(open));
  }

  #finish(open: OpenCommand, answer: Answer): void {
    this.#send(answer, open.replyTos, (delivered) => {
      // A second answer that was given up stays owed: in the store, for the next start.
      if (!delivered) {
        this.#open.forget(open);
        return;
      }
      const kept = this.#keep(completeRecord(open)).then(() => {
        this.#open.forget(open);
        this.#beingKept.delete(kept);
      });
      this.#beingKept.add(kept);
    });
  }

  #record(
    { command, transaction }: GoodRequest,
    answer: Answer,
    operationIds: readonly string[],
    replyTos: readonly ReplyTo[],
  ): CommandRecord {
    const { clock, newId } = this.#options;
    const at = new Date(clock.now());
    return recordOf({ command, transaction, answer, operationIds, replyTos, at, newId });
  }

  /** A store that cannot write must not swallow an answer: the record is then kept in memory alone. */
  async #keep(record: CommandRecord): Promise<void> {
    try {
      await this.#options.store.put(record);
    } catch (error) {
      const { message } = toErrorRecord(error);
      this.#options.log.error(`The record of a command ${record.command} was not stored: ${message}`);
      const [answer] = answersOf(record);
      if (answer !== undefined) this.#cacheAnswer(record.command, record.transaction, answer);
    }
  }

  #cacheAnswer(command: string, transaction: string, answer: Answer): void {
    this.#cache.put(`${command} ${transaction}`, answer, Buffer.byteLength(JSON.stringify(answer)));
  }

  #replyTosOf(name: string, message: IncomingMessage): readonly ReplyTo[] {
    return replyTosOf(message, `${this.#options.base}/response/${name}`, this.#options.log);
  }

  #send(answer: Answer, replyTos: readonly ReplyTo[], settled?: (delivered: boolean) => void): void {
    const payload = JSON.stringify(answer);
    const { base, send } = this.#options;
    send({ topic: `${base}/response/${answer.command}`, payload, qos: 1, retain: false }, settled);
    for (const { topic, correlationData } of replyTos) {
      const correlation = correlationData === null ? {} : { correlationData };
      send({ topic, payload, qos: 1, retain: false, ...correlation });
    }
  }
}

/** It changed nothing, so after a restart its answer may be worked out again. */
function isRead(command: CommandName, { status }: Answer): boolean {
  const { manner } = commands[command];
  return manner === "reads" || (manner === "starts_or_reads" && status === "ok");
}
