import type {
  BookField,
  BookFields,
  FieldLayers,
  MatchCandidate,
  Provenance,
  SeriesPosition,
} from "./book.ts";
import { fieldSources } from "./book.ts";
import { uniqueSeries } from "./series.ts";

/** All fields of a book, each from the highest source that says anything about it. */
export interface ComposedFields {
  readonly title: string | null;
  readonly subtitle: string | null;
  readonly authors: readonly string[];
  readonly narrators: readonly string[];
  readonly series: readonly SeriesPosition[];
  readonly year: number | null;
  readonly publisher: string | null;
  readonly language: string | null;
  readonly description: string | null;
  readonly genres: readonly string[];
  readonly asin: string | null;
  readonly isbn: string | null;
  readonly explicit: boolean | null;
  readonly abridged: boolean | null;
}

const nothing: ComposedFields = {
  title: null,
  subtitle: null,
  authors: [],
  narrators: [],
  series: [],
  year: null,
  publisher: null,
  language: null,
  description: null,
  genres: [],
  asin: null,
  isbn: null,
  explicit: null,
  abridged: null,
};

export const bookFields = Object.keys(nothing) as readonly BookField[];

/**
 * Puts the layers on top of each other. Below `match` an empty value (null, `''`, `[]`) says nothing; a match
 * and the user may empty a field. A series is spelled as its others are, but where the user has written it.
 */
export function composeFields(layers: FieldLayers): { fields: ComposedFields; provenance: Provenance } {
  const fields: Record<string, unknown> = { ...nothing };
  const provenance: Partial<Record<BookField, string>> = {};
  for (const source of fieldSources) {
    const layer = layers[source];
    if (layer === undefined) continue;
    const mayEmpty = source === "match" || source === "user";
    for (const field of bookFields) {
      const value = layer[field];
      if (value === undefined || (isEmpty(value) && !mayEmpty)) continue;
      fields[field] = value === "" ? null : value;
      provenance[field] = source === "match" ? (layers.match?.sources?.[field] ?? source) : source;
    }
  }
  const composed = fields as unknown as ComposedFields;
  const spelling = layers.match?.spelling;
  if (spelling === undefined || provenance.series === "user") return { fields: composed, provenance };
  const series = composed.series.map((each) =>
    Object.hasOwn(spelling, each.name) ? { ...each, name: spelling[each.name] ?? each.name } : each,
  );
  return { fields: { ...composed, series: uniqueSeries(series) }, provenance };
}

/** Why a book should be looked at by a person before it is organized, or null. */
export function reviewReasonOf(
  fields: ComposedFields,
  provenance: Provenance,
  titleIsBareName: boolean,
  candidates: readonly MatchCandidate[] = [],
): string | null {
  // Who has set the title by hand knows which book it is.
  if (candidates.length > 0 && provenance.title !== "user") {
    return `${candidates.length === 1 ? "a source offers a book" : `sources offer ${candidates.length} books`} that may be this one`;
  }
  if (fields.title === null) return "no title";
  if (fields.authors.length === 0) return "no author";
  if (provenance.title === "ai" || provenance.authors === "ai") return "title or author are a guess";
  if (titleIsBareName && provenance.title === "folder") return "the title is only a file or folder name";
  return null;
}

function isEmpty(value: BookFields[BookField]): boolean {
  return value === null || value === "" || (Array.isArray(value) && value.length === 0);
}
