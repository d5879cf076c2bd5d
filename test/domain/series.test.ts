import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { normalizePosition, parseSeries, parseSeriesList, uniqueSeries } from "../../src/domain/series.ts";

describe("normalizePosition", () => {
  it.each([
    ["00.5", "0.5"],
    ["01-03", "1-3"],
    ["01a", "1a"],
    ["0.5", "0.5"],
    ["1-3", "1-3"],
    ["1a", "1a"],
    ["007", "7"],
    ["10", "10"],
    ["10.05", "10.05"],
    ["000", "0"],
    ["1.0", "1"],
    [".5", "0.5"],
    ["#2", "2"],
    ["Book 02", "2"],
    ["Vol. 03", "3"],
    ["2/7", "2"],
    ["2 of 7", "2"],
    ["1 – 3", "1-3"],
    ["Prequel", "Prequel"],
    ["Nothing", "Nothing"],
  ])("keeps %j as %j", (text, position) => {
    expect(normalizePosition(text)).toBe(position);
  });

  it("has nothing for nothing and for a text that is no position", () => {
    expect(normalizePosition("  ")).toBeNull();
    expect(normalizePosition("#")).toBeNull();
    expect(normalizePosition("x".repeat(41))).toBeNull();
  });

  it("changes nothing the second time", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^0{0,2}\d{1,3}(\.\d{1,2})?[a-z]?(-0?\d{1,2})?$/), (text) => {
        const once = normalizePosition(text) ?? "";
        expect(normalizePosition(once)).toBe(once);
        expect(once).not.toMatch(/^0\d/);
      }),
    );
  });
});

describe("parseSeriesList", () => {
  it("reads a grouping with several series", () => {
    expect(parseSeriesList("Name #2; Other #1")).toEqual([
      { name: "Name", position: "2" },
      { name: "Other", position: "1" },
    ]);
  });

  it.each([
    ["Name, Book 2", "Name", "2"],
    ["Name (Book 2)", "Name", "2"],
    ["Name: Vol. 05", "Name", "5"],
    ["Name #00.5", "Name", "0.5"],
    ["Name #1-3", "Name", "1-3"],
    ["Name, Book #01a", "Name", "1a"],
    ["A, B #2", "A, B", "2"],
    ["The Jungle Book #1", "The Jungle Book", "1"],
    ["Mistborn Book 2", "Mistborn", "2"],
    ["C# Mysteries #3", "C# Mysteries", "3"],
    ["Name #Prequel", "Name", "Prequel"],
  ])("reads %j", (text, name, position) => {
    expect(parseSeriesList(text)).toEqual([{ name, position }]);
    expect(parseSeries(text)).toEqual({ name, position });
  });

  it("takes a number for a position only where a mark says so", () => {
    for (const text of ["Partners 2", "Notebook 2", "Dr. No 2", "Apollo 13", "Mistborn"]) {
      expect(parseSeriesList(text)).toEqual([{ name: text, position: null }]);
      expect(parseSeries(text)).toBeNull();
    }
  });

  it("parts series at a comma behind a position too, as Audiobookshelf writes them", () => {
    expect(parseSeriesList("Name #2, Other #1.5, Third")).toEqual([
      { name: "Name", position: "2" },
      { name: "Other", position: "1.5" },
      { name: "Third", position: null },
    ]);
    expect(parseSeriesList("The Lion, the Witch #1")).toEqual([
      { name: "The Lion, the Witch", position: "1" },
    ]);
    expect(parseSeriesList("Name #1, 2")).toEqual([{ name: "Name", position: "1, 2" }]);
  });

  it("needs no more time for a long list than its length", () => {
    expect(parseSeriesList(`${"#1,".repeat(30_000)} ${"a ,".repeat(30_000)}`).length).toBeLessThan(2);
  });

  it("has no series without a name", () => {
    expect(parseSeriesList("#2;  ; ")).toEqual([]);
    expect(parseSeries("Book 2")).toBeNull();
  });

  it("parses what it would write", () => {
    const name = fc.stringMatching(/^[A-Z][a-z]{1,8}( [A-Z][a-z]{1,8}){0,3}$/);
    const position = fc.constantFrom("1", "0.5", "1-3", "1a", "12", "2.5-3");
    const entry = fc.record({ name, position });
    fc.assert(
      fc.property(
        fc.uniqueArray(entry, { maxLength: 4, selector: (one) => one.name.toLowerCase() }),
        (series) => {
          expect(parseSeriesList(series.map((one) => `${one.name} #${one.position}`).join("; "))).toEqual(
            series,
          );
        },
      ),
    );
  });
});

describe("uniqueSeries", () => {
  it("keeps each series once and prefers the mention with a position", () => {
    expect(
      uniqueSeries([
        { name: "Mistborn", position: null },
        { name: "Cosmere", position: "3" },
        { name: "MISTBORN", position: "1" },
        { name: "Mistborn", position: "9" },
      ]),
    ).toEqual([
      { name: "Mistborn", position: "1" },
      { name: "Cosmere", position: "3" },
    ]);
  });
});
