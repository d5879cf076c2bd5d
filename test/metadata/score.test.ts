import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { splitPeople } from "../../src/domain/people.ts";
import { authorSimilarity, isbn13, type MatchedBook, scoreMatch } from "../../src/metadata/score.ts";
import type { SourceBook } from "../../src/plugin.ts";

const folder = path.resolve(import.meta.dirname, "../fixtures/matches");

interface Pair {
  readonly line: string;
  readonly isSame: boolean;
  readonly kind: string;
  readonly ours: Side;
  readonly theirs: Side;
}

type Side = { readonly title: string } & Readonly<Partial<Record<string, string>>>;

function readPairs(name: string): readonly Pair[] {
  return readFileSync(path.join(folder, name), "utf8")
    .split("\n")
    .filter((line) => /^(yes|no) /.test(line))
    .map((line) => {
      const [head = "", rest = ""] = line.split(" | ");
      const [verdict, kind = ""] = head.split(/\s+/);
      const [ours = "", theirs = ""] = rest.split(" => ");
      return { line, isSame: verdict === "yes", kind, ours: sideOf(ours), theirs: sideOf(theirs) };
    });
}

function sideOf(text: string): Side {
  const [title = "", ...rest] = text.split("; ");
  const keys = rest.map((each) => [each.slice(0, each.indexOf("=")), each.slice(each.indexOf("=") + 1)]);
  return { title: title.trim(), ...Object.fromEntries(keys) };
}

function seriesOf({ in: text }: Side) {
  const [name = "", position = null] = text?.split("#") ?? [];
  return text === undefined ? [] : [{ name, position }];
}

function bookOf(side: Side): MatchedBook {
  return {
    title: side.title,
    subtitle: side["sub"] ?? null,
    authors: splitPeople(side["by"] ?? ""),
    narrators: splitPeople(side["nar"] ?? ""),
    series: seriesOf(side),
    language: side["lang"] ?? null,
    asin: side["asin"] ?? null,
    isbn: side["isbn"] ?? null,
    abridged: side["abr"] === undefined ? null : side["abr"] === "yes",
    durationSeconds: Number(side["min"] ?? 0) * 60,
  };
}

function offerOf(side: Side): SourceBook {
  const { durationSeconds, ...fields } = bookOf(side);
  return { id: "x", fields, durationSeconds: durationSeconds === 0 ? null : durationSeconds, coverUrl: null };
}

/** Says the numbers, and with SHOW_MATCHES which pairs are wrong and which are missed. */
function judged(name: string) {
  const { threshold, review } = configSchema.parse({}).match;
  const scored = readPairs(name).map((pair) => ({
    ...pair,
    score: scoreMatch(bookOf(pair.ours), offerOf(pair.theirs)),
  }));
  const taken = scored.filter(({ score }) => score.value >= threshold);
  const wrong = taken.filter(({ isSame }) => !isSame);
  const same = scored.filter(({ isSame }) => isSame);
  const missed = same.filter(({ score }) => score.value < threshold);
  const unseen = same.filter(({ score }) => score.value < review);
  const precision = 1 - wrong.length / taken.length;
  const recall = 1 - missed.length / same.length;
  console.log(
    `${name}: ${scored.length} pairs, ${same.length} of them the same book: precision ${precision.toFixed(3)}, ` +
      `recall ${recall.toFixed(3)}, taken or to be looked at ${(1 - unseen.length / same.length).toFixed(3)}`,
  );
  if (process.env["SHOW_MATCHES"])
    for (const { line, score } of [...wrong, ...missed]) console.log(line, score);
  return { pairs: scored.length, precision, recall };
}

test("of the labelled pairs hardly one is taken that is another book, and most that are the same are", () => {
  const { pairs, precision, recall } = judged("pairs.txt");
  expect(pairs).toBeGreaterThanOrEqual(200);
  expect(precision).toBeGreaterThanOrEqual(0.99);
  expect(recall).toBeGreaterThanOrEqual(0.9);
});

test("neither of pairs that no rule was made for", () => {
  const { precision, recall } = judged("held-out.txt");
  expect(precision).toBeGreaterThanOrEqual(0.95);
  expect(recall).toBeGreaterThanOrEqual(0.75);
});

test.each([
  ["J. R. R. Tolkien", "J.R.R. Tolkien", 1],
  ["J. Tolkien", "John Ronald Reuel Tolkien", 0.9],
  ["JRR Tolkien", "John Ronald Reuel Tolkien", 0.9],
  ["Ursula Le Guin", "Ursula K. Le Guin", 0.9],
  ["Tolkien", "J.R.R. Tolkien", 0.7],
  ["Liu Cixin", "Cixin Liu", 0.95],
  ["Joe Hill", "Edwin Hill", 0.3],
  ["Dan Brown", "Dan Simmons", 0],
])("%s and %s are one person to %d", (a, b, expected) => {
  expect(authorSimilarity(a, b)).toBe(expected);
  expect(authorSimilarity(b, a)).toBe(expected);
});

test.each([
  ["0441172717", "9780441172719"],
  ["978-0-441-17271-9", "9780441172719"],
  ["080442957X", "9780804429573"],
  ["12345", null],
  [null, null],
])("the ISBN %s is %s", (text, expected) => expect(isbn13(text)).toBe(expected));
