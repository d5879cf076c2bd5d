/**
 * Text of an ID3v2 frame that node-taglib-sharp does not decode: its first byte names the encoding
 * (ID3v2.4 structure, section 4). What follows the first terminator is left out.
 */
export function decodeId3Text(bytes: Buffer): string {
  return decode(bytes).split("\0", 1)[0] ?? "";
}

/** All the texts between terminators, without the empty ones. In UTF-16 each may have its own byte order mark. */
export function decodeId3Texts(bytes: Buffer): readonly string[] {
  return decode(bytes)
    .split("\0")
    .map((text) => text.replace(/^\ufeff/, ""))
    .filter((text) => text !== "");
}

function decode(bytes: Buffer): string {
  const encoding = bytes[0];
  const text = bytes.subarray(1);
  if (encoding === 0) return text.toString("latin1");
  if (encoding === 3) return text.toString("utf8");
  if (encoding === 2) return bigEndian(text);
  if (encoding !== 1) return "";
  if (text[0] === 0xfe && text[1] === 0xff) return bigEndian(text.subarray(2));
  return text.toString("utf16le").replace(/^\ufeff/, "");
}

function bigEndian(text: Buffer): string {
  return Buffer.from(text.subarray(0, text.length - (text.length % 2)))
    .swap16()
    .toString("utf16le");
}
