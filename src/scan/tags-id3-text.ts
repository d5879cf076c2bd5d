/**
 * Text of an ID3v2 frame that node-taglib-sharp does not decode: its first byte names the encoding
 * (ID3v2.4 structure, section 4). What follows the first terminator is left out.
 */
export function decodeId3Text(bytes: Buffer): string {
  const encoding = bytes[0];
  const text = bytes.subarray(1);
  if (encoding === 0) return untilNull(text.toString("latin1"));
  if (encoding === 3) return untilNull(text.toString("utf8"));
  if (encoding === 2) return untilNull(bigEndian(text));
  if (encoding !== 1) return "";
  if (text[0] === 0xfe && text[1] === 0xff) return untilNull(bigEndian(text.subarray(2)));
  return untilNull(text.toString("utf16le").replace(/^\ufeff/, ""));
}

function bigEndian(text: Buffer): string {
  return Buffer.from(text.subarray(0, text.length - (text.length % 2)))
    .swap16()
    .toString("utf16le");
}

function untilNull(text: string): string {
  const end = text.indexOf("\0");
  return end === -1 ? text : text.slice(0, end);
}
