const combiningMarks = /\p{M}+/gu;

/**
 * Text as it is compared and searched: accents taken off, case folded, NFKD, white space collapsed.
 * "Éric  ZOLA" and "eric zola" are the same; letters without a decomposition (ß, ø) are spelled out.
 */
export function foldText(text: string): string {
  return text
    .normalize("NFKD")
    .replace(combiningMarks, "")
    .toLowerCase()
    .replaceAll("ß", "ss")
    .replaceAll("ø", "o")
    .replaceAll("æ", "ae")
    .replaceAll("œ", "oe")
    .replaceAll("ł", "l")
    .replaceAll("đ", "d")
    .replace(/\s+/g, " ")
    .trim();
}
