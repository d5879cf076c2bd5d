import type { BookFields } from "../domain/book.ts";
import { splitPeople } from "../domain/people.ts";
import { plainText } from "../domain/plain-text.ts";
import { isReaderName } from "./sidecar-names.ts";

/** What `desc.txt`, `description.txt` (a description) and `reader.txt` (narrators, one or several a line) say. */
export function readTextSidecar(name: string, text: string): BookFields {
  if (isReaderName(name)) {
    const narrators = splitPeople(text.split(/\r?\n/));
    return narrators.length === 0 ? {} : { narrators };
  }
  const description = plainText(text);
  return description === "" ? {} : { description };
}

/** The text of a file: by its byte order mark, else UTF-8 where it is valid, else Windows-1252. Never throws. */
export function decodeText(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}
