import fc from "fast-check";
import { expect, test } from "vitest";
import { isEnded, type OperationState, type Priority, priorities } from "../../src/domain/operation.ts";
import type { RetryPolicy } from "../../src/domain/queue.ts";
import { AppError } from "../../src/errors.ts";
import type { Queue } from "../../src/queue/port.ts";
import { createQueue } from "../../src/queue/queue.ts";
import {
  createTestClock,
  createWork,
  fixed,
  memoryPauses,
  plainParts,
  request,
  settle,
  type Work,
} from "../contracts/queue-work.ts";
import { createMemoryStore } from "./memory-store.ts";

/* The queue against a plain list that does the same the slow way: what runs, what waits and what became of each. */

const agingMs = 1000;
const limit = 8;
const retry: RetryPolicy = { attempts: 3, baseMs: 700, maxMs: 1000 };

interface Modelled {
  readonly id: string;
  readonly kind: Kind;
  readonly scope: string;
  readonly isReader: boolean;
  readonly force: boolean;
  readonly createdMs: number;
  readonly after: readonly string[];
  /** Scans of its folder that were there when an organize came. */
  readonly earlierScans: ReadonlySet<string>;
  priority: Priority;
  /** A scan that it took in may be older. */
  key: number;
  attempts: number;
  failures: number;
  retryAtMs: number | null;
  /** It comes first of all. */
  hasBegun: boolean;
  /** It stopped in the middle, and its folder is still its own. */
  keepsFolder: boolean;
  isParked: boolean;
  isEnding: boolean;
  mergedInto: string | null;
  /** As the queue must show it now. */
  state: OperationState;
}

type Kind = "scan" | "organize" | "verify";

type Step =
  | {
      readonly do: "enqueue";
      readonly kind: Kind;
      readonly scope: string;
      readonly priority: Priority;
      readonly force: boolean;
      /** Which of the unfinished ones it is to come after; null for none. */
      readonly after: number | null;
    }
  | { readonly do: "finish" | "fail" | "lose" | "cancel"; readonly which: number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "workers"; readonly to: number }
  | { readonly do: "pause" | "resume"; readonly kind: Kind | null }
  | { readonly do: "restart"; readonly isOrderly: boolean };

const which = fc.nat(20);
const kinds = ["scan", "organize", "verify"] as const;

const stepOf: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("enqueue" as const),
      kind: fc.constantFrom(...kinds),
      scope: fc.constantFrom("a:/", "a:/x", "a:/x/1", "a:/x/2", "a:/y", "a:/xx", "b:/", "b:/x"),
      priority: fc.constantFrom(...priorities),
      force: fc.boolean(),
      after: fc.option(which, { freq: 4 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("finish" as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("fail" as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("lose" as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("cancel" as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(3 * agingMs) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("workers" as const), to: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("pause" as const), kind: fc.option(fc.constantFrom(...kinds)) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("resume" as const), kind: fc.option(fc.constantFrom(...kinds)) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), isOrderly: fc.boolean() }) },
);

test("does what a plain list would do, for any sequence of requests, ends, lost disks, pauses, cancels, crashes and restarts", async () => {
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
    { numRuns: 2000 },
  );
}, 60_000);

