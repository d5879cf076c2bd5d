import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Operation, OperationKind, OperationRun, OperationState } from "../../src/domain/operation.ts";
import type { Pauses, RetryPolicy, WorkerLimits } from "../../src/domain/queue.ts";
import { AppError } from "../../src/errors.ts";
import type { Queue } from "../../src/queue/port.ts";
import {
  createTestClock,
  createWork,
  fixed,
  memoryPauses,
  request,
  type TestClock,
  type Work,
} from "./queue-work.ts";

/*
 * Long, because a port has one suite: whoever makes another queue runs it with one call, and all of it shares one set-up.
 */

interface QueueParts {
  readonly runs: Readonly<Partial<Record<OperationKind, OperationRun>>>;
  readonly pauses: { load(): Pauses; save(pauses: Pauses): Promise<void> };
  readonly workers: WorkerLimits;
  readonly retry: Readonly<Partial<Record<OperationKind, RetryPolicy>>>;
  readonly progressOf: (operation: Operation) => number;
  readonly now: () => number;
  readonly random: () => number;
  readonly setTimer: (work: () => void, ms: number) => () => void;
  readonly newId: () => string;
  readonly agingMs: number;
  readonly limit: number;
}

/** Whatever survives a crash; each `open` is a new start of the runner on it, the earlier queue being dead. */
export interface QueueBackend {
  open(parts: QueueParts): Promise<Queue>;
  /** Resolves when nothing is on its way any more: no record to the disk, no operation to a worker. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

const agingMs = 60_000;

/** What every queue promises, in one process or on many machines. */
export function queueContract(name: string, createBackend: () => Promise<QueueBackend>): void {
  describe(`${name} as a queue`, () => {
    let backend: QueueBackend;
    let work: Work;
    let clock: TestClock;
    let pauses: ReturnType<typeof memoryPauses>;
    let lastId: number;
    let queue: Queue;

    beforeEach(async () => {
      backend = await createBackend();
      work = createWork();
      clock = createTestClock();
      pauses = memoryPauses();
      lastId = 0;
      queue = await open();
    });
    afterEach(async () => {
      await queue.stop({ graceMs: 0 });
      await backend.close();
    });

    async function open(change: Partial<QueueParts> = {}): Promise<Queue> {
      // The timers of the dead one die with it.
      const { nowMs } = clock;
      clock = createTestClock();
      clock.nowMs = nowMs;
      const opened = await backend.open({
        runs: { scan: work.run, organize: work.run, undo: work.run },
        workers: fixed(2),
        pauses,
        retry: {},
        progressOf: () => 0,
        now: () => clock.nowMs++,
        random: () => 0.5,
        setTimer: clock.setTimer,
        newId: () => `op-${++lastId}`,
        agingMs,
        limit: 100,
        ...change,
      });
      return opened;
    }

    async function enqueue(...parts: Parameters<typeof request>): Promise<string> {
      return (await queue.enqueue(request(...parts))).id;
    }

    /** Ends whatever runs, again and again, and says in which order things ran. */
    async function runAll(): Promise<readonly string[]> {
      for (;;) {
        await backend.settled();
        const running = work.jobs.filter((job) => job.isRunning);
        if (running.length === 0) return work.jobs.map((job) => job.operation.id);
        for (const job of running) job.finish();
      }
    }

    function stateOf(id: string): OperationState | undefined {
      return queue.get(id)?.state;
    }

    function reasonOf(id: string): string | undefined {
      return queue.snapshot().waiting.find((waiting) => waiting.operationId === id)?.reason;
    }

    describe("running", () => {
      test("runs an operation and keeps how it ended", async () => {
        queue.start();
        const id = await enqueue("books:/A", { input: { force: true }, transaction: "t1" });
        const job = await work.begun(id);
        expect(job.operation).toMatchObject({ id, state: "running", attempts: 1, input: { force: true } });
        job.finish({ books: 3 });
        expect(await queue.ended(id)).toMatchObject({
          id,
          kind: "organize",
          state: "completed",
          percent: 100,
          attempts: 1,
          scopes: ["books:/A"],
          transaction: "t1",
          summary: { books: 3 },
          error: null,
          startedAt: expect.stringMatching(/^2026-01-01T.*Z$/),
          finishedAt: expect.stringMatching(/^2026-01-01T.*Z$/),
        });
        expect(queue.get(id)).toEqual(await queue.ended(id));
      });

      test("runs nothing before it is started", async () => {
        const id = await enqueue("books:/A");
        await backend.settled();
        expect(work.jobs).toEqual([]);
        expect(stateOf(id)).toBe("queued");
        expect(queue.snapshot().state).toBe("stopped");
        queue.start();
        await work.begun(id);
        expect(queue.snapshot().state).toBe("running");
      });

      test("records a throw as a failure, with its code, and goes on", async () => {
        queue.start();
        const first = await enqueue("books:/A");
        const error = new AppError("source_unavailable", "No answer", {
          retryable: true,
          details: { tries: 3 },
        });
        (await work.begun(first)).fail(error);
        expect(await queue.ended(first)).toMatchObject({
          state: "failed",
          summary: null,
          error: { code: "source_unavailable", message: "No answer", retryable: true, details: { tries: 3 } },
        });
        const second = await enqueue("books:/A");
        (await work.begun(second)).fail(new Error("boom"));
        expect((await queue.ended(second)).error).toMatchObject({ code: "internal", message: "boom" });
      });

      test("loses no worker to work that throws at once", async () => {
        queue = await open({
          runs: {
            undo: () => {
              throw new Error("before any promise");
            },
            organize: work.run,
          },
        });
        queue.start();
        for (let i = 0; i < 5; i++) {
          const id = await enqueue("books:/A", { kind: "undo" });
          expect((await queue.ended(id)).error?.message).toBe("before any promise");
        }
        await work.begun(await enqueue("books:/A"));
        await work.begun(await enqueue("books:/B"));
      });

      test("runs as many at once as it may, and more or fewer when told", async () => {
        queue.start();
        for (const folder of ["A", "B", "C", "D", "E"]) await enqueue(`books:/${folder}`);
        await backend.settled();
        expect(work.runningIds()).toEqual(["op-1", "op-2"]);
        queue.setWorkers(fixed(3));
        await backend.settled();
        expect(work.runningIds()).toEqual(["op-1", "op-2", "op-3"]);
        queue.setWorkers(fixed(1));
        for (const id of ["op-1", "op-2"]) (await work.begun(id)).finish();
        await backend.settled();
        expect(work.runningIds()).toEqual(["op-3"]);
        expect(queue.snapshot().workers).toEqual({ current: 1, min: 1, max: 1 });
        (await work.begun("op-3")).finish();
        await backend.settled();
        expect(work.runningIds()).toEqual(["op-4"]);
      });

      test.each([0, -1, 1.5, Number.NaN])("refuses %d workers", (concurrency) => {
        expect(() => queue.setWorkers(fixed(concurrency))).toThrow(`${concurrency} operations at once`);
      });
    });

    describe("order", () => {
      beforeEach(async () => {
        queue = await open({ workers: fixed(1) });
      });

      test("takes the higher priority first and the older of equals", async () => {
        await enqueue("books:/A", { priority: "low" });
        await enqueue("books:/B", { priority: "normal" });
        await enqueue("books:/C", { priority: "normal" });
        await enqueue("books:/D", { priority: "high" });
        queue.start();
        expect(await runAll()).toEqual(["op-4", "op-2", "op-3", "op-1"]);
      });

      test("lets waiting make up for priority, so that nothing starves", async () => {
        await enqueue("books:/A", { priority: "low" });
        clock.nowMs += agingMs + 1;
        await enqueue("books:/B", { priority: "normal" });
        await enqueue("books:/C", { priority: "high" });
        queue.start();
        expect(await runAll()).toEqual(["op-3", "op-1", "op-2"]);
      });

      test("lets a better one overtake those that wait", async () => {
        queue.start();
        await enqueue("books:/A");
        await enqueue("books:/A");
        await enqueue("books:/B");
        await enqueue("books:/A", { priority: "high" });
        expect(await runAll()).toEqual(["op-1", "op-4", "op-2", "op-3"]);
      });
    });

    describe("scopes", () => {
      test.each([
        [["books:/A"], ["books:/A"]],
        [["books:/"], ["books:/A/B"]],
        [["books:/A/B"], ["books:/A"]],
        [["books:/A/"], ["books:/A"]],
        [
          ["books:/C", "inbox:/A/B"],
          ["books:/D", "inbox:/A"],
        ],
      ])("never runs %j and %j together", async (first, second) => {
        queue.start();
        await enqueue(first);
        await enqueue(second);
        await backend.settled();
        expect(work.runningIds()).toEqual(["op-1"]);
        expect([stateOf("op-2"), reasonOf("op-2")]).toEqual(["waiting", "scope_busy"]);
        (await work.begun("op-1")).finish();
        await work.begun("op-2");
      });

      test.each([
        ["books:/A", "books:/AB"],
        ["books:/A", "inbox:/A"],
        ["books:/A/B", "books:/A/C"],
        ["books:/a", "books:/A"],
      ])("runs %s and %s together", async (first, second) => {
        queue.start();
        await enqueue(first);
        await enqueue(second);
        await backend.settled();
        expect(work.runningIds()).toEqual(["op-1", "op-2"]);
      });

      test("passes by one whose folder is busy, for another that can run", async () => {
        queue.start();
        await enqueue("books:/A");
        await enqueue("books:/A");
        await enqueue("books:/B");
        await backend.settled();
        expect(work.runningIds()).toEqual(["op-1", "op-3"]);
      });

      test("does not let narrow scopes that keep arriving starve a broad one", async () => {
        queue.start();
        await enqueue("books:/A");
        await enqueue("books:/");
        await enqueue("books:/B");
        await backend.settled();
        expect(work.runningIds()).toEqual(["op-1"]);
        expect(await runAll()).toEqual(["op-1", "op-2", "op-3"]);
      });

      test("counts as queued what only lacks a worker", async () => {
        queue.start();
        for (const folder of ["A", "B", "C"]) await enqueue(`books:/${folder}`);
        await backend.settled();
        expect([stateOf("op-3"), reasonOf("op-3")]).toEqual(["queued", "no_worker"]);
      });

      test("runs together what touches no folder at all", async () => {
        queue.start();
        await enqueue([]);
        await enqueue([]);
        await backend.settled();
        expect(work.runningIds()).toEqual(["op-1", "op-2"]);
      });

      test("refuses a malformed scope and keeps nothing of it", async () => {
        await expect(queue.enqueue(request(["books:/A", "nonsense"]))).rejects.toMatchObject({
          code: "invalid_payload",
          message: '"nonsense" is not a scope: it reads root:/path',
        });
        expect(queue.list({ limit: 10, offset: 0 }).total).toBe(0);
        queue.start();
        await work.begun(await enqueue("books:/A"));
      });
    });

    describe("scans of one folder", () => {
      const scan = (scope: string | readonly string[], change: Parameters<typeof request>[1] = {}) =>
        enqueue(scope, { kind: "scan", ...change });

      test("answers with a queued scan that covers the folder", async () => {
        const first = await scan("books:/A");
        expect(await scan("books:/A")).toBe(first);
        expect(await scan("books:/A/B")).toBe(first);
        expect(await scan(["books:/A/B", "books:/A/C"])).toBe(first);
        expect(queue.list({ limit: 10, offset: 0 }).total).toBe(1);
        queue.start();
        expect(await runAll()).toEqual([first]);
      });

      test("answers with one operation where many ask at the same moment", async () => {
        const ids = await Promise.all(Array.from({ length: 100 }, () => scan("books:/A")));
        expect(new Set(ids).size).toBe(1);
      });

      test("queues a broader scan, another root's, and one of another kind of work", async () => {
        const ids = [
          await scan("books:/A"),
          await scan("books:/"),
          await scan("inbox:/A"),
          await enqueue("books:/A"),
          await enqueue("books:/A"),
          await scan(["books:/A", "other:/"]),
        ];
        expect(new Set(ids).size).toBe(ids.length);
      });

      test("does not take an ordinary scan for one that reads everything again", async () => {
        const ordinary = await scan("books:/");
        const forced = await scan("books:/", { input: { force: true } });
        expect(forced).not.toBe(ordinary);
        expect(await scan("books:/A", { input: { force: true } })).toBe(forced);
      });

      test("queues a new one behind a running one, and joins that one then", async () => {
        queue.start();
        const running = await scan("books:/");
        await work.begun(running);
        const behind = await scan("books:/A");
        expect(behind).not.toBe(running);
        expect(stateOf(behind)).toBe("waiting");
        expect(await scan("books:/A")).toBe(behind);
      });

      test("does not join a scan that goes on from its middle after a restart", async () => {
        queue.start();
        const first = await scan("books:/");
        await work.begun(first);
        queue = await open();
        await queue.recover();
        expect(await scan("books:/")).not.toBe(first);
      });

      test("gives the queued one the higher priority of those that ask", async () => {
        queue = await open({ workers: fixed(1) });
        const low = await scan("books:/A", { priority: "low" });
        const normal = await scan("books:/B");
        await scan("books:/A", { priority: "high" });
        await scan("books:/A", { priority: "normal" });
        expect(queue.get(low)?.priority).toBe("high");
        queue = await open({ workers: fixed(1) });
        await queue.recover();
        queue.start();
        expect(await runAll()).toEqual([low, normal]);
      });
    });

    describe("what it refuses", () => {
      test("more operations than its limit, until some have ended", async () => {
        queue = await open({ limit: 2 });
        queue.start();
        const [first] = await Promise.all([enqueue("books:/A"), enqueue("books:/B")]);
        const third = request("books:/C");
        await expect(queue.enqueue(third)).rejects.toMatchObject({ code: "queue_full", retryable: true });
        (await work.begun(first)).finish();
        await queue.ended(first);
        await queue.enqueue(third);
      });

      test("a burst beyond its limit, however fast it comes", async () => {
        queue = await open({ limit: 5 });
        const outcomes = await Promise.allSettled(
          Array.from({ length: 20 }, (_, i) => queue.enqueue(request(`books:/${i}`))),
        );
        expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(5);
        expect(queue.snapshot().counts.queued).toBe(5);
      });

      test("a kind of work that nothing runs", async () => {
        await expect(queue.enqueue(request("books:/A", { kind: "verify" }))).rejects.toMatchObject({
          code: "invalid_payload",
          message: 'This runner has nothing that runs operations of kind "verify"',
        });
      });

      test("to know an operation that never was", async () => {
        expect(queue.get("nobody")).toBeNull();
        await expect(queue.ended("nobody")).rejects.toMatchObject({ code: "not_found" });
        await expect(queue.cancel("nobody")).rejects.toMatchObject({ code: "not_found" });
      });
    });

    describe("cancelling", () => {
      test("ends a queued one at once, and it never runs", async () => {
        const id = await enqueue("books:/A");
        expect(await queue.cancel(id)).toMatchObject({
          state: "cancelled",
          error: { code: "cancelled" },
          finishedAt: expect.any(String),
        });
        queue.start();
        expect(await runAll()).toEqual([]);
        expect(stateOf(id)).toBe("cancelled");
      });

      test("frees those that wait behind a waiting one", async () => {
        queue.start();
        await enqueue("books:/A");
        await enqueue("books:/");
        await enqueue("books:/B");
        await backend.settled();
        expect(stateOf("op-3")).toBe("waiting");
        await queue.cancel("op-2");
        await work.begun("op-3");
      });

      test("signals a running one with the reason, and answers when it has ended", async () => {
        queue.start();
        const id = await enqueue("books:/A");
        const job = await work.begun(id);
        const answer = queue.cancel(id);
        expect(job.context.signal.reason).toBe("cancel");
        expect(await answer).toMatchObject({ state: "cancelled", error: { code: "cancelled" } });
        await work.begun(await enqueue("books:/A"));
      });

      test("takes an abort in any of its usual forms for the cancel, and any other throw for a failure", async () => {
        const throws: readonly (readonly [unknown, OperationState])[] = [
          [new DOMException("aborted", "AbortError"), "cancelled"],
          [new AppError("cancelled", "stopped at a safe point"), "cancelled"],
          [new Error("could not roll back"), "failed"],
        ];
        const stubborn = createWork({ heedsSignal: false });
        queue = await open({ runs: { organize: stubborn.run } });
        queue.start();
        for (const [error, state] of throws) {
          const id = await enqueue("books:/A");
          const job = await stubborn.begun(id);
          const answer = queue.cancel(id);
          job.fail(error);
          expect((await answer).state).toBe(state);
        }
      });

      test("lets one complete that was past its last safe point", async () => {
        const stubborn = createWork({ heedsSignal: false });
        queue = await open({ runs: { organize: stubborn.run } });
        queue.start();
        const id = await enqueue("books:/A");
        const job = await stubborn.begun(id);
        const answers = [queue.cancel(id), queue.cancel(id)];
        job.finish({ books: 1 });
        for (const answer of answers) {
          expect(await answer).toMatchObject({ state: "completed", summary: { books: 1 } });
        }
      });

      test("says that one has ended before", async () => {
        queue.start();
        const id = await enqueue("books:/A");
        (await work.begun(id)).finish();
        await queue.ended(id);
        await expect(queue.cancel(id)).rejects.toMatchObject({
          code: "conflict",
          message: `Operation ${id} has ended before: it is completed`,
        });
      });
    });

    describe("after a crash", () => {
      test("has every operation that was acknowledged, in the same order", async () => {
        await enqueue("books:/A", { priority: "low" });
        await enqueue("books:/B", { priority: "high", input: { path: "B" }, transaction: "t" });
        queue = await open({ workers: fixed(1) });
        expect((await queue.recover()).map((operation) => operation.id).sort()).toEqual(["op-1", "op-2"]);
        expect(queue.get("op-2")).toMatchObject({ state: "queued", input: { path: "B" }, transaction: "t" });
        queue.start();
        expect(await runAll()).toEqual(["op-2", "op-1"]);
      });

      test("goes on with what was running, under its own id and before anything else", async () => {
        queue.start();
        await enqueue("books:/A", { priority: "low" });
        await enqueue("books:/B", { priority: "low" });
        await enqueue("books:/C", { priority: "high" });
        const before = await work.begun("op-1");
        work = createWork();
        queue = await open({ workers: fixed(1) });
        const recovered = await queue.recover();
        expect(recovered.map((operation) => operation.id)).toEqual(["op-1", "op-2", "op-3"]);
        expect(recovered.map((operation) => operation.state)).toEqual(["queued", "queued", "queued"]);
        clock.nowMs += 1000;
        queue.start();
        const again = await work.begun("op-1");
        expect(again.operation).toMatchObject({
          attempts: 2,
          startedAt: before.operation.startedAt,
          percent: null,
        });
        expect(await runAll()).toEqual(["op-1", "op-2", "op-3"]);
      });

      test("goes on with it first after a second crash before it ran", async () => {
        queue.start();
        await enqueue("books:/A", { priority: "low" });
        await enqueue("books:/B", { priority: "high" });
        await enqueue("books:/C", { priority: "high" });
        await backend.settled();
        work = createWork();
        await (await open({ workers: fixed(1) })).recover();
        queue = await open({ workers: fixed(1) });
        await queue.recover();
        queue.start();
        expect(await runAll()).toEqual(["op-1", "op-2", "op-3"]);
      });

      test("tells the listeners of the interruption", async () => {
        queue.start();
        await work.begun(await enqueue("books:/A"));
        queue = await open();
        const changes: [OperationState | null, OperationState][] = [];
        queue.onChange((operation, previous) => changes.push([previous, operation.state]));
        await queue.recover();
        expect(changes).toEqual([
          ["running", "interrupted"],
          ["interrupted", "queued"],
        ]);
      });

      test("does not run again what has ended", async () => {
        queue.start();
        const id = await enqueue("books:/A");
        (await work.begun(id)).finish();
        await queue.ended(id);
        await queue.cancel(await enqueue("books:/B"));
        work = createWork();
        queue = await open();
        expect(await queue.recover()).toEqual([]);
        queue.start();
        expect(await runAll()).toEqual([]);
        expect(await queue.ended(id)).toMatchObject({ state: "completed" });
      });

      test("fails what this version has nothing to run with, and says so", async () => {
        const id = await enqueue("books:/A", { kind: "undo" });
        queue = await open({ runs: { scan: work.run } });
        expect(await queue.recover()).toEqual([]);
        expect(queue.get(id)).toMatchObject({
          state: "failed",
          error: { message: 'This runner has nothing that runs operations of kind "undo"' },
        });
      });
    });

    describe("stopping", () => {
      test("signals what runs, keeps it as interrupted, and goes on with it at the next start", async () => {
        queue.start();
        const running = await enqueue("books:/A");
        const waiting = await enqueue("books:/A");
        const job = await work.begun(running);
        await queue.stop({ graceMs: 10_000 });
        expect(job.context.signal.reason).toBe("shutdown");
        expect(job.isRunning).toBe(false);
        expect([stateOf(running), queue.get(running)?.finishedAt]).toEqual(["interrupted", null]);
        work = createWork();
        queue = await open();
        await queue.recover();
        queue.start();
        expect(await runAll()).toEqual([running, waiting]);
      });

      test("takes any failure while stopping for an interruption", async () => {
        const stubborn = createWork({ heedsSignal: false });
        queue = await open({ runs: { organize: stubborn.run } });
        queue.start();
        const id = await enqueue("books:/A");
        const job = await stubborn.begun(id);
        const stopped = queue.stop({ graceMs: 10_000 });
        job.fail(new Error("the database is closed"));
        await stopped;
        expect(stateOf(id)).toBe("interrupted");
      });

      test("lets one complete that is at its end", async () => {
        const stubborn = createWork({ heedsSignal: false });
        queue = await open({ runs: { organize: stubborn.run } });
        queue.start();
        const id = await enqueue("books:/A");
        const job = await stubborn.begun(id);
        const stopped = queue.stop({ graceMs: 10_000 });
        job.finish();
        await stopped;
        expect(stateOf(id)).toBe("completed");
      });

      test("does not wait longer than it may, and what ends later changes nothing", async () => {
        const stubborn = createWork({ heedsSignal: false });
        queue = await open({ runs: { organize: stubborn.run } });
        queue.start();
        const id = await enqueue("books:/A");
        const job = await stubborn.begun(id);
        await queue.stop({ graceMs: 1 });
        expect(stateOf(id)).toBe("interrupted");
        job.finish();
        await backend.settled();
        expect(stateOf(id)).toBe("interrupted");
        queue = await open();
        expect(await queue.recover()).toMatchObject([{ id, state: "queued" }]);
      });

      test("keeps a cancel that was not heeded in time", async () => {
        const stubborn = createWork({ heedsSignal: false });
        queue = await open({ runs: { organize: stubborn.run } });
        queue.start();
        const id = await enqueue("books:/A");
        await stubborn.begun(id);
        const answer = queue.cancel(id);
        await queue.stop({ graceMs: 1 });
        expect(await answer).toMatchObject({ state: "cancelled" });
      });

      test("starts nothing more and takes nothing more", async () => {
        queue.start();
        for (const folder of ["A", "B", "C"]) await enqueue(`books:/${folder}`);
        await backend.settled();
        await queue.stop({ graceMs: 10_000 });
        await backend.settled();
        expect(work.jobs.map((job) => job.operation.id)).toEqual(["op-1", "op-2"]);
        await expect(queue.enqueue(request("books:/D"))).rejects.toMatchObject({
          code: "busy",
          retryable: true,
        });
        await expect(queue.cancel("op-3")).rejects.toMatchObject({ code: "busy" });
        expect(queue.snapshot().state).toBe("stopped");
      });

      test("settles with a reason whoever waits for an end", async () => {
        queue.start();
        const running = await enqueue("books:/A");
        const waiting = await enqueue("books:/A");
        const ends = [queue.ended(running), queue.ended(waiting)].map((end) =>
          end.catch((error: unknown) => error),
        );
        await queue.stop({ graceMs: 10_000 });
        for (const end of ends) {
          expect(await end).toMatchObject({ code: "busy", message: expect.stringContaining("next start") });
        }
        await expect(queue.ended(waiting)).rejects.toMatchObject({ code: "busy" });
      });

      test("stops once, however often it is told", async () => {
        queue.start();
        const job = await work.begun(await enqueue("books:/A"));
        await Promise.all([queue.stop({ graceMs: 10_000 }), queue.stop({ graceMs: 10_000 })]);
        await queue.stop({ graceMs: 0 });
        expect(job.isRunning).toBe(false);
      });

      test("stops where it never started", async () => {
        const id = await enqueue("books:/A");
        await queue.stop({ graceMs: 0 });
        queue.start();
        await backend.settled();
        expect(work.jobs).toEqual([]);
        expect(stateOf(id)).toBe("queued");
      });
    });

    describe("what may run together", () => {
      test("lets two read the same folder at the same time, and a writer have it alone", async () => {
        queue = await open({ workers: fixed(5) });
        queue.start();
        const reading = { reads: ["books:/A"] };
        const [one, two] = [await enqueue("books:/A", reading), await enqueue("books:/A", reading)];
        const writer = await enqueue("books:/A/B");
        const late = await enqueue("books:/A", reading);
        await backend.settled();
        expect(work.runningIds()).toEqual([one, two]);
        expect([stateOf(writer), stateOf(late)]).toEqual(["waiting", "waiting"]);
        for (const id of [one, two]) (await work.begun(id)).finish();
        (await work.begun(writer)).finish();
        (await work.begun(late)).finish();
      });

      test("keeps a writer out of what another operation reads beside what it writes", async () => {
        queue = await open({ workers: fixed(5) });
        queue.start();
        const mixed = await enqueue(["books:/A", "inbox:/"], { reads: ["inbox:/"] });
        const reader = await enqueue("inbox:/x", { reads: ["inbox:/x"] });
        const writer = await enqueue("inbox:/x/y");
        await backend.settled();
        expect(work.runningIds()).toEqual([mixed, reader]);
        expect(reasonOf(writer)).toBe("scope_busy");
      });

      test("gives every root its turn, however many wait in another", async () => {
        queue = await open({ workers: fixed(1) });
        for (let i = 0; i < 20; i++) await enqueue(`books:/${i}`);
        const other = await enqueue("inbox:/x");
        queue.start();
        const order = await runAll();
        expect(order.indexOf(other)).toBeLessThanOrEqual(1);
      });

      test("starts one of low priority in bounded time under endless ones of high priority, by its age", async () => {
        queue = await open({ workers: fixed(1) });
        queue.start();
        const low = await enqueue("books:/low", { priority: "low" });
        const first = work.jobs.length;
        for (let i = 0; i < 60 && stateOf(low) === "queued"; i++) {
          await enqueue(`books:/${i}`, { priority: "high" });
          clock.nowMs += agingMs / 10;
          await backend.settled();
          work.jobs.findLast((job) => job.isRunning)?.finish();
          await backend.settled();
        }
        // Two steps of priority, a tenth of one per round, and what was waiting before it.
        expect(stateOf(low)).not.toBe("queued");
        expect(work.jobs.length - first).toBeLessThanOrEqual(32);
      });

      test("starves it without aging: that is what aging is for", async () => {
        queue = await open({ workers: fixed(1), agingMs: Number.MAX_SAFE_INTEGER });
        queue.start();
        await enqueue("books:/first", { priority: "high" });
        const low = await enqueue("books:/low", { priority: "low" });
        for (let i = 0; i < 60; i++) {
          await enqueue(`books:/${i}`, { priority: "high" });
          clock.nowMs += agingMs / 10;
          await backend.settled();
          work.jobs.findLast((job) => job.isRunning)?.finish();
          await backend.settled();
        }
        expect(stateOf(low)).toBe("queued");
      });
    });

    describe("what waits for what", () => {
      test("runs one after those that it is told to come after, and names them", async () => {
        queue.start();
        const first = await enqueue("books:/A");
        const second = await enqueue("books:/B", { after: [first] });
        await backend.settled();
        expect([stateOf(second), reasonOf(second)]).toEqual(["waiting", "dependency"]);
        expect(queue.snapshot().waiting[0]?.waitsFor).toEqual([first]);
        (await work.begun(first)).finish();
        (await work.begun(second)).finish();
        expect((await queue.ended(second)).state).toBe("completed");
      });

      test.each(["fails", "is cancelled"])(
        "cancels all that must come after one that %s, with the reason",
        async (how) => {
          queue.start();
          const first = await enqueue("books:/A");
          const second = await enqueue("books:/B", { after: [first] });
          const third = await enqueue("books:/C", { after: [second] });
          const other = await enqueue("books:/D", { afterAny: [first, second] });
          if (how === "fails") (await work.begun(first)).fail(new Error("no disk"));
          else await queue.cancel(first);
          const ended = await queue.ended(second);
          expect(ended).toMatchObject({
            state: "cancelled",
            error: { code: "cancelled", details: { operation_id: first } },
          });
          expect(ended.error?.message).toContain(how === "fails" ? "no disk" : "cancelled");
          expect((await queue.ended(third)).state).toBe("cancelled");
          (await work.begun(other)).finish();
        },
      );

      test("refuses to come after what is not known, or has failed", async () => {
        queue.start();
        await expect(enqueue("books:/A", { after: ["op-99"] })).rejects.toMatchObject({ code: "not_found" });
        const failed = await enqueue("books:/A");
        (await work.begun(failed)).fail(new Error("boom"));
        await queue.ended(failed);
        await expect(enqueue("books:/A", { after: [failed] })).rejects.toMatchObject({ code: "conflict" });
        (await work.begun(await enqueue("books:/A", { afterAny: [failed] }))).finish();
      });

      test("waits on over a crash", async () => {
        const first = await enqueue("books:/A");
        const second = await enqueue("books:/B", { after: [first] });
        queue = await open();
        await queue.recover();
        queue.start();
        await backend.settled();
        expect([stateOf(first), reasonOf(second)]).toEqual(["running", "dependency"]);
        (await work.begun(first)).finish();
        (await work.begun(second)).finish();
      });

      test("lets an organize wait for a scan of its folder that was asked for before it, whatever their priorities", async () => {
        queue = await open({ workers: fixed(1) });
        queue.start();
        const busy = await enqueue("inbox:/");
        const scan = await enqueue("books:/A", { kind: "scan", priority: "low" });
        const organize = await enqueue("books:/", { priority: "high" });
        const other = await enqueue("books:/Z", { kind: "scan", priority: "low" });
        await backend.settled();
        expect(queue.get(scan)?.priority).toBe("high");
        (await work.begun(busy)).finish();
        expect((await runAll()).slice(1)).toEqual([scan, organize, other]);
      });

      test("lets an organize wait for a scan that is paused, or waits for its next try", async () => {
        queue = await open({ retry: { scan: { attempts: 2, baseMs: 1000, maxMs: 1000 } } });
        queue.start();
        const scan = await enqueue("books:/A", { kind: "scan" });
        const organize = await enqueue("books:/A");
        (await work.begun(scan)).fail(new AppError("disk_lost", "gone", { retryable: true }));
        await backend.settled();
        expect(reasonOf(organize)).toBe("scope_busy");
        await queue.pause("scan");
        clock.advance(5000);
        await backend.settled();
        expect(work.runningIds()).toEqual([]);
        await queue.resume();
        (await work.begun(scan)).finish();
        (await work.begun(organize)).finish();
      });

      test("makes waiting scans one where a new one covers them, and ends them with its answer", async () => {
        const [a, b] = [
          await enqueue("books:/A", { kind: "scan" }),
          await enqueue("books:/B", { kind: "scan" }),
        ];
        const forced = await enqueue("books:/C", { kind: "scan", input: { force: true } });
        const whole = await enqueue("books:/", { kind: "scan", priority: "low" });
        expect(reasonOf(a)).toBe("dependency");
        queue.start();
        (await work.begun(whole)).finish({ books: 7 });
        for (const id of [a, b]) {
          expect(await queue.ended(id)).toMatchObject({
            state: "completed",
            attempts: 0,
            summary: { books: 7 },
          });
        }
        (await work.begun(forced)).finish();
      });

      test("scans by itself what was merged into a scan that somebody cancels", async () => {
        const small = await enqueue("books:/A", { kind: "scan" });
        const whole = await enqueue("books:/", { kind: "scan" });
        await queue.cancel(whole);
        queue.start();
        (await work.begun(small)).finish();
        expect((await queue.ended(small)).state).toBe("completed");
      });
    });

    describe("pausing", () => {
      test("starts nothing, parks what runs, and goes on with it without another try", async () => {
        queue.start();
        const running = await enqueue("books:/A");
        const job = await work.begun(running);
        await queue.pause();
        await backend.settled();
        expect(job.context.signal.reason).toBe("pause");
        expect(queue.get(running)).toMatchObject({ state: "waiting", isParked: true });
        const other = await enqueue("books:/B");
        const inside = await enqueue("books:/A/B");
        await backend.settled();
        expect([reasonOf(running), reasonOf(other), reasonOf(inside)]).toEqual([
          "paused",
          "paused",
          "paused",
        ]);
        expect(queue.snapshot().state).toBe("paused");
        await queue.resume();
        (await work.begun(running)).finish();
        (await work.begun(other)).finish();
        expect(await queue.ended(running)).toMatchObject({
          state: "completed",
          attempts: 1,
          isParked: false,
        });
      });

      test("of one kind leaves the others alone, but not in the folders of what is parked", async () => {
        queue.start();
        const scan = await enqueue("books:/A", { kind: "scan" });
        await work.begun(scan);
        await queue.pause("scan");
        const organize = await enqueue("books:/B");
        const inside = await enqueue("books:/A", { kind: "undo" });
        await work.begun(organize);
        await backend.settled();
        expect(reasonOf(scan)).toBe("paused");
        expect(reasonOf(inside)).toBe("scope_busy");
        expect(queue.snapshot()).toMatchObject({ state: "running", pausedKinds: ["scan"] });
      });

      test("lasts over a crash, and then goes on with what was parked first of all", async () => {
        queue.start();
        const running = await enqueue("books:/A", { priority: "low" });
        await work.begun(running);
        await queue.pause();
        const other = await enqueue("books:/A", { priority: "high" });
        await backend.settled();
        queue = await open();
        await queue.recover();
        queue.start();
        await backend.settled();
        expect(work.runningIds()).toEqual([]);
        expect(queue.snapshot().state).toBe("paused");
        await queue.resume();
        (await work.begun(running)).finish();
        (await work.begun(other)).finish();
      });

      test("takes back what is parked where it is cancelled, by running it with that signal", async () => {
        queue.start();
        const id = await enqueue("books:/A");
        await work.begun(id);
        await queue.pause();
        await backend.settled();
        const cancelling = queue.cancel(id);
        await backend.settled();
        const last = work.jobs.at(-1);
        expect(last?.context.signal.reason).toBe("cancel");
        last?.fail(last.context.signal.reason);
        expect((await cancelling).state).toBe("cancelled");
      });

      test("holds back what somebody else says, as long as it says so", async () => {
        queue.start();
        queue.hold("memory", ({ priority }) => priority === "low");
        const low = await enqueue("books:/A", { priority: "low" });
        const normal = await enqueue("books:/B");
        await work.begun(normal);
        expect(reasonOf(low)).toBe("paused");
        expect(queue.snapshot().state).toBe("running");
        queue.hold("memory", null);
        await work.begun(low);
      });
    });

    describe("trying again", () => {
      const retry = { organize: { attempts: 3, baseMs: 1000, maxMs: 10_000 } };
      const lost = new AppError("disk_lost", "The disk is gone", { retryable: true });

      test("waits longer each time, shows till when, and keeps what went wrong", async () => {
        queue = await open({ retry, random: () => 1 });
        queue.start();
        const id = await enqueue("books:/A");
        (await work.begun(id)).fail(lost);
        await backend.settled();
        expect(reasonOf(id)).toBe("retry");
        expect(Date.parse(queue.get(id)?.retryAt ?? "")).toBeGreaterThanOrEqual(clock.nowMs + 900);
        clock.advance(1001);
        (await work.begun(id)).fail(lost);
        await backend.settled();
        clock.advance(1001);
        await backend.settled();
        expect(stateOf(id)).toBe("waiting");
        clock.advance(1001);
        (await work.begun(id)).fail(new AppError("disk_lost", "Gone for good", { retryable: true }));
        const ended = await queue.ended(id);
        expect(ended).toMatchObject({ state: "failed", attempts: 3, error: { message: "Gone for good" } });
        expect(ended.errors.map(({ message }) => message)).toEqual(["The disk is gone", "The disk is gone"]);
      });

      test("waits for a time that an error names, however often, and counts that as no try", async () => {
        queue = await open({ retry });
        queue.start();
        const id = await enqueue("books:/A");
        for (let wait = 1; wait <= 5; wait++) {
          const at = new Date(clock.nowMs + 60_000).toISOString();
          const away = new AppError("source_unavailable", `Away ${wait}`, {
            retryable: true,
            details: { retry_at: at },
          });
          (await work.begun(id)).fail(away);
          await backend.settled();
          expect(queue.get(id)).toMatchObject({ state: "waiting", retryAt: at, attempts: 0 });
          expect(queue.get(id)?.errors.map(({ message }) => message)).toEqual([`Away ${wait}`]);
          clock.advance(60_001);
        }
        (await work.begun(id)).fail(lost);
        await backend.settled();
        clock.advance(1001);
        (await work.begun(id)).finish();
        expect(await queue.ended(id)).toMatchObject({ state: "completed", attempts: 2 });
      });

      test("lets others have its folders meanwhile", async () => {
        queue = await open({ retry });
        queue.start();
        const id = await enqueue("books:/A");
        const other = await enqueue("books:/A");
        (await work.begun(id)).fail(lost);
        (await work.begun(other)).finish();
      });

      test("is for errors that call themselves retryable only", async () => {
        queue = await open({ retry });
        queue.start();
        const id = await enqueue("books:/A");
        (await work.begun(id)).fail(new AppError("conflict", "no"));
        expect(await queue.ended(id)).toMatchObject({ state: "failed", attempts: 1, errors: [] });
      });

      test("can be cancelled while it waits", async () => {
        queue = await open({ retry });
        queue.start();
        const id = await enqueue("books:/A");
        (await work.begun(id)).fail(lost);
        await backend.settled();
        expect((await queue.cancel(id)).state).toBe("cancelled");
        clock.advance(20_000);
        await backend.settled();
        expect(work.jobs.length).toBe(1);
      });

      test("waits on over a crash", async () => {
        queue = await open({ retry });
        queue.start();
        const id = await enqueue("books:/A");
        (await work.begun(id)).fail(lost);
        await backend.settled();
        queue = await open({ retry });
        await queue.recover();
        queue.start();
        await backend.settled();
        expect(reasonOf(id)).toBe("retry");
        clock.advance(2000);
        (await work.begun(id)).finish();
        expect((await queue.ended(id)).attempts).toBe(2);
      });

      test("comes at once where it is asked for", async () => {
        queue = await open({ retry });
        queue.start();
        const id = await enqueue("books:/A");
        (await work.begun(id)).fail(lost);
        await backend.settled();
        await queue.retry(id);
        (await work.begun(id)).finish();
      });

      test("of what has failed keeps its id and its errors; of what has not is refused", async () => {
        queue.start();
        const id = await enqueue("books:/A");
        (await work.begun(id)).fail(new Error("boom"));
        await queue.ended(id);
        await queue.retry(id);
        (await work.begun(id)).finish();
        expect(await queue.ended(id)).toMatchObject({ state: "completed", attempts: 2, error: null });
        expect((await queue.ended(id)).errors.map(({ message }) => message)).toEqual(["boom"]);
        await expect(queue.retry(id)).rejects.toMatchObject({ code: "conflict" });
        await expect(queue.retry("op-99")).rejects.toMatchObject({ code: "not_found" });
      });
    });

    describe("crash after crash", () => {
      async function crash(progressOf: () => number): Promise<void> {
        queue = await open({ progressOf });
        await queue.recover();
        queue.start();
        await backend.settled();
      }

      test("parks as failed what was running at three in a row and came no further", async () => {
        queue.start();
        const id = await enqueue("books:/A");
        await work.begun(id);
        await crash(() => 0);
        await crash(() => 0);
        expect(stateOf(id)).toBe("running");
        await crash(() => 0);
        expect(queue.get(id)).toMatchObject({ state: "failed", crashes: 3, attempts: 3 });
        expect(queue.get(id)?.error?.message).toContain("3 times in a row");
        await queue.retry(id);
        (await work.begun(id)).finish();
      });

      test("goes on with what comes further each time", async () => {
        queue.start();
        const id = await enqueue("books:/A");
        await work.begun(id);
        for (let i = 1; i <= 6; i++) await crash(() => i);
        expect(stateOf(id)).toBe("running");
      });
    });

    describe("workers", () => {
      test("become more while a backlog stays, and fewer when it is gone for a while", async () => {
        queue = await open({ workers: { min: 1, max: 3 } });
        queue.start();
        for (let i = 0; i < 12; i++) await enqueue(`books:/${i}`);
        const seen: number[] = [];
        for (let second = 0; second < 20; second++) {
          clock.nowMs += 1000;
          queue.scale();
          seen.push(queue.workers().current);
        }
        expect(new Set(seen)).toEqual(new Set([1, 2, 3]));
        expect(seen).toEqual(seen.toSorted());
        await runAll();
        for (let second = 0; second < 30; second++) {
          clock.nowMs += 1000;
          queue.scale();
        }
        expect(queue.workers().current).toBe(3);
        for (let second = 0; second < 40; second++) {
          clock.nowMs += 1000;
          queue.scale();
        }
        expect(queue.workers().current).toBe(1);
      });

      test("become one under pressure, and as before when it is over", async () => {
        queue = await open({ workers: fixed(3) });
        queue.setPressure("shrink");
        expect(queue.workers().current).toBe(1);
        queue.setPressure("none");
        expect(queue.workers().current).toBe(3);
      });
    });

    describe("what it tells", () => {
      test("tells every change of a state in order, and the progress between", async () => {
        const changes: string[] = [];
        const forget = queue.onChange((operation, previous) =>
          changes.push(`${operation.id} ${previous} ${operation.state} ${operation.percent}`),
        );
        queue.start();
        const id = await enqueue("books:/A");
        const behind = await enqueue("books:/A");
        const job = await work.begun(id);
        for (const percent of [0, 0.01, 12.34, 12.39, 150, Number.NaN, null]) job.context.report(percent);
        job.finish();
        await queue.ended(id);
        await work.begun(behind);
        forget();
        await queue.cancel(behind);
        expect(changes).toEqual([
          "op-1 null queued null",
          "op-1 queued running null",
          "op-2 null waiting null",
          "op-1 running running 0",
          "op-1 running running 12.3",
          "op-1 running running 100",
          "op-1 running running null",
          "op-1 running completed 100",
          "op-2 waiting queued null",
          "op-2 queued running null",
        ]);
      });

      test("shows how far it is, and hears nothing more after the end", async () => {
        queue.start();
        const id = await enqueue("books:/A");
        const job = await work.begun(id);
        job.context.report(12.5);
        expect(queue.get(id)?.percent).toBe(12.5);
        expect(queue.snapshot().running).toEqual([
          { operationId: id, kind: "organize", scope: "books:/A", percent: 12.5 },
        ]);
        job.fail(new Error("boom"));
        await queue.ended(id);
        job.context.report(99);
        expect(queue.get(id)).toMatchObject({ state: "failed", percent: 12.5 });
      });

      test("shows the whole queue at a glance", async () => {
        queue = await open({ workers: fixed(1), now: () => clock.nowMs });
        queue.start();
        await enqueue("books:/A", { kind: "scan", priority: "high" });
        await backend.settled();
        await enqueue("books:/A/B", { priority: "low" });
        await enqueue("books:/C");
        await enqueue([]);
        const done = await enqueue("books:/D", { priority: "low" });
        await queue.cancel(done);
        clock.nowMs += 61_500;
        const alone = { retryAt: null, waitsFor: [] };
        expect(queue.snapshot()).toEqual({
          state: "running",
          pausedKinds: [],
          counts: {
            queued: 2,
            waiting: 1,
            running: 1,
            completed: 0,
            failed: 0,
            cancelled: 1,
            interrupted: 0,
          },
          byPriority: { low: 1, normal: 2, high: 1 },
          workers: { current: 1, min: 1, max: 1 },
          oldestWaitSeconds: 61,
          running: [{ operationId: "op-1", kind: "scan", scope: "books:/A", percent: null }],
          waiting: [
            { operationId: "op-3", kind: "organize", scope: "books:/C", reason: "no_worker", ...alone },
            { operationId: "op-4", kind: "organize", scope: "", reason: "no_worker", ...alone },
            {
              operationId: "op-2",
              kind: "organize",
              scope: "books:/A/B",
              reason: "scope_busy",
              retryAt: null,
              waitsFor: ["op-1"],
            },
          ],
        });
      });

      test("names the first twenty that wait, in the order in which they are to run", async () => {
        for (let i = 0; i < 30; i++) await enqueue(`books:/${i}`);
        for (let i = 30; i < 35; i++) await enqueue(`books:/${i}`, { priority: "high" });
        const shown = queue.snapshot().waiting.map((waiting) => waiting.operationId);
        expect(shown).toEqual([
          ...["op-31", "op-32", "op-33", "op-34", "op-35"],
          ...Array.from({ length: 15 }, (_, i) => `op-${i + 1}`),
        ]);
        expect(queue.snapshot().counts.queued).toBe(35);
      });

      test("shows an idle queue as one", () => {
        queue.start();
        expect(queue.snapshot()).toMatchObject({
          state: "running",
          oldestWaitSeconds: 0,
          running: [],
          waiting: [],
        });
      });

      test("lists operations newest first, by state and by page, with exact totals", async () => {
        queue.start();
        const ended = await enqueue("books:/A");
        (await work.begun(ended)).finish();
        await queue.ended(ended);
        for (let i = 0; i < 3; i++) await enqueue("books:/B");
        await backend.settled();
        const idsOf = (page: { readonly items: readonly Operation[] }) => page.items.map(({ id }) => id);
        const all = queue.list({ limit: 10, offset: 0 });
        expect(all.items.map(({ id, state }) => `${id} ${state}`)).toEqual([
          "op-4 waiting",
          "op-3 waiting",
          "op-2 running",
          "op-1 completed",
        ]);
        const second = queue.list({ limit: 2, offset: 1 });
        expect([idsOf(second), second.total]).toEqual([["op-3", "op-2"], 4]);
        const waiting = queue.list({ state: "waiting", limit: 1, offset: 1 });
        expect([idsOf(waiting), waiting.total]).toEqual([["op-3"], 2]);
        const completed = queue.list({ state: "completed", limit: 10, offset: 0 });
        expect([idsOf(completed), completed.total]).toEqual([["op-1"], 1]);
      });
    });
  });
}
