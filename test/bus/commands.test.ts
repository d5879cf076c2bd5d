import { beforeEach, expect, test } from "vitest";
import type { Answer } from "../../src/bus/answers.ts";
import { type CommandHandlers, Commands } from "../../src/bus/commands.ts";
import type { IncomingMessage } from "../../src/bus/connection.ts";
import type { OutgoingMessage } from "../../src/bus/outbox.ts";
import { systemClock } from "../../src/bus/ports.ts";
import { maxPayloadBytes } from "../../src/bus/request.ts";
import type { Operation } from "../../src/domain/operation.ts";
import { AppError } from "../../src/errors.ts";
import { base, completed, createLog, handlers, MemoryCommandStore, operation } from "./harness.ts";

/*
 * Long, because every rule of the answers is told of the same object with the same few helpers.
 */

interface Sent {
  readonly topic: string;
  readonly answer: Answer;
  readonly message: OutgoingMessage;
  readonly settle: (delivered: boolean) => void;
}

let store: MemoryCommandStore;
let operations: Map<string, Operation>;
let log: ReturnType<typeof createLog>;
let sent: Sent[];
/** Whether the broker acknowledges at once. */
let isAcknowledging: boolean;

beforeEach(() => {
  store = new MemoryCommandStore();
  operations = new Map();
  log = createLog();
  sent = [];
  isAcknowledging = true;
});

/** As after a start of the runner: nothing is left but what the store has. */
function start(changes: Partial<CommandHandlers> = {}, isCongested = () => false): Commands {
  let nextId = 1;
  return new Commands({
    base,
    store,
    findOperation: (id) => operations.get(id) ?? null,
    handlers: handlers(changes),
    clock: systemClock,
    newId: () => `id-${nextId++}`,
    log,
    isCongested,
    send: (message, settled) => {
      const settle = settled ?? (() => {});
      const answer = JSON.parse(String(message.payload));
      store.calls.push(`send ${answer.command} ${answer.transaction} ${answer.status}`);
      sent.push({ topic: message.topic, answer, message, settle });
      if (isAcknowledging) settle(true);
    },
  });
}

function message(name: string, payload: unknown, changes: Partial<IncomingMessage> = {}): IncomingMessage {
  const bytes = Buffer.isBuffer(payload)
    ? payload
    : Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload));
  return {
    topic: `${base}/cmd/${name}`,
    payload: bytes,
    retain: false,
    responseTopic: null,
    correlationData: null,
    ...changes,
  };
}

/** Until the commands have nothing to do any more; operations may still run. */
async function quiet(): Promise<void> {
  for (let turns = 0; turns < 40; turns++) await new Promise((resolve) => setImmediate(resolve));
}

async function send(
  commands: Commands,
  name: string,
  payload: unknown,
  changes: Partial<IncomingMessage> = {},
): Promise<void> {
  commands.receive(message(name, payload, changes));
  await quiet();
}

/** A scan handler that queues one operation under the next of these ids. */
function scanning(
  ...ids: readonly (readonly string[])[]
): Partial<CommandHandlers> & { readonly calls: unknown[] } {
  const calls: unknown[] = [];
  const left = [...ids];
  return {
    calls,
    scan: {
      run: async (input, context) => {
        calls.push({ input, context });
        const operationIds = left.shift() ?? [];
        for (const id of operationIds) operations.set(id, operation(id));
        return { operationIds };
      },
    },
  };
}

const emptyPlan = {
  moves: [],
  move_count: 0,
  conflicts: [],
  conflict_count: 0,
  skipped: [],
  skipped_count: 0,
  bytes_needed: 0,
  bytes_free: 0,
};

function end(commands: Commands, ended: Operation): void {
  operations.set(ended.id, ended);
  commands.operationEnded(ended);
}

const statuses = (): readonly string[] => sent.map(({ answer }) => `${answer.transaction} ${answer.status}`);

