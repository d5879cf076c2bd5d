import { foldText } from "../domain/text.ts";

/** Scripts that are written without spaces: each character is a word of its own, else only a start would match. */
const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/gu;
const word = /[\p{L}\p{N}\p{Co}]+/gu;

/** Text as it is put into the full-text index. */
export function indexedText(parts: readonly (string | null)[]): string {
  return wordsOf(parts.filter((part) => part !== null).join(" ")).join(" ");
}

/**
 * The FTS5 expression that finds what a user typed: every word, or the start of one, in any order. Nothing of
 * the text is ever syntax. Null where it holds no word, and so finds nothing.
 */
export function matchExpression(text: string): string | null {
  const words = wordsOf(text);
  return words.length === 0 ? null : [...new Set(words)].map((each) => `"${each}"*`).join(" ");
}

function wordsOf(text: string): readonly string[] {
  return foldText(text).replace(unspaced, " $& ").match(word) ?? [];
}
