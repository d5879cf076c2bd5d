import type { CommandData } from "../bus/topics.ts";
import type { CommandLine } from "./command-line.ts";
import { findRunner } from "./find-runner.ts";
import { countText, durationText, sizeText, styled } from "./format.ts";
import type { PlaceFlags } from "./sources.ts";
import { factsText, tableText } from "./table.ts";

export interface BookFlags extends PlaceFlags {
  readonly id: string;
}

type Book = CommandData<"book">;

/** `tomekeeper book ID`: one book whole. */
export async function book(flags: BookFlags, line: CommandLine): Promise<number> {
  const runner = await findRunner(flags, line);
  try {
    const found = await runner.request("book", { id: flags.id });
    line.out(flags.json ? JSON.stringify(found) : bookText(found, line));
    return 0;
  } finally {
    await runner.close();
  }
}

/** A book and its tracks for a person to read; each field with where it came from. */
export function bookText(found: Book, line: CommandLine): string {
  const from = (field: string) =>
    found.provenance[field] === undefined ? "" : `  (${found.provenance[field]})`;
  const series = found.series.map(({ name, position }) =>
    position === null ? name : `${name} #${position}`,
  );
  const known: readonly (readonly [string, string, string])[] = [
    ["Title", found.title, "title"],
    ["Subtitle", found.subtitle ?? "", "subtitle"],
    ["Authors", found.authors.join(", "), "authors"],
    ["Narrators", found.narrators.join(", "), "narrators"],
    ["Series", series.join(", "), "series"],
    ["Year", String(found.year ?? ""), "year"],
    ["Publisher", found.publisher ?? "", "publisher"],
    ["Language", found.language ?? "", "language"],
    ["Genres", found.genres.join(", "), "genres"],
    ["ASIN", found.asin ?? "", "asin"],
    ["ISBN", found.isbn ?? "", "isbn"],
  ];
  const facts = known
    .filter(([, value]) => value !== "")
    .map(([name, value, field]) => [name, `${value}${from(field)}`] as const);
  const review = found.review_reason === null ? "" : `: ${found.review_reason}`;
  const tracks = tableText(
    line,
    [
      { title: "Track", least: 20 },
      { title: "Length", least: 6, align: "right" },
      { title: "Size", least: 6, align: "right", expendable: 1 },
    ],
    found.tracks.map((track) => [track.path, durationText(track.duration_seconds), sizeText(track.bytes)]),
  );
  return [
    factsText(line, [
      ...facts,
      ["State", `${found.state}${review}`],
      ["Place", `${found.root_id}:/${found.path}`],
      ["Length", `${durationText(found.duration_seconds)}, ${countText(found.chapters.length, "chapter")}`],
      ["Size", `${sizeText(found.bytes)}, ${found.format}`],
      ["Id", found.id],
    ]),
    "",
    tracks,
    ...(found.history.length === 0 ? [] : ["", styled(line, "bold", "History")]),
    ...found.history.map(({ kind, state, created_at }) => `${created_at}  ${kind}  ${state}`),
  ].join("\n");
}
