import type { CommandData } from "../bus/topics.ts";
import type { Ask, CommandLine } from "./command-line.ts";
import type { RunnerLink } from "./connection.ts";
import { findRunner } from "./find-runner.ts";
import { countText, durationText, printable, styled } from "./format.ts";
import type { PlaceFlags } from "./sources.ts";

type Book = CommandData<"book">;
type Candidate = Book["candidates"][number];

/** `tomekeeper review`: walks through the books that need a decision, one by one on a terminal, as a list elsewhere. */
export async function review(flags: PlaceFlags, line: CommandLine): Promise<number> {
  const runner = await findRunner(flags, line);
  try {
    const books = await booksInReview(runner);
    if (flags.json) {
      line.out(JSON.stringify(books));
      return 0;
    }
    if (books.length === 0) line.out("No book needs a decision.");
    for (const [index, book] of books.entries()) {
      line.out(bookText(book, `${index + 1} of ${books.length}`, line));
      if (line.ask !== null && !(await decide(runner, book, line.ask, line))) break;
    }
    return 0;
  } finally {
    await runner.close();
  }
}

async function booksInReview(runner: RunnerLink): Promise<readonly Book[]> {
  const limit = 200;
  const books: Book[] = [];
  for (let offset = 0; ; offset += limit) {
    const { items, total } = await runner.request("query", { state: "needs_review", limit, offset });
    for (const { id } of items) books.push(await runner.request("book", { id }));
    if (items.length === 0 || offset + limit >= total) return books;
  }
}

function bookText(book: Book, place: string, line: CommandLine): string {
  const authors = book.authors.length === 0 ? "author unknown" : book.authors.join(", ");
  return [
    "",
    `${styled(line, "bold", printable(book.title))}  ${printable(authors)}  (${place})`,
    `  ${printable(`${book.root_id}:/${book.path}`)}  ${durationText(book.duration_seconds)}`,
    `  ${printable(book.review_reason ?? "")}`,
    ...book.candidates.map((candidate, index) => `  ${index + 1}) ${candidateText(candidate)}`),
  ].join("\n");
}

function candidateText(candidate: Candidate): string {
  const {
    title,
    authors,
    narrators,
    series,
    year,
    duration_seconds: seconds,
    source,
    score,
    reasons,
  } = candidate;
  const facts = [
    authors.join(", "),
    ...(narrators.length === 0 ? [] : [`read by ${narrators.join(", ")}`]),
    ...series.map(({ name, position }) => (position === null ? name : `${name} #${position}`)),
    ...(year === null ? [] : [String(year)]),
    ...(seconds === null ? [] : [durationText(seconds)]),
  ].filter((fact) => fact !== "");
  return printable(
    `${title} · ${facts.join(" · ")}  [${source}, ${Math.round(score * 100)} %: ${reasons.join(", ")}]`,
  );
}

/** False where the person has had enough. */
async function decide(runner: RunnerLink, book: Book, ask: Ask, line: CommandLine): Promise<boolean> {
  const count = book.candidates.length;
  const choices =
    count === 0 ? "s skip, q quit" : `1${count > 1 ? `-${count}` : ""} take, n none of these, s skip, q quit`;
  for (;;) {
    const answer = (await ask(`  ${choices}? `))?.trim().toLowerCase();
    if (answer === undefined || answer === "q") return false;
    if (answer === "s" || answer === "") return true;
    if (answer === "n" && count > 0) {
      await runner.request("match", { book: book.id, reject: true });
      line.out(`  ${countText(count, "offer")} rejected`);
      return true;
    }
    const chosen = /^\d+$/.test(answer) ? book.candidates[Number(answer) - 1] : undefined;
    if (chosen === undefined) continue;
    const changed = await runner.request("match", { book: book.id, source: chosen.source, id: chosen.id });
    line.out(`  it is ${printable(changed.title)} by ${printable(changed.authors.join(", "))}`);
    return true;
  }
}
