import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { makeAudio } from "./audio/make-audio.ts";
import { makeCover } from "./cover.ts";
import { libraryPlan, type PlannedFolder } from "./library-plan.ts";

export interface DemoLibrary {
  /** Absolute: the root of kind library. */
  readonly libraryPath: string;
  /** Absolute: the root of kind inbox. */
  readonly inboxPath: string;
  readonly folders: readonly DemoFolder[];
  /** Audio files, the damaged one too. */
  readonly fileCount: number;
  /** Lower-case extensions. */
  readonly formats: readonly string[];
}

interface DemoFolder {
  readonly root: "audiobooks" | "inbox";
  /** From the root. */
  readonly path: string;
  /** What it is there to show. */
  readonly shows: string;
  readonly audio: readonly string[];
}

/** Writes the demonstration's library below an existing folder: some 40 small audio files of every format and layout. */
export async function makeLibrary(dir: string): Promise<DemoLibrary> {
  await Promise.all(
    libraryPlan.map((folder) => makeFolder(path.join(dir, folder.root, folder.path), folder)),
  );
  const folders = libraryPlan.map(({ root, path: folderPath, shows, audio, damaged = [] }) => ({
    root,
    path: folderPath,
    shows,
    audio: [...audio.map(({ name }) => name), ...damaged],
  }));
  const names = folders.flatMap((folder) => folder.audio);
  return {
    libraryPath: path.join(dir, "audiobooks"),
    inboxPath: path.join(dir, "inbox"),
    folders,
    fileCount: names.length,
    formats: [...new Set(names.map((name) => path.extname(name).slice(1)))].sort(),
  };
}

async function makeFolder(absolutePath: string, folder: PlannedFolder): Promise<void> {
  for (const { name, hasPicture = false, ...content } of folder.audio) {
    const file = path.join(absolutePath, name);
    await mkdir(path.dirname(file), { recursive: true });
    await makeAudio(file, { ...content, ...(hasPicture ? { picture: makeCover(name) } : {}) });
  }
  for (const [name, text] of Object.entries(folder.texts ?? {})) {
    await writeFile(path.join(absolutePath, name), text);
  }
  for (const name of folder.damaged ?? []) {
    await writeFile(path.join(absolutePath, name), "This was a recording once.\n".repeat(40));
  }
  if (folder.hasCover) await writeFile(path.join(absolutePath, "cover.png"), makeCover(folder.path));
}
