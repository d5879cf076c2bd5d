import { compareNames } from "./order.ts";

/**
 * The order people expect of names: runs of digits by their value (2 before 10), the rest by character,
 * whatever its case. Independent of the machine's locale; a total order, so equal means identical.
 */
export function compareNatural(a: string, b: string): number {
  return compareFolded(a.toLowerCase(), b.toLowerCase()) || compareNames(a, b);
}

function compareFolded(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(j);
    if (isDigit(left) && isDigit(right)) {
      const leftStart = skipZeros(a, i);
      const rightStart = skipZeros(b, j);
      i = skipDigits(a, leftStart);
      j = skipDigits(b, rightStart);
      const order = compareDigits(a, leftStart, i, b, rightStart, j);
      if (order !== 0) return order;
      continue;
    }
    if (left !== right) return left - right;
    i++;
    j++;
  }
  return a.length - i - (b.length - j);
}

/** Without leading zeros a longer run is the larger number; numbers of any length stay exact. */
function compareDigits(a: string, i: number, iEnd: number, b: string, j: number, jEnd: number): number {
  const byLength = iEnd - i - (jEnd - j);
  if (byLength !== 0) return byLength;
  for (let k = 0; k < iEnd - i; k++) {
    const order = a.charCodeAt(i + k) - b.charCodeAt(j + k);
    if (order !== 0) return order;
  }
  return 0;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function skipZeros(text: string, from: number): number {
  let i = from;
  while (text.charCodeAt(i) === 48) i++;
  return i;
}

function skipDigits(text: string, from: number): number {
  let i = from;
  while (i < text.length && isDigit(text.charCodeAt(i))) i++;
  return i;
}
