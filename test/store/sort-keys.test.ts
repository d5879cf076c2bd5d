import fc from "fast-check";
import { expect, test } from "vitest";
import { nameKey, positionKey } from "../../src/store/sort-keys.ts";

function sorted(positions: readonly (string | null)[]): readonly (string | null)[] {
  return positions.toSorted((a, b) =>
    Buffer.compare(Buffer.from(positionKey(a)), Buffer.from(positionKey(b))),
  );
}

test("positions have their natural order", () => {
  const natural = [
    "0",
    "0.25",
    "0.5",
    "1",
    "1-3",
    "1-10",
    "1a",
    "1b",
    "1.5",
    "2",
    "10",
    "100",
    "Epilogue",
    null,
  ];
  expect(sorted(natural.toReversed())).toEqual(natural);
});

test("a comma is a decimal point, and leading zeros count nothing", () => {
  expect(positionKey("0,5")).toBe(positionKey("0.5"));
  expect(positionKey("007")).toBe(positionKey("7"));
  expect(positionKey("1.50")).toBe(positionKey("1.5"));
});

test("numbers are in the order of their values", () => {
  const numbers = fc.tuple(fc.nat({ max: 100_000 }), fc.nat({ max: 100_000 }));
  fc.assert(
    fc.property(numbers, ([a, b]) => {
      const [low, high] = a < b ? [a, b] : [b, a];
      expect(sorted([`${high / 100}`, `${low / 100}`])).toEqual([`${low / 100}`, `${high / 100}`]);
    }),
  );
});

test("what is empty comes after every name", () => {
  for (const name of ["zzz", "漢字", "😀", "~", "\u{10fffd}"]) {
    expect(Buffer.compare(Buffer.from(nameKey(name)), Buffer.from(nameKey(null)))).toBe(-1);
  }
  expect(nameKey("")).toBe(nameKey(undefined));
});