test("an answer always has all its keys", async () => {
  const commands = start(scanning(["op-1"]));
  await send(commands, "query", { transaction: "q" });
  await send(commands, "book", { transaction: "b", id: "x" });
  await send(commands, "scan", { transaction: "s" });
  await send(commands, "scan", "{");
  for (const { answer } of sent) {
    expect(Object.keys(answer)).toEqual(["transaction", "command", "status", "data", "error"]);
  }
  expect(sent.map(({ topic }) => topic)).toEqual([
    `${base}/response/query`,
    `${base}/response/book`,
    `${base}/response/scan`,
    `${base}/response/scan`,
  ]);
  expect(sent[1]?.answer).toEqual({
    transaction: "b",
    command: "book",
    status: "error",
    data: null,
    error: { code: "not_found", message: "Nothing like it", retryable: false, details: null },
  });
});

test("gives the handler its checked input, the transaction and the priority", async () => {
  const scans = scanning(["op-1"], ["op-2"]);
  const commands = start(scans);
  await send(commands, "scan", { transaction: "t1", path: "A", priority: "high" });
  await send(commands, "scan", {});
  expect(scans.calls).toEqual([
    {
      input: expect.objectContaining({ path: "A", force: false }),
      context: { transaction: "t1", priority: "high" },
    },
    { input: expect.objectContaining({ force: false }), context: { transaction: null, priority: "normal" } },
  ]);
});

test("ignores an empty payload without an answer and without a word, retained or not", async () => {
  const commands = start();
  await send(commands, "scan", "");
  await send(commands, "scan", "", { retain: true });
  expect(sent).toEqual([]);
  expect(log.lines).toEqual([]);
});

test("never executes a retained message: a warning, no answer", async () => {
  const scans = scanning(["op-1"]);
  const commands = start(scans);
  await send(commands, "scan", { transaction: "t1" }, { retain: true });
  await send(commands, "nonsense", "{", { retain: true });
  expect(scans.calls).toEqual([]);
  expect(sent).toEqual([]);
  expect(log.lines).toHaveLength(2);
  expect(log.lines[0]).toMatch(/^warn A retained message on tomekeeper\/main\/cmd\/scan was not executed/);
});

test("answers an unknown command on its own name, and one whose name is none with a log line only", async () => {
  const commands = start();
  await send(commands, "dance", { transaction: "t1" });
  await send(commands, "Dance!", {});
  await send(commands, "x".repeat(65), {});
  await send(commands, "constructor", {});
  expect(sent.map(({ topic, answer }) => [topic, answer.error?.code])).toEqual([
    [`${base}/response/dance`, "unknown_command"],
    [`${base}/response/constructor`, "unknown_command"],
  ]);
  expect(log.lines).toHaveLength(2);
});

test("a payload over 256 KiB is refused, and the next command is served", async () => {
  const commands = start();
  await send(commands, "query", Buffer.alloc(maxPayloadBytes + 1, 0x20));
  await send(commands, "query", { transaction: "t2" });
  expect(sent.map(({ answer }) => [answer.transaction, answer.error?.code ?? "ok"])).toEqual([
    [null, "payload_too_large"],
    ["t2", "ok"],
  ]);
});

test("an unexpected error is answered as internal without a stack, and logged", async () => {
  const commands = start({
    query: {
      run: () => {
        throw new TypeError("cannot read x of undefined");
      },
    },
  });
  await send(commands, "query", { transaction: "t1" });
  expect(sent[0]?.answer.error).toEqual({
    code: "internal",
    message: "cannot read x of undefined",
    retryable: false,
    details: null,
  });
  expect(log.lines).toEqual(["error The command query failed: cannot read x of undefined"]);
});

