export type FileKind = "audio" | "image" | "companion" | "ignored" | "other";

/** A folder that holds a file of this name is left out of the walk, with all below it. */
export const ignoreMarker = ".ignore";

const kindByExtension: ReadonlyMap<string, FileKind> = new Map<string, FileKind>([
  ...extensions("audio", "m4b mp3 m4a mp4 aac flac ogg oga opus wma wav aif aiff mka webm"),
  ...extensions("image", "jpg jpeg png webp"),
  ...extensions("companion", "epub pdf mobi azw3 cue m3u m3u8 txt nfo opf json"),
  ...extensions("ignored", "part tmp crdownload download bak old temp !qb aria2"),
]);

/** What a file is to the scan, by its name alone and whatever the case of its extension. */
export function kindOf(name: string): FileKind {
  if (isIgnoredName(name)) return "ignored";
  return kindByExtension.get(extensionOf(name)) ?? "other";
}

/**
 * True for names that the walk passes over, files and folders alike: dotfiles, a NAS's `@eaDir`, and what
 * downloads and editors leave while they work.
 */
export function isIgnoredName(name: string): boolean {
  if (name.startsWith(".") || name.toLowerCase() === "@eadir") return true;
  return kindByExtension.get(extensionOf(name)) === "ignored";
}

/** Lower-case, without the dot; `''` where there is none. */
export function extensionOf(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot <= name.lastIndexOf("/") + 1 ? "" : name.slice(dot + 1).toLowerCase();
}

/** The file's own name without its folder and its extension. */
export function stemOf(name: string): string {
  const start = name.lastIndexOf("/") + 1;
  const dot = name.lastIndexOf(".");
  return dot > start ? name.slice(start, dot) : name.slice(start);
}

const discFolder = /^[([]?(?:cd|dis[ck]|part)[\s_.#-]*(\d{1,3})(?:[\s_.-]*of[\s_.-]*\d{1,3})?[)\]]?$/i;

/** True for a folder whose name is nothing but `CD1`, `Disc 02`, `Disk 3`, `Part 4`: it joins its parent's book. */
export function isDiscFolder(name: string): boolean {
  return discFolder.test(name);
}

/** The number in the name of a disc folder, or null where the name is not one. */
export function discNumberOf(name: string): number | null {
  const digits = discFolder.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
}

function extensions(kind: FileKind, names: string): readonly (readonly [string, FileKind])[] {
  return names.split(" ").map((name) => [name, kind] as const);
}
