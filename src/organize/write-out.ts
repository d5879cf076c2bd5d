import { realpath, rm } from "node:fs/promises";
import path from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { Book, Root } from "../domain/book.ts";
import type { OrganizeCatalogue } from "../domain/catalogue.ts";
import { isOwnSidecar } from "../domain/seal.ts";
import { AppError } from "../errors.ts";
import { diskError } from "../files/disk-error.ts";
import { isAbsent, lookAt } from "../files/facts.ts";
import { removeFile } from "../files/remove.ts";
import { syncFolder } from "../files/sync.ts";
import { type BookFollower, followBooks, libraryBooks } from "./follow-books.ts";
import { linkNew, readText, replaceFile, writeTemporary } from "./own-file.ts";
import { hasFolder, ownSidecarsIn, sidecarNames } from "./own-sidecars.ts";

export interface WriteOutDeps {
  /** What is wanted now. */
  readonly settings: () => { readonly metadata_json: boolean; readonly opf: boolean };
  readonly roots: readonly Root[];
  readonly catalogue: Pick<OrganizeCatalogue, "booksOfRoot"> & { book(id: string): Book | null };
  readonly warn: (message: string) => void;
  /** As `followBooks` has it. */
  readonly settleMs?: number;
}

/**
 * Keeps `metadata.json` and `metadata.opf` beside the books of libraries that have a folder of their own, so that
 * players see what the catalogue knows. A file of somebody else's is never touched, nor one of ours that somebody has
 * changed: the next scan reads it as theirs. Ours say nothing to a scan.
 */
export function createWriteOut(deps: WriteOutDeps): BookFollower {
  const libraries = new Map(
    deps.roots.filter(({ kind }) => kind === "library").map((root) => [root.id, root.path]),
  );
  const isOn = (): boolean => deps.settings().metadata_json || deps.settings().opf;

  /** What is wrong with one book keeps none of the others from theirs. */
  async function each(
    ids: AsyncIterable<string> | Iterable<string>,
    isStopping: () => boolean,
  ): Promise<void> {
    const failures: unknown[] = [];
    for await (const id of ids) {
      if (isStopping() || !isOn()) return;
      await put(id).catch((error: unknown) => failures.push(error));
      await turn();
    }
    const [first] = failures;
    if (first === undefined) return;
    const more = failures.length === 1 ? "" : ` (and ${failures.length - 1} more)`;
    throw new Error(`${first instanceof Error ? first.message : String(first)}${more}`);
  }

  async function put(id: string): Promise<void> {
    const book = deps.catalogue.book(id);
    const root = book === null ? undefined : libraries.get(book.rootId);
    if (book === null || root === undefined || !hasFolder(book)) return;
    // What needs a review is not told to players, and nothing is concluded from a disk that is away.
    if (book.state !== "present" && book.state !== "missing") return;
    const folder = await folderWithin(root, book.path);
    if (folder === null) return;
    if (book.state === "missing") return await removeOwn(folder);
    const wanted = deps.settings();
    // With it comes what writes XML, which most runners need not have in memory.
    const { metadataJson, opf } = await import("./sidecar-text.ts");
    if (wanted.metadata_json) await write(folder, sidecarNames.metadata_json, metadataJson(book));
    const hasOther = book.companions.some(({ path: file }) => file.toLowerCase().endsWith(".opf"));
    if (wanted.opf && !hasOther) await write(folder, sidecarNames.opf, opf(book));
  }

  return followBooks({
    isOn,
    update: each,
    syncAll: (isStopping) => each(libraryBooks(deps.roots, deps.catalogue), isStopping),
    onFailure: (reason) => deps.warn(`what is known of books could not be written beside them: ${reason}`),
    settleMs: deps.settleMs,
  });
}

/** The book's folder, absolute; null where it is gone. Throws `conflict` where a link on the way leads out of the root. */
async function folderWithin(root: string, bookPath: string): Promise<string | null> {
  const folder = path.join(root, bookPath);
  try {
    const [realRoot, realFolder] = await Promise.all([realpath(root), realpath(folder)]);
    if (realFolder.startsWith(`${realRoot}${path.sep}`)) return folder;
  } catch (error) {
    if (isAbsent(error)) return null;
    throw diskError(error, "looked at", folder);
  }
  throw new AppError("conflict", `${folder} leads out of ${root} by a link: nothing is written there`);
}

/** The old one or the new one is there at any time, never a part; where it is as it should be, nothing is done. */
async function write(folder: string, name: string, text: string): Promise<void> {
  const file = path.join(folder, name);
  // The same name each time: what a crash has left is found again.
  const temporary = path.join(folder, `.tomekeeper-${name}.part`);
  try {
    await rm(temporary, { force: true });
    const there = await readText(file);
    if (there === text) return;
    if (there === null) {
      if ((await lookAt(file)) !== null) return;
      await writeTemporary(temporary, text);
      try {
        await linkNew(temporary, file);
      } finally {
        await rm(temporary, { force: true });
      }
    } else {
      if (!isOwnSidecar(there)) return;
      await replaceFile(file, temporary, text);
    }
    await syncFolder(folder);
  } catch (error) {
    if (isAbsent(error)) return;
    throw diskError(error, "written", file);
  }
}

async function removeOwn(folder: string): Promise<void> {
  for (const { name, facts } of await ownSidecarsIn(folder)) await removeFile(path.join(folder, name), facts);
}