test("accepts a scan, and answers a second time when its operation has ended", async () => {
  const commands = start(scanning(["op-1"]));
  await send(commands, "scan", { transaction: "t1" });
  end(commands, completed("op-1", { books: 3 }));
  end(commands, completed("op-1", { books: 3 }));
  await quiet();
  expect(sent.map(({ answer }) => answer)).toEqual([
    {
      transaction: "t1",
      command: "scan",
      status: "accepted",
      data: { operation_id: "op-1", operation_ids: ["op-1"] },
      error: null,
    },
    {
      transaction: "t1",
      command: "scan",
      status: "ok",
      data: { operation_id: "op-1", operation_ids: ["op-1"], state: "completed", summary: { books: 3 } },
      error: null,
    },
  ]);
});

test("the record is durable before the first answer goes out, and complete only after the last is delivered", async () => {
  isAcknowledging = false;
  const commands = start(scanning(["op-1"]));
  await send(commands, "scan", { transaction: "t1" });
  end(commands, completed("op-1"));
  await quiet();
  expect(store.calls).toEqual(["put scan t1 open", "send scan t1 accepted", "send scan t1 ok"]);
  sent[1]?.settle(true);
  await commands.recorded();
  expect(store.calls.at(-1)).toBe("put scan t1 complete");
});

test("an operation that ends before the command is accepted is answered after the acceptance", async () => {
  const commands: Commands = start({
    scan: {
      run: async () => {
        end(commands, completed("op-1"));
        return { operationIds: ["op-1"] };
      },
    },
  });
  await send(commands, "scan", { transaction: "t1" });
  expect(statuses()).toEqual(["t1 accepted", "t1 ok"]);
});

test("several operations of one command give one second answer, when the last has ended, summaries added up", async () => {
  const commands = start(scanning(["op-1", "op-2"]));
  await send(commands, "scan", { transaction: "t1" });
  const problem = (path: string) => ({ path, code: "not_utf8", message: "…" });
  end(commands, completed("op-1", { books: 3, problems: [problem("a")], seconds: 0.5, resumed_from: null }));
  await quiet();
  expect(sent).toHaveLength(1);
  end(commands, completed("op-2", { books: 4, problems: [problem("b")], seconds: 1, resumed_from: "x" }));
  await quiet();
  expect(sent).toHaveLength(2);
  expect(sent[1]?.answer.data).toEqual({
    operation_id: "op-1",
    operation_ids: ["op-1", "op-2"],
    state: "completed",
    summary: { books: 7, problems: [problem("a"), problem("b")], seconds: 1.5, resumed_from: "x" },
  });
});

test("a handler may sum up in its own way", async () => {
  const scans = scanning(["op-1", "op-2"]);
  const commands = start({
    scan: {
      run: (input, context) => scans.scan?.run(input, context) ?? { operationIds: [] },
      sumUp: (all) => ({ operations: all.map(({ id }) => id) }),
    },
  });
  await send(commands, "scan", { transaction: "t1" });
  end(commands, completed("op-2"));
  end(commands, completed("op-1"));
  await quiet();
  expect(sent[1]?.answer.data).toMatchObject({ summary: { operations: ["op-1", "op-2"] } });
});

test("a failed operation answers with its own error, a cancelled one with cancelled", async () => {
  const commands = start(scanning(["op-1"], ["op-2"], ["op-3", "op-4", "op-5"]));
  for (const transaction of ["t1", "t2", "t3"]) await send(commands, "scan", { transaction });
  const error = { code: "not_found", message: "The root is gone", retryable: true, details: null } as const;
  end(commands, operation("op-1", { state: "failed", error }));
  end(commands, operation("op-2", { state: "cancelled" }));
  end(commands, completed("op-3", { books: 1 }));
  end(commands, operation("op-4", { state: "cancelled" }));
  end(commands, operation("op-5", { state: "failed", error }));
  await quiet();
  expect(sent.slice(3).map(({ answer }) => answer)).toEqual([
    expect.objectContaining({
      transaction: "t1",
      status: "error",
      data: { operation_id: "op-1", operation_ids: ["op-1"], state: "failed", summary: null },
      error,
    }),
    expect.objectContaining({
      transaction: "t2",
      status: "error",
      data: { operation_id: "op-2", operation_ids: ["op-2"], state: "cancelled", summary: null },
      error: { code: "cancelled", message: "The operation was cancelled", retryable: false, details: null },
    }),
    expect.objectContaining({
      transaction: "t3",
      status: "error",
      data: expect.objectContaining({ state: "failed", summary: { books: 1 } }),
      error,
    }),
  ]);
});

