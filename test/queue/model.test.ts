import fc from "fast-check";
import { expect, test } from "vitest";
import { isEnded, type OperationState, type Priority, priorities } from "../../src/domain/operation.ts";
import { AppError } from "../../src/errors.ts";
import type { Queue } from "../../src/queue/port.ts";
import { createQueue } from "../../src/queue/queue.ts";
import { createWork, request, settle, type Work } from "../contracts/queue-work.ts";
import { createMemoryStore } from "./memory-store.ts";

/* The queue against a plain list that does the same the slow way: what runs, what waits and what became of each. */

const agingMs = 1000;
const limit = 8;

interface Modelled {
  readonly id: string;
  readonly kind: "scan" | "organize";
  readonly scope: string;
  readonly force: boolean;
  readonly createdMs: number;
  priority: Priority;
  hasBegun: boolean;
  /** As the queue must show it now. */
  state: OperationState;
}

type Step =
  | {
      readonly do: "enqueue";
      readonly kind: "scan" | "organize";
      scope: string;
      priority: Priority;
      force: boolean;
    }
  | { readonly do: "finish" | "fail" | "cancel"; readonly which: number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "concurrency"; readonly to: number }
  | { readonly do: "restart"; readonly isOrderly: boolean };

const stepOf: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("enqueue" as const),
      kind: fc.constantFrom("scan" as const, "organize" as const),
      scope: fc.constantFrom("a:/", "a:/x", "a:/x/1", "a:/x/2", "a:/y", "a:/xx", "b:/", "b:/x"),
      priority: fc.constantFrom(...priorities),
      force: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("finish" as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("fail" as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("cancel" as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(3 * agingMs) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("concurrency" as const), to: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), isOrderly: fc.boolean() }) },
);

test("does what a plain list would do, for any sequence of requests, ends, cancels, crashes and restarts", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(stepOf, { maxLength: 40 }), async (steps) => {
      const subject = createSubject();
      for (const step of steps) {
        await subject.take(step);
        await settle();
        subject.check();
      }
      await subject.finishAll();
    }),
    { numRuns: 300 },
  );
}, 60_000);

