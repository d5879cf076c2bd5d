import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { collectGarbage, createIdleCollector } from "../../src/health/collect.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function collector(isIdle: () => boolean = () => true) {
  let collected = 0;
  const idle = createIdleCollector({ isIdle, collect: () => collected++, afterMs: 10_000 });
  return { ...idle, collected: () => collected };
}

test("collects once when there was work and then none for a while", () => {
  const idle = collector();
  idle.worked();
  vi.advanceTimersByTime(9_000);
  idle.worked();
  vi.advanceTimersByTime(9_000);
  expect(idle.collected()).toBe(0);
  vi.advanceTimersByTime(1_000);
  expect(idle.collected()).toBe(1);
  vi.advanceTimersByTime(3_600_000);
  expect(idle.collected()).toBe(1);
});

test("leaves a long operation alone that says nothing", () => {
  const idle = collector(() => false);
  idle.worked();
  vi.advanceTimersByTime(60_000);
  expect(idle.collected()).toBe(0);
});

test("collects nothing once it is stopped", () => {
  const idle = collector();
  idle.worked();
  idle.stop();
  vi.advanceTimersByTime(60_000);
  expect(idle.collected()).toBe(0);
});

test("what nobody holds any more is gone after a collection", () => {
  const held = new WeakRef({ some: "thing" });
  vi.useRealTimers();
  return new Promise<void>((resolve) => {
    // A weak reference holds its target until the end of the turn in which it was made.
    setImmediate(() => {
      collectGarbage();
      expect(held.deref()).toBeUndefined();
      resolve();
    });
  });
});
