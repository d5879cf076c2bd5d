/** Accents of alphabets that are written without them too; the vowel signs of other scripts are letters. */
const accents = /[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+/g;
const plainAscii = /^[\x20-\x7e]*$/;
const spelledOut: Readonly<Record<string, string>> = {
  ß: "ss",
  æ: "ae",
  œ: "oe",
  ø: "o",
  ł: "l",
  đ: "d",
  ð: "d",
  þ: "th",
  ı: "i",
  ς: "σ",
  "’": "'",
  "‘": "'",
  "“": '"',
  "”": '"',
};
const toSpell = new RegExp(`[${Object.keys(spelledOut).join("")}]`, "g");

/**
 * Text as it is compared and searched: accents taken off, case folded, compatibility forms and typographic
 * quotes made plain, white space collapsed. "Éric  ZOLA" and "eric zola" are the same; letters without a
 * decomposition (ß, ø) are spelled out. Folding twice changes nothing.
 */
export function foldText(text: string): string {
  if (plainAscii.test(text))
    return text.includes("  ") ? collapse(text.toLowerCase()) : text.toLowerCase().trim();
  const bare = text
    .normalize("NFKD")
    .replace(accents, "")
    .toLowerCase()
    .normalize("NFKD")
    .replace(accents, "");
  return collapse(bare.replace(toSpell, (letter) => spelledOut[letter] ?? letter).normalize("NFC"));
}

function collapse(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