test("each of several transactions that got one operation gets both its answers", async () => {
  const commands = start(scanning(["op-1"], ["op-1"], ["op-1"]));
  for (const transaction of ["t1", "t2", "t3"]) commands.receive(message("scan", { transaction }));
  await quiet();
  end(commands, completed("op-1"));
  await quiet();
  expect([...statuses()].sort()).toEqual([
    "t1 accepted",
    "t1 ok",
    "t2 accepted",
    "t2 ok",
    "t3 accepted",
    "t3 ok",
  ]);
});

test("a command without a transaction gets both answers too, with transaction null, after a restart too", async () => {
  await send(start(scanning(["op-1"])), "scan", {});
  const [record] = store.open();
  expect(record?.transaction).toMatch(/^~/);
  operations.set("op-1", completed("op-1"));
  const commands = start();
  commands.resume();
  await quiet();
  expect(statuses()).toEqual(["null accepted", "null ok"]);
  await commands.recorded();
  expect(store.open()).toEqual([]);
});

test("the same transaction is answered again and does nothing twice, whatever its payload", async () => {
  const scans = scanning(["op-1"], ["op-2"]);
  const commands = start(scans);
  await send(commands, "scan", { transaction: "t1" });
  await send(commands, "scan", { transaction: "t1", path: "elsewhere" });
  expect(statuses()).toEqual(["t1 accepted", "t1 accepted"]);
  expect(sent[1]?.answer).toEqual(sent[0]?.answer);
  end(commands, completed("op-1"));
  await quiet();
  expect(statuses().slice(2)).toEqual(["t1 ok"]);
  await commands.recorded();
  await send(commands, "scan", { transaction: "t1" });
  expect(statuses().slice(3)).toEqual(["t1 accepted", "t1 ok"]);
  expect(scans.calls).toHaveLength(1);
});

test("the same transaction does nothing twice across a restart", async () => {
  const cancelled: string[] = [];
  const cancel: CommandHandlers["cancel"] = {
    run: ({ operation_id = "" }) => {
      cancelled.push(operation_id);
      return { data: { operation_id, state: "cancelled" } };
    },
  };
  await send(start({ cancel }), "cancel", { transaction: "t1", operation_id: "op-1" });
  await send(start({ cancel }), "cancel", { transaction: "t1", operation_id: "op-1" });
  expect(cancelled).toEqual(["op-1"]);
  expect(sent[1]?.answer).toEqual(sent[0]?.answer);
});

test("the same transaction of two commands is two transactions", async () => {
  const commands = start(scanning(["op-1"]));
  await send(commands, "scan", { transaction: "t1" });
  await send(commands, "query", { transaction: "t1" });
  expect(sent.map(({ answer }) => [answer.command, answer.status])).toEqual([
    ["scan", "accepted"],
    ["query", "ok"],
  ]);
});

test("duplicates that arrive while the first is being handled wait for it and do nothing", async () => {
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let runs = 0;
  const commands = start({
    scan: {
      run: async () => {
        runs++;
        await held;
        operations.set("op-1", operation("op-1"));
        return { operationIds: ["op-1"] };
      },
    },
  });
  for (let i = 0; i < 5; i++) commands.receive(message("scan", { transaction: "t1" }));
  await quiet();
  expect(sent).toEqual([]);
  release();
  await quiet();
  expect(runs).toBe(1);
  expect(statuses()).toEqual(Array(5).fill("t1 accepted"));
});