function createSubject() {
  const store = createMemoryStore();
  const pauses = memoryPauses();
  const model: Modelled[] = [];
  let clock = createTestClock();
  let workers = 2;
  let lastId = 0;
  let paused: { all: boolean; kinds: Set<Kind> } = { all: false, kinds: new Set() };
  const begins = new Map<string, number>();
  let beginCount = 0;
  let crashes = 0;
  let work: Work;
  let queue: Queue = open();

  function open(): Queue {
    const { nowMs } = clock;
    clock = createTestClock();
    clock.nowMs = nowMs;
    work = createWork();
    begins.clear();
    const run = work.run;
    return createQueue({
      ...plainParts(),
      store,
      pauses,
      runs: { scan: run, organize: run, verify: run },
      workers: fixed(workers),
      retry: { scan: retry, organize: retry, verify: retry },
      // Always further than at the last crash: what never comes further has a test of its own.
      progressOf: () => crashes,
      now: () => clock.nowMs,
      setTimer: clock.setTimer,
      newId: () => `op-${++lastId}`,
      agingMs,
      limit,
    });
  }

  const unfinished = () => model.filter((each) => !isEnded(each.state));
  const isPaused = ({ kind }: Modelled) => paused.all || paused.kinds.has(kind);

  async function take(step: Step): Promise<void> {
    switch (step.do) {
      case "enqueue":
        await enqueue(step);
        break;
      case "wait":
        clock.advance(step.ms);
        break;
      case "workers":
        workers = step.to;
        queue.setWorkers(fixed(step.to));
        break;
      case "pause":
        if (step.kind === null) paused.all = true;
        else paused.kinds.add(step.kind);
        await (step.kind === null ? queue.pause() : queue.pause(step.kind));
        for (const each of unfinished()) if (each.state === "running" && isPaused(each)) park(each);
        break;
      case "resume":
        if (step.kind === null) paused = { all: false, kinds: new Set() };
        else paused.kinds.delete(step.kind);
        await (step.kind === null ? queue.resume() : queue.resume(step.kind));
        break;
      case "restart":
        await restart(step.isOrderly);
        break;
      case "cancel":
        await cancel(step.which);
        break;
      default:
        await endOne(step.do, step.which);
    }
    schedule();
  }

  function park(each: Modelled): void {
    each.state = "waiting";
    each.hasBegun = true;
    each.keepsFolder = true;
    each.isParked = true;
  }

  async function cancel(number: number): Promise<void> {
    const chosen = pick(unfinished(), number);
    if (chosen === undefined) return;
    // One that was parked is run once more, to take back what it has done; that needs a worker.
    if (chosen.keepsFolder && chosen.state !== "running") return;
    chosen.state = "cancelled";
    expect((await queue.cancel(chosen.id)).state).toBe("cancelled");
    ended(chosen);
  }

  async function endOne(how: "finish" | "fail" | "lose", number: number): Promise<void> {
    const chosen = pick(
      unfinished().filter((each) => each.state === "running"),
      number,
    );
    if (chosen === undefined) return;
    const job = await work.begun(chosen.id);
    if (how === "finish") job.finish();
    else job.fail(new AppError("internal", how, { retryable: how === "lose" }));
    chosen.keepsFolder = false;
    if (how === "lose" && chosen.failures + 1 < retry.attempts) {
      chosen.failures++;
      chosen.state = "waiting";
      // `random` is a half.
      const delayMs = Math.min(retry.maxMs, retry.baseMs * 2 ** (chosen.failures - 1)) * 0.75;
      chosen.retryAtMs = clock.nowMs + Math.round(delayMs);
      return;
    }
    chosen.state = how === "finish" ? "completed" : "failed";
    ended(chosen);
  }

  /**
   * What the end of one means for those that wait for it. Their ends have to be stored first, and whoever can begin
   * meanwhile does.
   */
  function ended(end: Modelled): void {
    const following: [Modelled, Modelled["state"]][] = [];
    for (const each of unfinished()) {
      if (each.after.includes(end.id) && end.state !== "completed") following.push([each, "cancelled"]);
      else if (each.mergedInto === end.id) {
        if (end.state === "cancelled") each.mergedInto = null;
        else following.push([each, end.state]);
      }
    }
    if (following.length === 0) return;
    for (const [each] of following) each.isEnding = true;
    schedule();
    for (const [each, state] of following) {
      each.state = state;
      ended(each);
    }
  }

  async function enqueue(step: Extract<Step, { do: "enqueue" }>): Promise<void> {
    const { kind, scope, priority, force } = step;
    const awaited = step.after === null ? undefined : pick(unfinished(), step.after);
    const after = awaited === undefined ? [] : [awaited.id];
    const isReader = kind === "verify";
    const asked = request(scope, { kind, priority, input: { force }, after, reads: isReader ? [scope] : [] });
    const joinable = unfinished().filter(
      (each) =>
        kind === "scan" &&
        after.length === 0 &&
        isQueuedScan(each) &&
        (each.force || !force) &&
        isWithin(scope, each.scope),
    );
    if (joinable.length === 0 && unfinished().length >= limit) {
      await expect(queue.enqueue(asked)).rejects.toMatchObject({ constructor: AppError, code: "queue_full" });
      return;
    }
    const { id } = await queue.enqueue(asked);
    const joined = joinable.find((each) => each.id === id);
    if (joinable.length > 0) {
      expect(joined, `${id} covers the scan of ${scope}`).toBeDefined();
      if (joined !== undefined) promote(joined, priority);
      return;
    }
    const isEarlierScan = (each: Modelled) => each.kind === "scan" && overlap(each.scope, scope);
    const earlierScans = kind === "organize" ? unfinished().filter(isEarlierScan) : [];
    const added: Modelled = {
      id,
      kind,
      scope,
      isReader,
      force,
      createdMs: clock.nowMs,
      after,
      earlierScans: new Set(earlierScans.map((scan) => scan.id)),
      priority,
      key: keyOf(clock.nowMs, priority),
      attempts: 0,
      failures: 0,
      retryAtMs: null,
      hasBegun: false,
      keepsFolder: false,
      isParked: false,
      mergedInto: null,
      isEnding: false,
      state: "queued",
    };
    const covered = unfinished().filter(
      (each) =>
        kind === "scan" &&
        after.length === 0 &&
        isQueuedScan(each) &&
        each.after.length === 0 &&
        (force || !each.force) &&
        isWithin(each.scope, scope),
    );
    model.push(added);
    for (const each of awaitedBy(added)) promote(each, priority);
    for (const each of covered) {
      each.mergedInto = id;
      added.key = Math.min(added.key, each.key);
      promote(added, each.priority);
    }
  }

  function promote(each: Modelled, priority: Priority): void {
    if (rank(priority) <= rank(each.priority) || each.state === "running") return;
    each.priority = priority;
    each.key = Math.min(each.key, keyOf(each.createdMs, priority));
    for (const awaited of awaitedBy(each)) promote(awaited, priority);
  }

  function awaitedBy(each: Modelled): readonly Modelled[] {
    return unfinished().filter(
      ({ id }) => each.after.includes(id) || each.mergedInto === id || each.earlierScans.has(id),
    );
  }

  async function restart(isOrderly: boolean): Promise<void> {
    crashes++;
    if (isOrderly) await queue.stop({ graceMs: 10_000 });
    queue = open();
    for (const each of unfinished()) {
      // What a scan gained by taking in an older one is forgotten.
      each.key = keyOf(each.createdMs, each.priority);
      if (each.state !== "running" && !each.keepsFolder) {
        each.hasBegun = false;
        continue;
      }
      if (each.state === "running") each.state = "queued";
      each.hasBegun = true;
      each.keepsFolder = true;
    }
    const recovered = await queue.recover();
    expect(recovered.map(({ id }) => id).sort()).toEqual(
      unfinished()
        .map(({ id }) => id)
        .sort(),
    );
  }

  /** Who runs now: the best whose turn it is and who is in nobody's way, as often as there is a worker. */
  function schedule(): void {
    queue.start();
    for (;;) {
      const ready = readyNow();
      for (const each of unfinished()) {
        if (each.state !== "running") each.state = ready.includes(each) ? "queued" : "waiting";
      }
      const running = unfinished().filter((each) => each.state === "running");
      if (running.length >= workers) return;
      const heads = [...new Set(ready.map(rootOf))].flatMap((root) =>
        ready.filter((each) => rootOf(each) === root).slice(0, 1),
      );
      const firstKey = Math.min(...heads.map(orderOf));
      const load = (each: Modelled) => running.filter((other) => rootOf(other) === rootOf(each)).length;
      const [chosen] = heads
        .filter((each) => orderOf(each) === firstKey || orderOf(each) - firstKey < agingMs / 2)
        .sort(
          (a, b) =>
            load(a) - load(b) || (begins.get(rootOf(a)) ?? 0) - (begins.get(rootOf(b)) ?? 0) || byOrder(a, b),
        );
      if (chosen === undefined) return;
      chosen.state = "running";
      // Going on is no further try.
      if (!chosen.isParked) chosen.attempts++;
      chosen.isParked = false;
      chosen.retryAtMs = null;
      begins.set(rootOf(chosen), ++beginCount);
    }
  }

  function readyNow(): readonly Modelled[] {
    const all = unfinished();
    const standing = all.filter((each) => each.state !== "running" && !isHeld(each)).sort(byOrder);
    return standing.filter((each) =>
      all.every((other) => {
        if (other === each || !overlap(other.scope, each.scope) || (other.isReader && each.isReader))
          return true;
        if (other.state === "running" || other.keepsFolder) return false;
        return !standing.includes(other) || byOrder(other, each) > 0;
      }),
    );
  }

  function isHeld(each: Modelled): boolean {
    return (
      each.isEnding || isPaused(each) || awaitedBy(each).length > 0 || (each.retryAtMs ?? 0) > clock.nowMs
    );
  }

  function check(): void {
    const actual = model.map(({ id }) => `${id} ${queue.get(id)?.state} ${queue.get(id)?.attempts}`);
    expect(actual).toEqual(model.map(({ id, state, attempts }) => `${id} ${state} ${attempts}`));
    const running = model.filter((each) => each.state === "running").map(({ id }) => id);
    expect([...work.runningIds()].sort()).toEqual(running.sort());
    const waiting = model.filter((each) => each.state === "queued" || each.state === "waiting").sort(byOrder);
    const { counts, waiting: shown, state } = queue.snapshot();
    expect(shown.map(({ operationId }) => operationId)).toEqual(waiting.map(({ id }) => id));
    expect(state).toBe(paused.all ? "paused" : "running");
    for (const each of ["queued", "waiting", "running", "completed", "failed", "cancelled"] as const) {
      expect(counts[each], each).toBe(model.filter((modelled) => modelled.state === each).length);
    }
  }

  /** Whatever happened, everything ends once nothing stands in the way. */
  async function finishAll(): Promise<void> {
    await take({ do: "resume", kind: null });
    while (model.some((each) => !isEnded(each.state))) {
      await take({ do: "wait", ms: retry.maxMs });
      await settle();
      await take({ do: "finish", which: 0 });
      await settle();
      check();
    }
  }

  return { take, check, finishAll };
}

