import { hash } from "node:crypto";
import type { FileEntry, ScanUnit } from "../domain/scan.ts";

/** Ends the signature of a unit with problems: it is looked at again by every scan, and told again. */
const problemMark = "!";

/**
 * Same for a unit in which nothing changed: made of the names, sizes and mtimes of all its files, and of
 * whether there are folders beside them, since that decides what is a book too.
 */
export function signatureOf(unit: ScanUnit): string {
  const files = unit.files.map((file) => `${file.name}\0${file.sizeBytes}\0${file.mtimeMs}\n`);
  return hash("sha256", `${unit.hasOtherFolders}\n${files.join("")}`, "base64url").slice(0, 22);
}

/** The signature to store for a unit in which something could not be read. */
export function withProblemMark(signature: string): string {
  return signature + problemMark;
}

/** True where the file is, by its size and mtime, the one that was read before. */
export function isSameFile(a: FileEntry, b: FileEntry): boolean {
  return a.sizeBytes === b.sizeBytes && a.mtimeMs === b.mtimeMs;
}
