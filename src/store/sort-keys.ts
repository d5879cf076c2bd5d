import { foldText } from "../domain/text.ts";

/** After every key that text can make: what is empty stands last. */
const lastKey = "\u{10ffff}";

export function nameKey(name: string | null | undefined): string {
  return foldText(name ?? "") || lastKey;
}

/**
 * A key whose plain order is the natural order of positions in a series: 0.5, 1, 1-3, 1a, 2, 10, then positions
 * without a number, then none.
 */
export function positionKey(position: string | null | undefined): string {
  const text = foldText(position ?? "");
  if (text === "") return lastKey;
  const [, whole, fraction = "", rest = ""] = /^(\d+)(?:[.,](\d+))?(.*)$/u.exec(text) ?? [];
  if (whole === undefined) return `~${padNumbers(text)}`;
  return `${pad(whole)}.${fraction.replace(/0+$/, "")} ${padNumbers(rest)}`;
}

function padNumbers(text: string): string {
  return text.replace(/\d+/g, pad);
}

function pad(digits: string): string {
  return digits.replace(/^0+(?=\d)/, "").padStart(10, "0");
}
