/** Text without markup: paragraphs and breaks become lines, other tags go, entities become characters. */
export function plainText(text: string): string {
  const bare = /<\/?[a-z][^<>]*>/i.test(text)
    ? text
        .replace(/\s+/g, " ")
        .replace(blockEnd, "\n")
        .replace(/<\/?[a-z!][^<>]*>/gi, "")
    : text;
  return decodeEntities(bare)
    .replace(/\r\n?/g, "\n")
    .replace(/[^\S\n]+/g, " ")
    .replace(/ ?\n ?/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

const blockEnd = /<br\s?\/?>|<\/(?:p|div|li|h[1-6]|ul|ol|blockquote)>/gi;

const namedEntities: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
  ["nbsp", " "],
  ["hellip", "…"],
  ["mdash", "—"],
  ["ndash", "–"],
  ["lsquo", "‘"],
  ["rsquo", "’"],
  ["ldquo", "“"],
  ["rdquo", "”"],
]);

/**
 * The predefined entities and character references, each once: what they give is not read again, and nothing
 * that a document declares itself is known here. Others stay as they stand.
 */
export function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,6}));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return namedEntities.get(String(name).toLowerCase()) ?? whole;
    const code = decimal === undefined ? Number.parseInt(String(hex), 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff)
      ? String.fromCodePoint(code)
      : whole;
  });
}
