import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { coalesce } from "../../src/app/coalesce.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("does the first wish at once and those that follow together when the time is up", () => {
  let done = 0;
  const work = coalesce(100, () => {
    done++;
  });
  for (let i = 0; i < 1000; i++) work.wish();
  expect(done).toBe(1);
  vi.advanceTimersByTime(100);
  expect(done).toBe(2);
  vi.advanceTimersByTime(10_000);
  expect(done).toBe(2);
});

test("never works more often than its spacing, however long the wishes go on", () => {
  let done = 0;
  const work = coalesce(100, () => {
    done++;
  });
  for (let ms = 0; ms < 1000; ms++) {
    work.wish();
    vi.advanceTimersByTime(1);
  }
  expect(done).toBe(11);
});

test("does nothing any more once it is stopped", () => {
  let done = 0;
  const work = coalesce(100, () => {
    done++;
  });
  work.wish();
  work.wish();
  work.stop();
  vi.advanceTimersByTime(1000);
  expect(done).toBe(1);
});
