import { expect, test } from "vitest";
import { createQueue } from "../../src/queue/queue.ts";
import { fixed, plainParts, request } from "../contracts/queue-work.ts";
import { createMemoryStore } from "./memory-store.ts";

const size = 10_000;

test.each([
  ["one folder each", (i: number) => `books:/Author ${i % 100}/Book ${i}`],
  ["all the same folder", () => "books:/Author/Book"],
  ["the root between folders", (i: number) => (i % 100 === 0 ? "books:/" : `books:/${i}`)],
])("runs each of 10,000 operations once that come together, %s", async (_name, scopeOf) => {
  let lastId = 0;
  const ran: string[] = [];
  const busy = new Set<string>();
  const queue = createQueue({
    store: createMemoryStore(),
    runs: {
      organize: async ({ id, scopes }) => {
        const scope = scopes[0] ?? "";
        expect(busy.has(scope) || busy.has("books:/") || (scope === "books:/" && busy.size > 0)).toBe(false);
        busy.add(scope);
        await Promise.resolve();
        busy.delete(scope);
        ran.push(id);
        return {};
      },
    },
    ...plainParts(),
    workers: fixed(4),
    now: () => 0,
    newId: () => `op-${++lastId}`,
    agingMs: 60_000,
    limit: size,
  });
  queue.start();
  const operations = await Promise.all(
    Array.from({ length: size }, (_, i) => queue.enqueue(request(scopeOf(i)))),
  );
  const ends = await Promise.all(operations.map(({ id }) => queue.ended(id)));
  expect(new Set(ran).size).toBe(size);
  expect(ran).toHaveLength(size);
  expect(ends.filter(({ state }) => state !== "completed")).toEqual([]);
  expect(queue.snapshot().counts).toMatchObject({ queued: 0, waiting: 0, running: 0, completed: size });
});
