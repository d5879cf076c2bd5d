import { stemOf } from "../domain/file-kinds.ts";
import { looksLikePerson, personKey } from "../domain/people.ts";
import type { ScanUnit } from "../domain/scan.ts";
import { foldText } from "../domain/text.ts";
import type { TrackGroup } from "./group-books.ts";
import { isMeaningless, type NameEvidence, type PathNames, readPathNames } from "./path-names.ts";
import { readTitlePart } from "./path-names-title.ts";

/**
 * What the names of a book's folders, or of its file where it is one of several, say. The file's name also
 * counts where a folder directly below the root holds just one: it may be an author's folder (`Author/Title.m4b`),
 * or the file may name the author that the folder does not (`Title/Author - Title.m4b`).
 */
export function namesOfPlace(unit: ScanUnit, group: TrackGroup, evidence: NameEvidence): PathNames {
  const folders = unit.path === "" ? [] : unit.path.split("/");
  const [track] = group.tracks;
  const isOneFile = track !== undefined && group.tracks.length === 1 && group.reason !== "disc_folders";
  const stem = isOneFile ? stemOf(track.file.name) : null;
  if (group.path !== "") return readPathNames({ folders, name: stem }, evidence);
  const [folder] = folders;
  if (stem === null || folder === undefined || folders.length > 1) {
    return readPathNames({ folders: folders.slice(0, -1), name: folders.at(-1) ?? null }, evidence);
  }
  if (isAuthorsFolder(folder, stem, evidence)) return readPathNames({ folders, name: stem }, evidence);
  return withAuthorOfFile(readPathNames({ folders: [], name: folder }, evidence), stem);
}

/** The tags name its author, or it looks like a person and the file's name like a title of its own. */
function isAuthorsFolder(folder: string, stem: string, evidence: NameEvidence): boolean {
  if (evidence.authors.some((author) => personKey(author) === personKey(folder))) return true;
  if (!looksLikePerson(folder) || isMeaningless(stem) || !/^[\p{Lu}\p{N}]/u.test(stem)) return false;
  return !readTitlePart(stem).parts.some((part) => foldText(part) === foldText(folder));
}

function withAuthorOfFile(names: PathNames, stem: string): PathNames {
  const { title, authors } = names.fields;
  if (authors !== undefined || title === undefined || title === null) return names;
  const ofFile = readPathNames({ folders: [], name: stem }, { authors: [], title }).fields;
  if (ofFile.authors === undefined || foldText(ofFile.title ?? "") !== foldText(title)) return names;
  return { fields: { ...names.fields, authors: ofFile.authors }, titleIsBareName: false };
}
