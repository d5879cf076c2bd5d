import path from "node:path";
import type { Book } from "../domain/book.ts";
import type { FileFacts } from "../domain/organize.ts";
import { isOwnSidecar } from "../domain/seal.ts";
import { lookAt } from "../files/facts.ts";
import { readText } from "./own-file.ts";

/** The names of what is written beside a book. */
export const sidecarNames = { metadata_json: "metadata.json", opf: "metadata.opf" } as const;

/** Whether the book's path is a folder, and not the root itself: others' books lie in another, or below it. */
export function hasFolder({ path: bookPath, tracks }: Pick<Book, "path" | "tracks">): boolean {
  return bookPath !== "" && !tracks.some((track) => track.path === bookPath);
}

/** What of ours lies in a folder, as it is now; what somebody has changed is theirs. */
export async function ownSidecarsIn(
  folder: string,
): Promise<readonly { readonly name: string; readonly facts: FileFacts }[]> {
  const found = await Promise.all(
    Object.values(sidecarNames).map(async (name) => {
      const file = path.join(folder, name);
      const there = await lookAt(file);
      if (there?.kind !== "file" || !isOwnSidecar((await readText(file)) ?? "")) return [];
      return [{ name, facts: there.facts }];
    }),
  );
  return found.flat();
}