test("a transaction is not used up by an error that may pass, and runs once however often it waits", async () => {
  let runs = 0;
  const commands = start({
    scan: {
      run: async () => {
        runs++;
        await quiet();
        if (runs === 1) throw new AppError("queue_full", "The queue is full", { retryable: true });
        operations.set("op-1", operation("op-1"));
        return { operationIds: ["op-1"] };
      },
    },
  });
  for (let i = 0; i < 3; i++) commands.receive(message("scan", { transaction: "t1" }));
  for (let i = 0; i < 4; i++) await quiet();
  expect(runs).toBe(2);
  expect(statuses()).toEqual(["t1 error", "t1 accepted", "t1 accepted"]);
});

test("an error that stays is answered again", async () => {
  let runs = 0;
  const cancel: CommandHandlers["cancel"] = {
    run: () => {
      runs++;
      throw new AppError("not_found", "There is no such operation");
    },
  };
  const commands = start({ cancel });
  await send(commands, "cancel", { transaction: "t1", operation_id: "x" });
  await send(commands, "cancel", { transaction: "t1", operation_id: "x" });
  expect(runs).toBe(1);
  expect(sent[1]?.answer).toEqual(sent[0]?.answer);
});

test("a refused payload does not use its transaction up", async () => {
  const commands = start(scanning(["op-1"]));
  await send(commands, "scan", { transaction: "t1", oops: 1 });
  await send(commands, "scan", { transaction: "t1" });
  expect(statuses()).toEqual(["t1 error", "t1 accepted"]);
});

test("commands that change nothing leave no record, and are answered from memory", async () => {
  let runs = 0;
  const query: CommandHandlers["query"] = {
    run: () => ({ data: { items: [], total: ++runs, generation: 1, cached: false } }),
  };
  const commands = start({ query });
  await send(commands, "query", { transaction: "t1" });
  await send(commands, "query", { transaction: "t1" });
  await send(commands, "query", {});
  expect(sent.map(({ answer }) => (answer.data as { total: number }).total)).toEqual([1, 1, 2]);
  expect(store.records.size).toBe(0);
});

test("a command that may do either answers a look once and leaves no record, and work twice with one", async () => {
  let looks = 0;
  const organize: CommandHandlers["organize"] = {
    run: ({ dry_run: isDry }) => {
      if (!isDry) return { operationIds: ["op-1"] };
      looks++;
      return { data: emptyPlan };
    },
  };
  operations.set("op-1", operation("op-1", { kind: "organize" }));
  const commands = start({ organize });
  await send(commands, "organize", { transaction: "t1", dry_run: true });
  await send(commands, "organize", { transaction: "t1", dry_run: true });
  expect(sent.map(({ answer }) => answer.data)).toEqual([emptyPlan, emptyPlan]);
  expect(looks).toBe(1);
  expect(store.records.size).toBe(0);
  await send(commands, "organize", { transaction: "t2" });
  end(commands, { ...completed("op-1", { books: 1 }), kind: "organize" });
  await quiet();
  expect(statuses()).toEqual(["t1 ok", "t1 ok", "t2 accepted", "t2 ok"]);
  expect([...store.records.keys()]).toEqual(["organize t2"]);
});

test("what refuses a command that may do either is remembered, across a restart too", async () => {
  await send(start(), "organize", { transaction: "t1", books: ["nobody"] });
  await send(start({ organize: { run: () => ({ data: emptyPlan }) } }), "organize", { transaction: "t1" });
  expect(sent.map(({ answer }) => answer.error?.code)).toEqual(["not_found", "not_found"]);
});

test("after a restart, operations that ended meanwhile are answered, those that are gone too, others later", async () => {
  const first = start(scanning(["op-1"], ["op-2"], ["op-3"]));
  for (const transaction of ["t1", "t2", "t3"]) await send(first, "scan", { transaction });
  sent = [];
  operations = new Map([
    ["op-1", completed("op-1", { books: 1 })],
    ["op-3", operation("op-3", { state: "running" })],
  ]);
  const commands = start();
  commands.resume();
  await quiet();
  expect([...statuses()].sort()).toEqual(["t1 ok", "t2 error"]);
  expect(sent.find(({ answer }) => answer.transaction === "t2")?.answer).toMatchObject({
    data: { operation_id: "op-2", state: null },
    error: { code: "not_found" },
  });
  end(commands, completed("op-3"));
  await quiet();
  expect(statuses().at(-1)).toBe("t3 ok");
  await commands.recorded();
  expect(store.open()).toEqual([]);
});

