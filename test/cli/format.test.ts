import fc from "fast-check";
import { expect, test } from "vitest";
import { durationText, printable, sizeText } from "../../src/cli/format.ts";
import { tableText } from "../../src/cli/table.ts";

test.each([
  [0, "0 s"],
  [59.4, "59 s"],
  [60, "1 min"],
  [3569, "59 min"],
  [3600, "1 h"],
  [43_500, "12 h 5 min"],
  [7199, "2 h"],
  [360_000, "100 h"],
  [3_700_000, "1027 h"],
] as const)("%d seconds are %s", (seconds, text) => {
  expect(durationText(seconds)).toBe(text);
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 KB"],
  [999_999, "1.0 MB"],
  [1_500_000_000, "1.5 GB"],
  [99_400_000, "99.4 MB"],
  [99_940_000, "100 MB"],
  [123_000_000, "123 MB"],
  [5e15, "5.0 PB"],
  [5e18, "5000 PB"],
] as const)("%d bytes are %s", (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});

// Code points up to the marks that turn the reading direction, control characters among them.
const anyText = fc
  .array(fc.integer({ min: 0, max: 0x2100 }), { maxLength: 40 })
  .map((codes) => String.fromCodePoint(...codes));

test("what is printed holds no control character, whatever the tags held", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      expect(printable(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
    }),
  );
});

test("letters of all scripts stay as they are", () => {
  const text = "Éric Zola 獣の奏者 🎧 Ångström naïve שלום";
  expect(printable(text)).toBe(text);
});

test("a table is never wider than its room, for any cells", () => {
  const columns = [
    { title: "A", least: 4 },
    { title: "B", least: 4, expendable: 1 },
    { title: "C", least: 4, expendable: 2 },
  ];
  const cell = fc.string({ unit: fc.constantFrom("a", "é", "獣", " ", "🎧", "\u0301"), maxLength: 60 });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(cell, cell, cell), { maxLength: 5 }),
      fc.integer({ min: 20, max: 120 }),
      (rows, room) => {
        const lines = tableText({ columns: room, hasColor: false }, columns, rows).split("\n");
        expect(lines).toHaveLength(rows.length + 1);
        for (const line of lines) expect(places(line)).toBeLessThanOrEqual(room);
      },
    ),
  );
});

function places(line: string): number {
  let sum = 0;
  for (const letter of line) sum += letter === "\u0301" ? 0 : letter === "獣" || letter === "🎧" ? 2 : 1;
  return sum;
}