function pick<T>(from: readonly T[], number: number): T | undefined {
  return from[number % from.length];
}

function rank(priority: Priority): number {
  return priorities.indexOf(priority);
}

function keyOf(createdMs: number, priority: Priority): number {
  return createdMs - rank(priority) * agingMs;
}

function isQueuedScan({ kind, state, attempts, mergedInto }: Modelled): boolean {
  return (
    kind === "scan" && (state === "queued" || state === "waiting") && attempts === 0 && mergedInto === null
  );
}

/** Those that had begun first, then by priority and age. */
function orderOf(each: Modelled): number {
  return each.hasBegun ? Number.NEGATIVE_INFINITY : each.key;
}

function byOrder(a: Modelled, b: Modelled): number {
  if (orderOf(a) !== orderOf(b)) return orderOf(a) < orderOf(b) ? -1 : 1;
  return Number(a.id.slice(3)) - Number(b.id.slice(3));
}

function rootOf({ scope }: Modelled): string {
  return scope.slice(0, scope.indexOf(":"));
}

function isWithin(scope: string, above: string): boolean {
  return scope === above || scope.startsWith(above.endsWith("/") ? above : `${above}/`);
}

function overlap(a: string, b: string): boolean {
  return isWithin(a, b) || isWithin(b, a);
}
