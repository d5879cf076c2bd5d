/**
 * Makes one segment of a path out of any text: it holds no separator, no NUL and no control character, none of what
 * Windows and SMB shares refuse, no mark that turns the direction of text or cannot be seen; it is none of the names
 * reserved there, begins with no dot (such files are hidden, and a scan leaves them out), ends with no dot and no
 * space, is in NFC and at most `maxBytes` long in UTF-8. Empty where nothing is left. Doing it twice changes nothing.
 */
export function safeName(text: string, maxBytes = maxSegmentBytes): string {
  const plain = text
    .toWellFormed()
    .normalize("NFC")
    .replace(/\.\.\.+(?=\s*$)/, "…")
    .replace(invisible, "")
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/\s*[:|]\s+/g, " - ")
    .replace(/["]/g, "'")
    .replace(/[/\\<>:|?*]+/g, replaceRefused)
    .replace(/\s+/g, " ");
  const trimmed = trim(plain);
  const cut = cutToBytes(trimmed, maxBytes);
  return cut === trimmed ? unreserved(trimmed) : trim(unreserved(trim(cut)));
}

/**
 * A file's name: the stem is cut, so that its end (a part's number) and the extension stay whole. `end` is text of
 * ours and stands as it is.
 */
export function safeFileName(stem: string, end: string, extension: string): string {
  const tail = `${end}.${extension}`;
  const room = maxSegmentBytes - Buffer.byteLength(tail);
  const name = safeName(stem, Math.max(1, room));
  return `${name === "" ? "untitled" : name}${tail}`;
}

/** What file systems take: NAME_MAX of Linux, in bytes. */
export const maxSegmentBytes = 255;

/** Marks of direction, spaces without width, soft hyphens, byte order marks: two names that look alike must not differ by them. */
const invisible = /[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/gu;

/** A question mark leaves nothing, what parts words leaves a hyphen. */
function replaceRefused(refused: string): string {
  return /[/\\|:]/.test(refused) ? "-" : "";
}

function trim(text: string): string {
  return text.replace(/^[\s.]+/, "").replace(/[\s.]+$/, "");
}

/** Names that Windows keeps for devices, with any extension. */
function unreserved(name: string): string {
  return /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)/i.test(name)
    ? name.replace(/^[^.]+/, "$&_")
    : name;
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Between two characters as people see them: an emoji of several code points stays whole. */
function cutToBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  let kept = "";
  let bytes = 0;
  for (const { segment } of graphemes.segment(text)) {
    bytes += Buffer.byteLength(segment);
    if (bytes > maxBytes) break;
    kept += segment;
  }
  return kept;
}
