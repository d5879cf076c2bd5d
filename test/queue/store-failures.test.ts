import { beforeEach, expect, test } from "vitest";
import type { Operation, OperationState } from "../../src/domain/operation.ts";
import { AppError } from "../../src/errors.ts";
import type { Queue } from "../../src/queue/port.ts";
import { createQueue } from "../../src/queue/queue.ts";
import { createWork, fixed, plainParts, request, settle, type Work } from "../contracts/queue-work.ts";
import { createMemoryStore, type MemoryStore } from "./memory-store.ts";

let store: MemoryStore;
let work: Work;
let queue: Queue;
let lastId: number;

beforeEach(() => {
  store = createMemoryStore();
  work = createWork();
  lastId = 0;
  queue = open();
  queue.start();
});

function open(): Queue {
  return createQueue({
    store,
    runs: { organize: work.run, scan: work.run },
    ...plainParts(),
    workers: fixed(2),
    now: () => Date.parse("2026-01-01T00:00:00.000Z"),
    newId: () => `op-${++lastId}`,
    agingMs: 60_000,
    limit: 3,
  });
}

/** From now on the store takes no record of an operation in this state. */
function refuse(state: OperationState): void {
  store.onPut = (operation) => {
    if (operation.state === state) throw new AppError("read_only", `The disk is full (${operation.id})`);
  };
}

test("acknowledges no operation that the store did not take, and frees its folder and its place", async () => {
  refuse("queued");
  await expect(queue.enqueue(request("books:/A"))).rejects.toMatchObject({ code: "read_only" });
  for (let i = 0; i < 5; i++)
    await expect(queue.enqueue(request("books:/A"))).rejects.toThrow("disk is full");
  expect(queue.snapshot()).toMatchObject({ counts: { queued: 0, waiting: 0 }, waiting: [] });
  store.onPut = () => {};
  const { id } = await queue.enqueue(request("books:/A"));
  await work.begun(id);
});

test("refuses all who joined a scan that the store did not take", async () => {
  refuse("queued");
  const scans = Array.from({ length: 3 }, (_, i) =>
    queue.enqueue(request("books:/A", { kind: "scan", priority: i === 2 ? "high" : "normal" })),
  );
  const outcomes = await Promise.allSettled(scans);
  expect(outcomes.map((outcome) => outcome.status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(store.written).toEqual([]);
});

test("does not acknowledge before the record is durable", async () => {
  const disk = Promise.withResolvers<void>();
  store.onPut = () => disk.promise;
  let isAcknowledged = false;
  const acknowledged = queue.enqueue(request("books:/A")).then(() => {
    isAcknowledged = true;
  });
  await settle();
  expect([isAcknowledged, work.jobs.length]).toEqual([false, 0]);
  disk.resolve();
  await acknowledged;
});

test("fails an operation, visibly, whose start the store did not take, and does not run it", async () => {
  refuse("running");
  const told: Operation[] = [];
  queue.onChange((operation) => told.push(operation));
  const { id } = await queue.enqueue(request("books:/A"));
  expect(await queue.ended(id)).toMatchObject({
    state: "failed",
    error: { code: "read_only", message: "The disk is full (op-1)" },
  });
  expect(work.jobs).toEqual([]);
  expect(told.at(-1)?.state).toBe("failed");
});

test("fails an operation, visibly, whose end the store did not take, and goes on with the others", async () => {
  const { id } = await queue.enqueue(request("books:/A"));
  const behind = await queue.enqueue(request("books:/A"));
  refuse("completed");
  (await work.begun(id)).finish({ books: 2 });
  const ended = await queue.ended(id);
  expect(ended).toMatchObject({
    state: "failed",
    error: {
      code: "internal",
      message:
        "It ended as completed, but the store did not take that (The disk is full (op-1)): it may run again after a restart",
      details: { state: "completed", summary: { books: 2 } },
    },
  });
  expect(queue.get(id)).toEqual(ended);
  expect(queue.list({ limit: 1, offset: 1 }).items).toEqual([ended]);
  store.onPut = () => {};
  (await work.begun(behind.id)).finish();
  expect((await queue.ended(behind.id)).state).toBe("completed");
});

test("records how an operation ended as soon as the store takes records again", async () => {
  const { id } = await queue.enqueue(request("books:/A"));
  const behind = await queue.enqueue(request("books:/A"));
  store.onPut = (operation) => {
    if (operation.id === id) throw new AppError("read_only", "The disk is full", { retryable: true });
  };
  (await work.begun(id)).finish();
  const ended = await queue.ended(id);
  expect(store.get(id)?.state).toBe("running");
  store.onPut = () => {};
  (await work.begun(behind.id)).finish();
  await queue.ended(behind.id);
  expect(store.get(id)).toEqual(ended);
  queue = open();
  expect(await queue.recover()).toEqual([]);
});

test("takes over what an earlier run left where the store takes nothing", async () => {
  const { id } = await queue.enqueue(request("books:/A"));
  await work.begun(id);
  store.onPut = () => {
    throw new AppError("read_only", "The disk is full", { retryable: true });
  };
  queue = open();
  expect(await queue.recover()).toMatchObject([{ id }]);
});

test("ends a cancelled operation as failed where the store did not take the cancel", async () => {
  await queue.enqueue(request("books:/A"));
  const waiting = await queue.enqueue(request("books:/A"));
  refuse("cancelled");
  expect(await queue.cancel(waiting.id)).toMatchObject({
    state: "failed",
    error: { message: expect.stringContaining("It ended as cancelled") },
  });
});

test("stops in order where the store takes nothing any more", async () => {
  const { id } = await queue.enqueue(request("books:/A"));
  const job = await work.begun(id);
  store.onPut = () => {
    throw new Error("The disk is gone");
  };
  await queue.stop({ graceMs: 10_000 });
  expect(job.isRunning).toBe(false);
  store.onPut = () => {};
  queue = open();
  expect(await queue.recover()).toMatchObject([{ id, state: "queued" }]);
});

test("writes the records of one operation in their order, however slow the store is", async () => {
  const disk: PromiseWithResolvers<void>[] = [];
  store.onPut = () => {
    const write = Promise.withResolvers<void>();
    disk.push(write);
    return write.promise;
  };
  const acknowledged = queue.enqueue(request("books:/A", { kind: "scan", priority: "low" }));
  const raised = queue.enqueue(request("books:/A", { kind: "scan", priority: "high" }));
  for (let i = 0; i < 4; i++) {
    await settle();
    for (const write of disk.splice(0)) write.resolve();
  }
  const { id } = await acknowledged;
  (await work.begun(id)).finish();
  await settle();
  for (const write of disk.splice(0)) write.resolve();
  await Promise.all([raised, queue.ended(id)]);
  expect(store.written.map(({ state, priority }) => `${state} ${priority}`)).toEqual([
    "queued low",
    "queued high",
    "running high",
    "completed high",
  ]);
});

test("does not write a record for progress", async () => {
  const { id } = await queue.enqueue(request("books:/A"));
  const job = await work.begun(id);
  const before = store.written.length;
  for (let percent = 0; percent < 100; percent++) job.context.report(percent);
  await settle();
  expect(store.written).toHaveLength(before);
});
