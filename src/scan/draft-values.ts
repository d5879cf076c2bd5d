import { foldText } from "../domain/text.ts";

/** Ten letters and figures, upper case; null for anything else. */
export function asinOf(text: string): string | null {
  const asin = text.trim().toUpperCase();
  return /^[A-Z0-9]{10}$/.test(asin) ? asin : null;
}

/** An ISBN of 10 or 13 figures without its hyphens, whatever stands around it ("ISBN: 978-…"); else null. */
export function isbnOf(text: string): string | null {
  const bare = text.replace(/^[^\d]*/, "").replace(/[\s-]/g, "");
  return /^(?:\d{9}[\dX]|\d{13})$/i.test(bare) ? bare.toUpperCase() : null;
}

/** The first four-digit year in a date or a text; null where there is none. */
export function yearOf(value: string | number): number | null {
  const year = /(?<!\d)(?:1\d|20)\d\d(?!\d)/.exec(String(value))?.[0];
  return year === undefined ? null : Number(year);
}

/** Genres, each once; several in one text are parted by `;`, `//` or a slash with spaces. */
export function genresOf(texts: readonly string[]): readonly string[] {
  const genres = new Map<string, string>();
  for (const genre of texts.flatMap((text) => text.split(/;|\/\/|\s\/\s/))) {
    const name = genre.trim();
    const key = foldText(name);
    if (key !== "" && !genres.has(key)) genres.set(key, name);
  }
  return [...genres.values()];
}

/** "yes", "1", "explicit", "unabridged"…: true or false, null where the text says neither. */
export function flagOf(text: string): boolean | null {
  const word = text.trim().toLowerCase();
  if (["1", "true", "yes", "y", "explicit", "abridged"].includes(word)) return true;
  return ["0", "false", "no", "n", "clean", "unabridged"].includes(word) ? false : null;
}
