import { isUtf8 } from "node:buffer";

/** What a decoder puts where bytes are not UTF-8; a name may also hold it rightly. */
const replacement = "\uFFFD";

/** True where a listing holds names that may not be what they seem, and has to be read again as bytes. */
export function mayBeUndecodable(names: readonly { readonly name: string }[]): boolean {
  return names.some((entry) => entry.name.includes(replacement));
}

/**
 * Takes the entries whose names are not UTF-8 out of a listing: no string leads to them. `shown` are their
 * names with each such byte as `\xHH`.
 */
export function takeOutUndecodable<T extends { readonly name: string }>(
  entries: readonly T[],
  names: readonly Buffer[],
): { readonly entries: readonly T[]; readonly shown: readonly string[] } {
  const undecodable = names.filter((bytes) => !isUtf8(bytes));
  const counts = new Map<string, number>();
  for (const bytes of undecodable) {
    const decoded = bytes.toString("utf8");
    counts.set(decoded, (counts.get(decoded) ?? 0) + 1);
  }
  const kept = entries.filter((entry) => {
    const count = counts.get(entry.name) ?? 0;
    if (count > 0) counts.set(entry.name, count - 1);
    return count === 0;
  });
  return { entries: kept, shown: undecodable.map(showBytes) };
}

function showBytes(bytes: Buffer): string {
  let shown = "";
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at);
    if (length === 0) {
      shown += `\\x${bytes.toString("hex", at, at + 1).toUpperCase()}`;
      at += 1;
    } else {
      shown += bytes.toString("utf8", at, at + length);
      at += length;
    }
  }
  return shown;
}

/** How many bytes the character at this place has, 0 where it is not one. */
function characterLength(bytes: Buffer, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    if (isUtf8(bytes.subarray(at, at + length))) return length;
  }
  return 0;
}
