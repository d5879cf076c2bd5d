/**
 * The one order of names in a folder: that of their UTF-8 bytes, the same on every machine and locale, so
 * that a position in a walk means the same after a restart.
 */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left === right) continue;
    // UTF-16 sorts surrogates (U+10000 and above) before U+E000..U+FFFF; UTF-8 sorts them after.
    const leftHigh = left >= 0xd800 && left <= 0xdfff;
    const rightHigh = right >= 0xd800 && right <= 0xdfff;
    if (leftHigh !== rightHigh) return leftHigh ? 1 : -1;
    return left - right;
  }
  return a.length - b.length;
}

/** The walk's order of paths: a folder before what it holds, siblings by `compareNames`. */
export function comparePaths(a: string, b: string): number {
  if (a === b) return 0;
  if (a === "") return -1;
  if (b === "") return 1;
  const left = a.split("/");
  const right = b.split("/");
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i++) {
    const order = compareNames(left[i] ?? "", right[i] ?? "");
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** Bytes whose plain byte order is `comparePaths`: what the catalogue sorts by. */
export function pathSortKey(path: string): Uint8Array {
  return Buffer.from(path.replaceAll("/", "\0"), "utf8");
}
