import { expect, test } from "vitest";
import { createTopicLines } from "../../src/cli/demo-topics.ts";

const wide = { columns: 200, hasColor: false };

function heard(topic: string, payload: unknown, paper = wide): readonly string[] {
  return createTopicLines(paper).heard({ topic, payload, isRetained: false }, 1234);
}

test("says when, which topic, and the keys that matter under their own names", () => {
  const scan = {
    state: "reading",
    root_id: "books",
    percent: null,
    books_found: 3,
    files_found: 9,
    problems: 0,
  };
  expect(heard("scan", scan)).toEqual([
    "  1.23 s  scan           state=reading root_id=books books_found=3 files_found=9",
  ]);
  expect(heard("availability", "online")).toEqual(["  1.23 s  availability   online"]);
});

test("tells the books of events by title and author", () => {
  const book = { id: "1", title: "Emma", authors: ["Jane Austen"], root_id: "books", path: "Emma" };
  expect(heard("event", { event_type: "book_added", book })).toEqual([
    "  1.23 s  event          book_added    Emma by Jane Austen",
  ]);
});

test("counts the events of one type beyond the first few", () => {
  const lines = createTopicLines(wide);
  const shown = Array.from({ length: 30 }, (_, i) => {
    const book = { title: `Book ${i}`, authors: [] };
    return lines.heard({ topic: "event", payload: { event_type: "book_added", book }, isRetained: false }, 0);
  });
  expect(shown.flat()).toHaveLength(4);
  expect(lines.rest()).toEqual(["          event          … and 26 more book_added"]);
});

test("says nothing where no key that is shown has changed", () => {
  const lines = createTopicLines(wide);
  const memory = (rss: number) => ({
    topic: "memory",
    payload: { level: "normal", rss_bytes: rss },
    isRetained: true,
  });
  expect(lines.heard(memory(1000), 0)).toHaveLength(1);
  expect(lines.heard(memory(1001), 0)).toHaveLength(0);
  expect(lines.heard(memory(2_000_000), 0)).toHaveLength(1);
});

test("shows every answer, the same ones too", () => {
  const lines = createTopicLines(wide);
  const payload = { transaction: "t", status: "ok", data: { total: 3 } };
  const answer = { topic: "response/query", payload, isRetained: false };
  expect([lines.heard(answer, 0), lines.heard(answer, 0)].flat()).toEqual([
    "  0.00 s  response/query ok total=3",
    "  0.00 s  response/query ok total=3",
  ]);
});

test("keeps to the width of the terminal, colours not counted", () => {
  const payload = {
    event_type: "book_added",
    book: { title: "A long title ".repeat(9), authors: ["Somebody"] },
  };
  for (const hasColor of [false, true]) {
    const [line = ""] = heard("event", payload, { columns: 60, hasColor });
    const seen = line.replace(/\u001b\[[0-9;]*m/g, "");
    expect(seen).toHaveLength(60);
    expect(seen.endsWith("…")).toBe(true);
    expect(line.includes("\u001b")).toBe(hasColor);
  }
});

test("lets nothing in a title steer the terminal", () => {
  const book = { title: "\u001b[2JGone\r\nforged line", authors: ["\u0007bell"] };
  const [line = ""] = heard("event", { event_type: "book_added", book });
  expect(line).toBe("  1.23 s  event          book_added    Gone forged line by bell");
});
