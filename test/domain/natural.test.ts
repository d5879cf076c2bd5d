import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareNatural } from "../../src/domain/natural.ts";

describe("compareNatural", () => {
  it("puts 2 before 10", () => {
    const names = ["10.mp3", "2.mp3", "1.mp3", "Chapter 10", "chapter 9", "Chapter 2"];
    expect(names.sort(compareNatural)).toEqual([
      "1.mp3",
      "2.mp3",
      "10.mp3",
      "Chapter 2",
      "chapter 9",
      "Chapter 10",
    ]);
  });

  it("compares numbers too long for a float exactly", () => {
    expect(compareNatural("9007199254740993", "9007199254740992")).toBeGreaterThan(0);
  });

  it("tells names apart that differ in case or leading zeros only", () => {
    expect(compareNatural("a1", "a1")).toBe(0);
    expect(compareNatural("a1", "A1")).not.toBe(0);
    expect(compareNatural("01", "1")).not.toBe(0);
  });

  it("is a total order", () => {
    const text = fc.string({ unit: fc.constantFrom("0", "1", "9", "a", "A", "-", "é", " "), maxLength: 6 });
    fc.assert(
      fc.property(text, text, text, (a, b, c) => {
        expect(Math.sign(compareNatural(a, b)) + Math.sign(compareNatural(b, a))).toBe(0);
        expect(compareNatural(a, b) === 0).toBe(a === b);
        if (compareNatural(a, b) < 0 && compareNatural(b, c) < 0)
          expect(compareNatural(a, c)).toBeLessThan(0);
      }),
      { numRuns: 2000 },
    );
  });
});
