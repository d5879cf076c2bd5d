/** The words in braces that a pattern may hold. */
export const templateTokens = [
  "author",
  "author_last",
  "author_lf",
  "authors",
  "title",
  "subtitle",
  "series",
  "series_number",
  "year",
  "narrator",
  "publisher",
  "language",
  "asin",
  "isbn",
  "genre",
  "part",
  "parts",
  "disc",
  "ext",
  "quality",
] as const;
export type TemplateToken = (typeof templateTokens)[number];

/** What a token stands for; empty text where there is nothing. */
export type TemplateValues = Readonly<Record<TemplateToken, string>>;

type Piece =
  | { readonly kind: "text"; readonly text: string }
  | {
      readonly kind: "token";
      readonly token: TemplateToken;
      readonly before: string;
      readonly after: string;
      /** Digits that each number of the value is padded to; 0 for none. */
      readonly pad: number;
    };

/** A pattern, read: folders and then the file, each a list of pieces. */
export interface Template {
  readonly folders: readonly (readonly Piece[])[];
  readonly file: readonly Piece[];
}

export interface TemplateProblem {
  /** Continues "organize.pattern …". */
  readonly text: string;
  /** A word that is no token; whoever knows how says which one was meant. */
  readonly unknownToken: string | null;
}

/** Reads a pattern. Text inside braces belongs to its token and goes with it when there is no value. */
export function parseTemplate(
  pattern: string,
): { readonly template: Template } | { readonly problem: TemplateProblem } {
  const segments = pattern.split("/");
  if (pattern.startsWith("/")) return problem("begins with a slash: it is a path below the library");
  if (segments.some((segment) => segment.trim() === "")) return problem("has an empty folder or file name");
  if (segments.some((segment) => /^\.+$/.test(segment.trim()))) return problem('may not hold "." or ".."');
  const parsed: (readonly Piece[])[] = [];
  for (const segment of segments) {
    const pieces = parseSegment(segment);
    if ("problem" in pieces) return pieces;
    parsed.push(pieces.pieces);
  }
  const file = parsed.at(-1) ?? [];
  const tokens = parsed.flat().flatMap((piece) => (piece.kind === "token" ? [piece.token] : []));
  if (!tokens.some((token) => ["title", "asin", "isbn"].includes(token))) {
    return problem("names no book: it needs {title}, {asin} or {isbn}");
  }
  return { template: { folders: parsed.slice(0, -1), file } };
}

/** Whether the file's own name has a token: without `part`, the files of a book need another number. */
export function fileHas({ file }: Template, token: TemplateToken): boolean {
  return file.some((piece) => piece.kind === "token" && piece.token === token);
}

/** A segment with its values in place. One pass: a value that holds braces is text. */
export function renderSegment(pieces: readonly Piece[], values: TemplateValues): string {
  return pieces
    .map((piece) => {
      if (piece.kind === "text") return piece.text;
      const value = values[piece.token];
      return value === "" ? "" : piece.before + padNumbers(value, piece.pad) + piece.after;
    })
    .join("");
}

/** `0.5`, `1-3` and `1a` become `00.5`, `01-03` and `01a`. */
function padNumbers(value: string, digits: number): string {
  return digits === 0 ? value : value.replace(/(?<![\d.])\d+/g, (number) => number.padStart(digits, "0"));
}

/** Text, a token as a word of its own, how far to pad its numbers, text. */
const tokenPattern = new RegExp(
  `^(.*?)(?<![A-Za-z_])(${templateTokens.join("|")})(?![A-Za-z_])(?::(0\\d))?(.*)$`,
  "s",
);

function parseSegment(
  segment: string,
): { readonly pieces: readonly Piece[] } | { readonly problem: TemplateProblem } {
  const pieces: Piece[] = [];
  for (const part of segment.split(/(\{[^{}]*\})/)) {
    if (part === "") continue;
    if (!/^\{[^{}]*\}$/.test(part)) {
      if (/[{}]/.test(part)) return problem(`has a brace without its other one in "${segment}"`);
      pieces.push({ kind: "text", text: part });
      continue;
    }
    const inside = part.slice(1, -1);
    const match = tokenPattern.exec(inside);
    const token = templateTokens.find((known) => known === match?.[2]);
    if (match === null || token === undefined) {
      const word = /[A-Za-z_]+/.exec(inside)?.[0] ?? "";
      return { problem: { text: `has "{${inside}}", which is no token`, unknownToken: word } };
    }
    const [, before = "", , pad = "0", after = ""] = match;
    pieces.push({ kind: "token", token, before, after, pad: Number(pad) });
  }
  return { pieces };
}

function problem(text: string): { readonly problem: TemplateProblem } {
  return { problem: { text, unknownToken: null } };
}