test("a second answer that never reached the broker is sent after the restart", async () => {
  isAcknowledging = false;
  const first = start(scanning(["op-1"]));
  await send(first, "scan", { transaction: "t1" });
  end(first, completed("op-1"));
  await quiet();
  isAcknowledging = true;
  const commands = start();
  commands.resume();
  await quiet();
  await commands.recorded();
  expect(statuses()).toEqual(["t1 accepted", "t1 ok", "t1 ok"]);
  expect(store.open()).toEqual([]);
});

test("a second answer that was given up is sent again when its transaction asks", async () => {
  isAcknowledging = false;
  const commands = start(scanning(["op-1"]));
  await send(commands, "scan", { transaction: "t1" });
  end(commands, completed("op-1"));
  await quiet();
  for (const { settle } of sent) settle(false);
  await send(commands, "scan", { transaction: "t1" });
  expect(statuses()).toEqual(["t1 accepted", "t1 ok", "t1 accepted", "t1 ok"]);
});

test("a store that cannot write delays no answer, and its transaction still does nothing twice", async () => {
  store.fails = true;
  const scans = scanning(["op-1"], ["op-2"]);
  const commands = start(scans);
  await send(commands, "scan", { transaction: "t1" });
  await send(commands, "scan", { transaction: "t1" });
  end(commands, completed("op-1"));
  await quiet();
  expect(scans.calls).toHaveLength(1);
  expect(statuses()).toEqual(["t1 accepted", "t1 accepted", "t1 ok"]);
  expect(log.lines[0]).toMatch(/^error The record of a command scan was not stored/);
});

test("an answer goes to the response topic of an MQTT 5 request too, with its correlation data", async () => {
  const commands = start(scanning(["op-1"]));
  const replyTo = { responseTopic: "tomekeeper/clients/me", correlationData: Buffer.from([0, 255, 7]) };
  await send(commands, "scan", { transaction: "t1" }, replyTo);
  end(commands, completed("op-1"));
  await quiet();
  expect(
    sent.map(({ topic, message: { correlationData } }) => [topic, correlationData?.toString("hex")]),
  ).toEqual([
    [`${base}/response/scan`, undefined],
    ["tomekeeper/clients/me", "00ff07"],
    [`${base}/response/scan`, undefined],
    ["tomekeeper/clients/me", "00ff07"],
  ]);
  expect(sent.every(({ message: { retain } }) => !retain)).toBe(true);
});

test("the second answer finds the response topic after a restart", async () => {
  const replyTo = { responseTopic: "tomekeeper/clients/me", correlationData: Buffer.from([0, 255, 7]) };
  await send(start(scanning(["op-1"])), "scan", { transaction: "t1" }, replyTo);
  operations.set("op-1", completed("op-1"));
  sent = [];
  start().resume();
  await quiet();
  expect(sent[1]?.topic).toBe("tomekeeper/clients/me");
  expect(sent[1]?.message.correlationData?.toString("hex")).toBe("00ff07");
});

test("a repeated transaction hears of the end on its own response topic", async () => {
  const commands = start(scanning(["op-1"]));
  await send(commands, "scan", { transaction: "t1" });
  await send(commands, "scan", { transaction: "t1" }, { responseTopic: "tomekeeper/clients/me" });
  sent = [];
  end(commands, completed("op-1"));
  await quiet();
  expect(sent.map(({ topic }) => topic)).toEqual([`${base}/response/scan`, "tomekeeper/clients/me"]);
});

