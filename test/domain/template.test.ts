import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { safeFileName, safeName } from "../../src/domain/safe-name.ts";
import {
  parseTemplate,
  renderSegment,
  type TemplateValues,
  templateTokens,
} from "../../src/domain/template.ts";

function values(some: Partial<TemplateValues>): TemplateValues {
  const empty = Object.fromEntries(templateTokens.map((token) => [token, ""]));
  return { ...(empty as TemplateValues), ...some };
}

function render(pattern: string, some: Partial<TemplateValues>): readonly string[] {
  const parsed = parseTemplate(pattern);
  if ("problem" in parsed) throw new Error(parsed.problem.text);
  const { folders, file } = parsed.template;
  return [...folders, file].map((segment) => renderSegment(segment, values(some)));
}

describe("a pattern", () => {
  test.each([
    ["{author}/{title}", { author: "A", title: "T" }, ["A", "T"]],
    ["{author}/{series}/{title}", { author: "A", title: "T" }, ["A", "", "T"]],
    [
      "{series_number:02 - }{title}{ (year)}",
      { title: "T", series_number: "1", year: "1999" },
      ["01 - T (1999)"],
    ],
    ["{series_number:02 - }{title}{ (year)}", { title: "T" }, ["T"]],
    ["{series_number:02 - }{title}", { title: "T", series_number: "0.5" }, ["00.5 - T"]],
    ["{series_number:02 - }{title}", { title: "T", series_number: "1-3" }, ["01-03 - T"]],
    ["{series_number:02 - }{title}", { title: "T", series_number: "1a" }, ["01a - T"]],
    ["{series_number:02 - }{title}", { title: "T", series_number: "Prequel" }, ["Prequel - T"]],
    ["{title}{ - part:02}", { title: "T", part: "7" }, ["T - 07"]],
    ["{title}{ - part:03}", { title: "T", part: "7" }, ["T - 007"]],
    ["{title}{ read by narrator}", { title: "T", narrator: "N" }, ["T read by N"]],
    ["{title}{ [asin]}", { title: "{author}", asin: "B0", author: "no" }, ["{author} [B0]"]],
  ] as const)("%s with %j gives %j", (pattern, some, segments) => {
    expect(render(pattern, some)).toEqual(segments);
  });

  test.each([
    ["{autor}/{title}", "autor"],
    ["{title}/{Part}", "Part"],
    ["{}/{title}", ""],
  ])("%s has no token %j", (pattern, word) => {
    expect(parseTemplate(pattern)).toMatchObject({ problem: { unknownToken: word } });
  });

  test.each(["/{title}", "{title}/", "a//{title}", "../{title}", "{title", "title}", "{author}"])(
    "%s is refused with a reason",
    (pattern) => {
      expect(parseTemplate(pattern)).toMatchObject({ problem: { unknownToken: null } });
    },
  );
});

describe("a safe name", () => {
  test.each([
    ["../../etc", "-..-etc"],
    ["a/b", "a-b"],
    ["CON", "CON_"],
    ["nul.txt", "nul_.txt"],
    ["COM1", "COM1_"],
    ["Wait...", "Wait…"],
    ["  .hidden. ", "hidden"],
    ["...", "…"],
    ["What? Why*", "What Why"],
    ["Dune: Part One", "Dune - Part One"],
    ["9:30", "9-30"],
    ['The "Best"', "The 'Best'"],
    ["a\0b\nc", "a b c"],
    ["abc\u202Efdp.exe", "abcfdp.exe"],
    ["Cafe\u0301", "Café"],
    ["\ud800broken", "\ufffdbroken"],
    ["👨‍👩‍👧", "👨‍👩‍👧"],
    [" . . ", ""],
  ])("of %j is %j", (text, name) => {
    expect(safeName(text)).toBe(name);
  });

  test("is one harmless segment whatever the text, and stays as it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 400 }), (text) => {
        const name = safeName(text);
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
        expect(name).not.toMatch(/[/\\\0<>:"|?*]|^[.\s]|[.\s]$|\p{Cc}/u);
        expect(name).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i);
        expect(safeName(name)).toBe(name);
      }),
      { numRuns: 2000 },
    );
  });

  test("of a file keeps its number and its extension", () => {
    const name = safeFileName("ü".repeat(300), " - 07", "mp3");
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
    expect(name.endsWith("ü - 07.mp3")).toBe(true);
    expect(safeFileName("...", "", "m4b")).toBe("….m4b");
    expect(safeFileName("", " - 1", "m4b")).toBe("untitled - 1.m4b");
  });
});
