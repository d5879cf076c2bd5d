import path from "node:path";
import type { Track } from "../domain/book.ts";
import { isDiscFolder, isIgnoredName } from "../domain/file-kinds.ts";
import type { PlannableBook } from "../domain/organize.ts";
import { lastNameFirst, lastNameOf } from "../domain/people.ts";
import { maxSegmentBytes, safeFileName, safeName } from "../domain/safe-name.ts";
import { fileHas, renderSegment, type Template, type TemplateValues } from "../domain/template.ts";

/** Where a book's files go, below the root: pure, from what the catalogue knows. */
export interface Target {
  readonly folder: string;
  readonly files: readonly TargetFile[];
}

interface TargetFile {
  readonly role: "track" | "companion";
  /** Relative to the book's own root. */
  readonly from: string;
  /** Relative to the root that it goes to. */
  readonly to: string;
  readonly sizeBytes: number;
}

/**
 * Applies the pattern to a book. Tracks are numbered in the book's order, where there are several; companions keep
 * their names and their folders below the book's, except that one which is called as a track is goes on being so.
 */
export function targetOf(book: PlannableBook, template: Template): Target {
  const values = valuesOf(book);
  const folder = template.folders
    .map((segment) => folderName(renderSegment(segment, values)))
    .filter((segment) => segment !== "")
    .join("/");
  const taken = new Set<string>();
  const tracks = book.tracks.map((track, index): TargetFile => {
    const name = trackName(book, template, values, track, index);
    return place("track", track.path, join(folder, name), track.sizeBytes, taken);
  });
  const newStems = stemsOf(tracks);
  const own = folderOf(book);
  const shared = hasOwnFolder(template) ? null : stem(tracks[0]?.to ?? "");
  const companions = book.companions.map((companion): TargetFile => {
    const name = besideOthers(companionName(companion.path, own, newStems), shared);
    return place("companion", companion.path, join(folder, name), companion.sizeBytes, taken);
  });
  return { folder, files: [...tracks, ...companions] };
}

/** Whether the pattern gives every book a folder of its own: then nobody else's files may lie there. */
export function hasOwnFolder({ folders }: Template): boolean {
  return folders.some((segment) =>
    segment.some((piece) => piece.kind === "token" && ["title", "asin", "isbn"].includes(piece.token)),
  );
}

/** A name that the next scan sees, as a folder of its own: `Growing.Old` would be left out, `Part 2` be a disc. */
function folderName(text: string): string {
  const name = safeName(text);
  return isIgnoredName(name) || isDiscFolder(name) ? safeName(`${name}_`) : name;
}

/** In a folder of several books a file belongs to the one whose track's name it begins with. */
function besideOthers(name: string, trackStem: string | null): string {
  if (trackStem === null || name.includes("/") || name.startsWith(trackStem)) return name;
  const extension = path.posix.extname(name);
  const isCover = /^(?:cover|folder)$/i.test(stem(name));
  return safeFileName(trackStem, isCover ? "" : ` - ${stem(name)}`, extension.slice(1) || "file");
}

/** The folder that a book's files lie in: its own, or the one that it shares with other books. */
function folderOf({ path: bookPath, tracks }: Pick<PlannableBook, "path" | "tracks">): string {
  const isFile = tracks.some((track) => track.path === bookPath);
  return isFile ? parent(bookPath) : bookPath;
}

function trackName(
  book: PlannableBook,
  template: Template,
  values: TemplateValues,
  track: Track,
  index: number,
): string {
  const parts = book.tracks.length;
  const part = parts > 1 ? String(index + 1).padStart(String(parts).length, "0") : "";
  const end = part === "" || fileHas(template, "part") ? "" : ` - ${part.padStart(2, "0")}`;
  const extension = track.format;
  const own = {
    ...values,
    part,
    parts: parts > 1 ? String(parts) : "",
    disc: track.disc === null ? "" : String(track.disc),
    ext: extension,
  };
  const render = (title: string): string => renderSegment(template.file, { ...own, title });
  // The title gives way, so that what tells one part from another stays.
  let { title } = own;
  for (let over = bytesOver(render(title), end, extension); over > 0 && title !== ""; ) {
    title = [...title].slice(0, -1).join("");
    over = bytesOver(render(title), end, extension);
  }
  const stem = render(title);
  const suffix = `.${extension}`;
  return safeFileName(stem.endsWith(suffix) ? stem.slice(0, -suffix.length) : stem, end, extension);
}