test.each([
  "homeassistant/device/x/config",
  "tomekeeper",
  "tomekeeperx/a/b",
  "tomekeeper/main/cmd/scan",
  "tomekeeper/other/cmd/scan",
  "tomekeeper/main/availability",
  "tomekeeper/other/scan",
  "tomekeeper/main/breaker/open-library",
  "tomekeeper/main/event",
  "tomekeeper/main/response/query",
  "tomekeeper/main/+/x",
  "tomekeeper/main/x/#",
  "tomekeeper/main/x\u0000y",
  "tomekeeper//scan",
  "$SYS/x",
  `tomekeeper/x/${"y".repeat(600)}`,
])("answers nobody on %j", async (responseTopic) => {
  const commands = start();
  await send(commands, "operations", { transaction: "t1" }, { responseTopic });
  expect(sent.map(({ topic }) => topic)).toEqual([`${base}/response/operations`]);
  expect(log.lines).toHaveLength(1);
});

test.each([
  "tomekeeper/reply",
  "tomekeeper/main/reply/7",
  "tomekeeper/main/response/my-panel",
  "tomekeeper/clients/a/b",
])("answers on %j", async (responseTopic) => {
  const commands = start();
  await send(commands, "query", {}, { responseTopic });
  expect(sent.map(({ topic }) => topic)).toEqual([`${base}/response/query`, responseTopic]);
});

test("a response topic that is the usual one is not answered twice", async () => {
  const commands = start();
  await send(commands, "query", {}, { responseTopic: `${base}/response/query` });
  expect(sent).toHaveLength(1);
  expect(log.lines).toEqual([]);
});

test("ten thousand commands are each answered once, a bounded number at a time, and timers run meanwhile", async () => {
  let underWay = 0;
  let most = 0;
  let timers = 0;
  const commands = start({
    cancel: {
      run: async ({ operation_id = "" }) => {
        most = Math.max(most, ++underWay);
        await new Promise((resolve) => setImmediate(resolve));
        underWay--;
        return { data: { operation_id, state: "cancelled" } };
      },
    },
  });
  const timer = setInterval(() => timers++, 1);
  for (let i = 0; i < 10_000; i++)
    commands.receive(message("cancel", { transaction: `t${i}`, operation_id: "x" }));
  while (sent.length < 10_000) await quiet();
  clearInterval(timer);
  await quiet();
  expect(new Set(statuses()).size).toBe(10_000);
  expect(sent).toHaveLength(10_000);
  expect(most).toBeLessThanOrEqual(128);
  expect(timers).toBeGreaterThan(10);
});

test("commands wait while too many answers wait to be sent, and go on afterwards", async () => {
  let isCongested = true;
  const commands = start({}, () => isCongested);
  for (let i = 0; i < 100; i++) commands.receive(message("query", { transaction: `t${i}` }));
  await quiet();
  expect(sent).toEqual([]);
  isCongested = false;
  await new Promise((resolve) => setTimeout(resolve, 40));
  await quiet();
  expect(sent).toHaveLength(100);
});

test("more commands than the runner takes are answered with busy, each", async () => {
  let isCongested = true;
  const commands = start({}, () => isCongested);
  for (let i = 0; i < 20_100; i++) commands.receive(message("query", { transaction: `t${i}` }));
  expect(sent).toHaveLength(100);
  expect(sent[0]?.answer).toMatchObject({
    transaction: "t20000",
    status: "error",
    error: { code: "busy", retryable: true },
  });
  isCongested = false;
  while (sent.length < 20_100) await quiet();
  expect(new Set(statuses()).size).toBe(20_100);
});

test("stopping answers what has begun, and turns away what has not", async () => {
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const commands = start({
    operations: {
      run: async () => {
        await held;
        return { data: { items: [], total: 0 } };
      },
    },
  });
  await send(commands, "operations", { transaction: "begun" });
  const stopped = commands.stop();
  await send(commands, "query", { transaction: "late" });
  release();
  await stopped;
  expect(sent.map(({ answer }) => [answer.transaction, answer.error?.code ?? "ok"])).toEqual([
    ["late", "busy"],
    ["begun", "ok"],
  ]);
});
