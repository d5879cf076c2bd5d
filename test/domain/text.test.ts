import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { foldText } from "../../src/domain/text.ts";

describe("foldText", () => {
  it.each([
    ["Éric  ZOLA ", "eric zola"],
    ["Straße", "strasse"],
    ["STRASSE", "strasse"],
    ["Jo Nesbø", "jo nesbo"],
    ["Łódź", "lodz"],
    ["İstanbul ışık", "istanbul isik"],
    ["ΟΔΟΣ", "οδοσ"],
    ["Flann O’Brien", "flann o'brien"],
    ["Ｆｕｌｌ width", "full width"],
  ])("folds %j to %j", (text, folded) => {
    expect(foldText(text)).toBe(folded);
  });

  it("takes composed and decomposed letters for the same", () => {
    expect(foldText("Bronte\u0308")).toBe(foldText("Brontë"));
    expect(foldText("が")).toBe(foldText("か\u3099"));
    expect(foldText("한")).toBe(foldText("한".normalize("NFD")));
  });

  it("keeps vowel signs that make another word", () => {
    expect(foldText("की")).not.toBe(foldText("का"));
    expect(foldText("が")).not.toBe(foldText("か"));
  });

  it("changes nothing the second time, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(foldText(foldText(text))).toBe(foldText(text));
      }),
      { numRuns: 500 },
    );
  });
});