function createSubject() {
  const store = createMemoryStore();
  const model: Modelled[] = [];
  const runsOf = new Map<string, number>();
  let nowMs = Date.parse("2026-01-01T00:00:00.000Z");
  let concurrency = 2;
  let lastId = 0;
  let work: Work;
  let queue: Queue = open();

  function open(): Queue {
    work = createWork();
    const opened = createQueue({
      store,
      runs: { scan: work.run, organize: work.run },
      concurrency,
      now: () => nowMs,
      newId: () => `op-${++lastId}`,
      agingMs,
      limit,
    });
    return opened;
  }

  async function take(step: Step): Promise<void> {
    const unfinished = model.filter((each) => !isEnded(each.state));
    if (step.do === "enqueue") await enqueue(step);
    else if (step.do === "wait") nowMs += step.ms;
    else if (step.do === "concurrency") {
      concurrency = step.to;
      queue.setConcurrency(step.to);
    } else if (step.do === "restart") {
      await restart(step.isOrderly);
    } else if (step.do === "cancel") {
      const chosen = unfinished[step.which % unfinished.length];
      if (chosen === undefined) return;
      chosen.state = "cancelled";
      expect((await queue.cancel(chosen.id)).state).toBe("cancelled");
    } else {
      const running = unfinished.filter((each) => each.state === "running");
      const chosen = running[step.which % running.length];
      if (chosen === undefined) return;
      const job = await work.begun(chosen.id);
      chosen.state = step.do === "finish" ? "completed" : "failed";
      if (step.do === "finish") job.finish();
      else job.fail(new Error("boom"));
    }
    schedule();
  }

  async function enqueue(step: Extract<Step, { do: "enqueue" }>): Promise<void> {
    const { kind, scope, priority, force } = step;
    const asked = request(scope, { kind, priority, input: { force } });
    const joinable = model.filter(
      (each) =>
        kind === "scan" &&
        each.kind === "scan" &&
        (each.state === "queued" || each.state === "waiting") &&
        !each.hasBegun &&
        (each.force || !force) &&
        isWithin(scope, each.scope),
    );
    const isFull = model.filter((each) => !isEnded(each.state)).length >= limit;
    if (joinable.length === 0 && isFull) {
      await expect(queue.enqueue(asked)).rejects.toMatchObject({ constructor: AppError, code: "queue_full" });
      return;
    }
    const { id } = await queue.enqueue(asked);
    const joined = joinable.find((each) => each.id === id);
    if (joinable.length > 0) {
      expect(joined, `${id} covers the scan of ${scope}`).toBeDefined();
      if (joined !== undefined && rank(priority) > rank(joined.priority)) joined.priority = priority;
      return;
    }
    model.push({ id, kind, scope, force, priority, createdMs: nowMs, hasBegun: false, state: "queued" });
  }

  async function restart(isOrderly: boolean): Promise<void> {
    if (isOrderly) await queue.stop({ graceMs: 10_000 });
    queue = open();
    for (const each of model) if (each.state === "running") each.state = "queued";
    const recovered = await queue.recover();
    const unfinished = model.filter((each) => !isEnded(each.state));
    expect(recovered.map(({ id }) => id).sort()).toEqual(unfinished.map(({ id }) => id).sort());
  }

  /** Who runs now: the best that overlaps neither what runs nor what is before it, as often as there is a worker. */
  function schedule(): void {
    queue.start();
    const unfinished = model.filter((each) => !isEnded(each.state));
    const waiting = unfinished.filter((each) => each.state !== "running").sort(byOrder);
    for (const each of waiting) {
      const inTheWay = unfinished.filter(
        (other) =>
          other !== each &&
          overlap(other.scope, each.scope) &&
          (other.state === "running" || byOrder(other, each) < 0),
      );
      const running = unfinished.filter((other) => other.state === "running");
      if (inTheWay.length > 0) each.state = "waiting";
      else if (running.length >= concurrency) each.state = "queued";
      else {
        each.state = "running";
        each.hasBegun = true;
        runsOf.set(each.id, (runsOf.get(each.id) ?? 0) + 1);
      }
    }
  }

  function check(): void {
    const actual = model.map(({ id }) => `${id} ${queue.get(id)?.state} ${queue.get(id)?.attempts}`);
    expect(actual).toEqual(model.map(({ id, state }) => `${id} ${state} ${runsOf.get(id) ?? 0}`));
    const running = model.filter((each) => each.state === "running").map(({ id }) => id);
    expect([...work.runningIds()].sort()).toEqual(running.sort());
    const waiting = model.filter((each) => each.state === "queued" || each.state === "waiting").sort(byOrder);
    const { counts, waiting: shown } = queue.snapshot();
    expect(shown.map(({ operationId }) => operationId)).toEqual(waiting.map(({ id }) => id));
    for (const state of ["queued", "waiting", "running", "completed", "failed", "cancelled"] as const) {
      expect(counts[state], state).toBe(model.filter((each) => each.state === state).length);
    }
  }

  async function finishAll(): Promise<void> {
    while (model.some((each) => !isEnded(each.state))) {
      await take({ do: "finish", which: 0 });
      await settle();
      check();
    }
  }

  return { take, check, finishAll };
}

function rank(priority: Priority): number {
  return priorities.indexOf(priority);
}

/** Those that had begun before a restart first, then by priority and age. */
function byOrder(a: Modelled, b: Modelled): number {
  if (a.hasBegun !== b.hasBegun) return a.hasBegun ? -1 : 1;
  const key = (each: Modelled) => (each.hasBegun ? 0 : each.createdMs - rank(each.priority) * agingMs);
  return key(a) - key(b) || Number(a.id.slice(3)) - Number(b.id.slice(3));
}

function isWithin(scope: string, above: string): boolean {
  return scope === above || scope.startsWith(above.endsWith("/") ? above : `${above}/`);
}

function overlap(a: string, b: string): boolean {
  return isWithin(a, b) || isWithin(b, a);
}
