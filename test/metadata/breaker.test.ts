import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import type { BreakerState, KeptBreaker } from "../../src/domain/source.ts";
import { AppError } from "../../src/errors.ts";
import { type BreakerOptions, createBreaker } from "../../src/metadata/breaker.ts";

const failure = () => new AppError("source_unavailable", "no", { retryable: true });
const fails = async () => {
  throw failure();
};

function breaker(changes: Partial<BreakerOptions> = {}) {
  const transitions: BreakerState[] = [];
  const made = createBreaker({
    source: "shelf",
    failures: 3,
    openMs: 60,
    limitMs: 1000,
    kept: null,
    onChange: (before) => {
      const { state } = made.snapshot();
      if (state !== before) transitions.push(state);
    },
    ...changes,
  });
  return { breaker: made, transitions };
}

async function opened(changes: Partial<BreakerOptions> = {}) {
  const made = breaker(changes);
  for (let call = 0; call < 3; call++) await made.breaker.run(fails).catch(() => {});
  expect(made.breaker.snapshot().state).toBe("open");
  return made;
}

test("opens after so many failures in a row, and a success between them begins anew", async () => {
  const { breaker: made, transitions } = breaker();
  for (const work of [fails, fails, async () => 1, fails, fails]) await made.run(work).catch(() => {});
  expect(made.snapshot()).toMatchObject({ state: "closed", failures: 2, openedAt: null, nextProbeAt: null });
  await made.run(fails).catch(() => {});
  const { openedAt, nextProbeAt, ...open } = made.snapshot();
  expect(open).toEqual({
    state: "open",
    failures: 3,
    lastError: { code: "source_unavailable", message: "no" },
  });
  expect(Date.parse(nextProbeAt ?? "") - Date.parse(openedAt ?? "")).toBe(60);
  expect(made.isReady()).toBe(false);
  await expect(made.run(async () => 1)).rejects.toMatchObject({
    code: "source_unavailable",
    details: { not_asked: true, retry_at: nextProbeAt },
  });
  expect(transitions).toEqual(["open"]);
});

test("lets one call try, while the others wait for what it finds", async () => {
  const { breaker: made, transitions } = await opened();
  await delay(70);
  expect(made.isReady()).toBe(true);
  let calls = 0;
  const probe = Promise.withResolvers<number>();
  const running = Array.from({ length: 10 }, () =>
    made.run(() => {
      calls++;
      return probe.promise;
    }),
  );
  await delay(20);
  expect(calls).toBe(1);
  expect(made.snapshot()).toMatchObject({ state: "half_open", nextProbeAt: null });
  probe.resolve(7);
  expect(await Promise.all(running)).toEqual(Array(10).fill(7));
  expect(transitions).toEqual(["open", "half_open", "closed"]);
});

test("opens again when the try fails, and the others are refused", async () => {
  const { breaker: made, transitions } = await opened();
  await delay(70);
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => made.run(fails)));
  expect(results.filter(({ status }) => status === "rejected")).toHaveLength(5);
  expect(transitions).toEqual(["open", "half_open", "open"]);
});

test("waits as long as the source asks for", async () => {
  const { breaker: made } = breaker();
  const limited = async () => {
    throw new AppError("rate_limited", "slower", { retryable: true, details: { retry_after_ms: 5000 } });
  };
  for (let call = 0; call < 3; call++) await made.run(limited).catch(() => {});
  const { openedAt, nextProbeAt } = made.snapshot();
  expect(Date.parse(nextProbeAt ?? "") - Date.parse(openedAt ?? "")).toBe(5000);
});

test("a try that never answers, and heeds no signal, has failed after its time: the source is not blocked for ever", async () => {
  const { breaker: made, transitions } = await opened({ limitMs: 40 });
  await delay(70);
  await expect(made.run(() => new Promise(() => {}))).rejects.toThrow(/no answer within/);
  expect(transitions).toEqual(["open", "half_open", "open"]);
  await delay(70);
  expect(await made.run(async () => "back")).toBe("back");
  expect(made.snapshot().state).toBe("closed");
});

test("a call that waits for its turn is not asked any more when the breaker has opened meanwhile", async () => {
  const { breaker: made } = breaker();
  const turn = Promise.withResolvers<void>();
  let isAsked = false;
  const late = made.run(
    async () => {
      isAsked = true;
    },
    () => turn.promise,
  );
  for (let call = 0; call < 3; call++) await made.run(fails).catch(() => {});
  turn.resolve();
  await expect(late).rejects.toMatchObject({ details: { not_asked: true } });
  expect(isAsked).toBe(false);
  expect(made.snapshot()).toMatchObject({ state: "open", failures: 3 });
});

test("a stop cuts what is under way, and says nothing about the source: a try that is cut closes nothing", async () => {
  const { breaker: made, transitions } = await opened();
  await delay(70);
  const probe = made.run(() => new Promise(() => {}));
  made.stop();
  await expect(probe).rejects.toMatchObject({ code: "cancelled" });
  expect(transitions).toEqual(["open", "half_open"]);
});

test.each(["open", "half_open"] as const)("goes on as it was kept: %s", async (state) => {
  const openedAt = new Date(Date.now() - 20).toISOString();
  const nextProbeAt = new Date(Date.now() + 60).toISOString();
  const kept: KeptBreaker = {
    state,
    failures: 3,
    openedAt,
    nextProbeAt,
    lastError: { code: "x", message: "y" },
  };
  const { breaker: made } = breaker({ kept });
  expect(made.snapshot()).toEqual({ ...kept, state: "open" });
  await expect(made.run(async () => 1)).rejects.toMatchObject({ details: { not_asked: true } });
  await delay(80);
  expect(await made.run(async () => 1)).toBe(1);
  expect(made.snapshot()).toMatchObject({ state: "closed", failures: 0, openedAt: null });
});

test("one that was switched off before a restart stays off, and can be switched on", async () => {
  const kept = {
    state: "isolated",
    failures: 0,
    openedAt: null,
    nextProbeAt: null,
    lastError: null,
  } as const;
  const { breaker: made } = breaker({ kept });
  expect(made.snapshot().state).toBe("isolated");
  await expect(made.run(async () => 1)).rejects.toThrow(/switched off by hand/);
  made.isolate();
  made.reset();
  expect(await made.run(async () => 1)).toBe(1);
});

test("a reset closes an open one at once, and forgets the failures", async () => {
  const { breaker: made } = await opened({ openMs: 60_000 });
  made.reset();
  expect(made.snapshot()).toMatchObject({ state: "closed", failures: 0 });
  await made.run(fails).catch(() => {});
  expect(made.snapshot()).toMatchObject({ state: "closed", failures: 1 });
});
