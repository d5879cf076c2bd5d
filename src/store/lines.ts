import { crc32 } from "node:zlib";

/**
 * One line of a document file: `<crc32> <sealed> <json>`, plain ASCII.
 *
 * The checksum covers all that follows it. `sealed` is the length in bytes that the file had, durably, when the
 * line was written: everything before that offset had been acknowledged, so damage there is damage and not the
 * torn end of an unfinished write. ASCII, because NeDB also ends lines at U+0085, U+2028 and U+2029, which JSON
 * leaves as they are, and because a flipped bit must not turn into a replacement character.
 */
export function encodeLine(json: string, sealedBytes: number): string {
  const text = `${sealedBytes} ${json.replace(beyondAscii, escapeCharacter)}`;
  return `${checksum(text)} ${text}`;
}

/** The JSON of a line, or null where the line is not exactly what `encodeLine` made. */
export function decodeLine(line: string): { readonly json: string; readonly sealedBytes: number } | null {
  const text = line.slice(9);
  if (line[8] !== " " || line.slice(0, 8) !== checksum(text)) return null;
  const separator = text.indexOf(" ");
  const sealedBytes = Number(text.slice(0, separator));
  if (separator < 1 || !Number.isSafeInteger(sealedBytes)) return null;
  return { json: text.slice(separator + 1), sealedBytes };
}

const beyondAscii = /[\u0080-\uffff]/g;

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}

/** Damage at the end is an unfinished write, which nobody was promised; damage inside is a loss. */
type Damage =
  | { readonly kind: "tail"; readonly offsetBytes: number }
  | { readonly kind: "inside"; readonly offsetBytes: number; readonly lineCount: number };

export interface FileReading {
  /** What the intact lines hold, in their order. */
  readonly records: readonly Readonly<Record<string, unknown>>[];
  readonly damage: Damage | null;
}

/**
 * Reads a whole document file without changing it and says what of it can be trusted. A file has its first line
 * before it has its name and never loses it again: without one intact line it is damaged, empty or not.
 */
export function readLines(content: Buffer): FileReading {
  const records: Readonly<Record<string, unknown>>[] = [];
  const badOffsets: number[] = [];
  let sealedBytes = 0;
  let start = 0;
  while (start < content.length) {
    const newline = content.indexOf(0x0a, start);
    const end = newline === -1 ? content.length : newline;
    const line = decodeLine(content.toString("latin1", start, end));
    const record = line === null ? null : parseRecord(line.json);
    if (line === null || record === null) badOffsets.push(start);
    else {
      records.push(record);
      sealedBytes = Math.max(sealedBytes, line.sealedBytes);
    }
    start = end + 1;
  }
  if (records.length === 0) {
    return { records, damage: { kind: "inside", offsetBytes: 0, lineCount: badOffsets.length } };
  }
  return { records, damage: judge(badOffsets, sealedBytes) };
}

function parseRecord(json: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(json);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function judge(badOffsets: readonly number[], sealedBytes: number): Damage | null {
  const first = badOffsets[0];
  if (first === undefined) return null;
  if (first >= sealedBytes) return { kind: "tail", offsetBytes: first };
  return { kind: "inside", offsetBytes: first, lineCount: badOffsets.length };
}