function bytesOver(stem: string, end: string, extension: string): number {
  return Buffer.byteLength(`${stem}${end}.${extension}`.normalize("NFC")) - maxSegmentBytes;
}

/** Of the tracks' old stems, without their folders, the new ones; null where two tracks have the same. */
function stemsOf(tracks: readonly TargetFile[]): ReadonlyMap<string, string | null> {
  const stems = new Map<string, string | null>();
  for (const { from, to } of tracks) {
    const old = stem(from).toLowerCase();
    stems.set(old, stems.has(old) ? null : stem(to));
  }
  return stems;
}

function companionName(companion: string, own: string, newStems: ReadonlyMap<string, string | null>): string {
  const below =
    own === ""
      ? companion
      : companion.startsWith(`${own}/`)
        ? companion.slice(own.length + 1)
        : path.posix.basename(companion);
  const segments = below.split("/");
  const name = segments.pop() ?? below;
  const extension = path.posix.extname(name).slice(1);
  const newStem = segments.length === 0 ? newStems.get(stem(name).toLowerCase()) : null;
  const file =
    extension === "" ? safeName(name) || "untitled" : safeFileName(newStem ?? stem(name), "", extension);
  return [...segments.map((segment) => safeName(segment) || "folder"), file].join("/");
}

/** The name, or one with a number where another file of the book has it, on file systems without case too. */
function place(
  role: TargetFile["role"],
  from: string,
  wanted: string,
  sizeBytes: number,
  taken: Set<string>,
): TargetFile {
  let to = wanted;
  for (let number = 2; taken.has(foldPath(to)); number++) to = numbered(wanted, number);
  taken.add(foldPath(to));
  return { role, from, to, sizeBytes };
}

function numbered(file: string, number: number): string {
  const extension = path.posix.extname(file);
  const name = safeFileName(stem(file), ` (${number})`, extension.slice(1) || "file");
  return join(parent(file), name);
}

/** Equal where two paths are one on a file system that ignores case. */
export function foldPath(file: string): string {
  return file.normalize("NFC").toLowerCase();
}

function valuesOf(book: PlannableBook): TemplateValues {
  const [author = ""] = book.authors;
  const [series] = book.series;
  return {
    author,
    author_last: lastNameOf(author),
    author_lf: lastNameFirst(author),
    authors: book.authors.join(", "),
    title: book.title,
    subtitle: book.subtitle ?? "",
    series: series?.name ?? "",
    series_number: series?.position ?? "",
    year: book.year === null ? "" : String(book.year).padStart(4, "0"),
    narrator: book.narrators.slice(0, 3).join(", "),
    publisher: book.publisher ?? "",
    language: book.language ?? "",
    asin: book.asin ?? "",
    isbn: book.isbn ?? "",
    genre: book.genres[0] ?? "",
    part: "",
    parts: book.tracks.length > 1 ? String(book.tracks.length) : "",
    disc: "",
    ext: book.tracks[0]?.format ?? "",
    quality: qualityOf(book.tracks),
  };
}

/** The mean bit rate, as people write it: `64k`. */
function qualityOf(tracks: readonly Track[]): string {
  const seconds = tracks.reduce((sum, track) => sum + track.durationSeconds, 0);
  const bytes = tracks.reduce((sum, track) => sum + track.sizeBytes, 0);
  return seconds === 0 ? "" : `${Math.round((bytes * 8) / seconds / 1000)}k`;
}

function join(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

function parent(file: string): string {
  const slash = file.lastIndexOf("/");
  return slash === -1 ? "" : file.slice(0, slash);
}

function stem(file: string): string {
  const name = path.posix.basename(file);
  return name.slice(0, name.length - path.posix.extname(name).length);
}
