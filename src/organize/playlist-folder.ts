import { randomUUID } from "node:crypto";
import { mkdir, readdir, realpath, rm } from "node:fs/promises";
import path from "node:path";
import { safeFileName } from "../domain/safe-name.ts";
import { systemCode } from "../errors.ts";
import { diskError } from "../files/disk-error.ts";
import { syncFolder } from "../files/sync.ts";
import { linkNew, readText, replaceFile, writeTemporary } from "./own-file.ts";
import { playlistKey, playlistSeal } from "./playlist-text.ts";
import { foldPath } from "./target.ts";

/** The folder of our playlists. Only what we wrote, and nobody has changed since, is ever replaced or removed. */
export interface PlaylistFolder {
  /** Absolute, links in it resolved. */
  readonly path: string;
  /** Keys of the playlists that are there. */
  keys(): readonly string[];
  /** Writes a playlist where it is not as it should be; `name` without extension, a number follows where it is taken. */
  put(key: string, name: string, text: string): Promise<void>;
  remove(key: string): Promise<void>;
  /** Removes what a crash left beside its successor, and makes all changes of names durable. */
  settle(): Promise<void>;
}

const extension = "m3u8";
/** Files read at the same time. */
const readsAtOnce = 16;
const mostNames = 1000;

/** Opens the folder, which is made where the one above it is there, and finds what of ours is in it. */
export async function openPlaylistFolder(wanted: string): Promise<PlaylistFolder> {
  // Not those above it: of a disk that is not mounted they are missing.
  await mkdir(wanted).catch((error: unknown) => {
    if (systemCode(error) !== "EEXIST") throw diskError(error, "made", wanted);
  });
  const folder = await realpath(wanted);
  const files = new Map<string, string>();
  const owners = new Map<string, string>();
  const doubles: string[] = [];
  /** What was just read: good for one look. */
  const seals = new Map<string, string>();
  for (const { file, key, seal } of await ownFiles(folder)) {
    if (files.has(key)) doubles.push(file);
    else own(key, file);
    if (seal !== null) seals.set(file, seal);
  }
  let hasChanged = false;

  function own(key: string, file: string): void {
    files.set(key, file);
    owners.set(foldPath(file), key);
  }

  function disown(key: string, file: string): void {
    files.delete(key);
    owners.delete(foldPath(file));
  }

  const at = (file: string) => path.join(folder, file);

  async function removeOwn(file: string): Promise<void> {
    const text = await readText(at(file));
    if (text === null || playlistSeal(text) === null) return;
    await rm(at(file), { force: true });
    hasChanged = true;
  }

  async function replace(file: string, text: string): Promise<void> {
    await replaceFile(at(file), at(newTemporary()), text);
    hasChanged = true;
  }

  /** Under the first name that nobody has. */
  async function add(key: string, name: string, text: string): Promise<void> {
    const temporary = newTemporary();
    await writeTemporary(at(temporary), text);
    try {
      for (let number = 1; number <= mostNames; number++) {
        const file = fileName(name, number);
        if (owners.has(foldPath(file)) || !(await linkNew(at(temporary), at(file)))) continue;
        own(key, file);
        hasChanged = true;
        return;
      }
    } finally {
      await rm(at(temporary), { force: true });
    }
  }

  return {
    path: folder,
    keys: () => [...files.keys()],
    async put(key, name, text) {
      const before = files.get(key);
      const isNamedSo = before !== undefined && hasName(before, name);
      const seal = before === undefined ? undefined : seals.get(before);
      if (before !== undefined) seals.delete(before);
      if (isNamedSo && seal !== undefined && seal === playlistSeal(text)) return;
      const there = before === undefined ? null : await readText(at(before));
      if (before === undefined || there === null || playlistKey(there) !== key) {
        // It was removed, or somebody has put a file of theirs in its place.
        if (before !== undefined) disown(key, before);
        await add(key, name, text);
        return;
      }
      if ((there === text && isNamedSo) || playlistSeal(there) === null) return;
      if (isNamedSo) return await replace(before, text);
      disown(key, before);
      await add(key, name, text);
      await removeOwn(before);
    },
    async remove(key) {
      const file = files.get(key);
      if (file === undefined) return;
      disown(key, file);
      await removeOwn(file);
    },
    async settle() {
      seals.clear();
      for (const file of doubles.splice(0)) await removeOwn(file);
      if (hasChanged) await syncFolder(folder);
      hasChanged = false;
    },
  };
}

function fileName(name: string, number: number): string {
  return safeFileName(name, number === 1 ? "" : ` (${number})`, extension);
}

function hasName(file: string, name: string): boolean {
  const number = Number(/ \((\d{1,4})\)\.m3u8$/.exec(file)?.[1] ?? 1);
  return file === fileName(name, 1) || file === fileName(name, number);
}

interface OwnFile {
  readonly file: string;
  readonly key: string;
  /** Null where somebody has changed it since. */
  readonly seal: string | null;
}

/** Files with our mark, in the order of names. What a crash left half written goes. */
async function ownFiles(folder: string): Promise<readonly OwnFile[]> {
  const found: OwnFile[] = [];
  const names = await readdir(folder);
  for (const name of names) {
    if (name.endsWith(temporaryEnding)) await rm(path.join(folder, name), { force: true });
  }
  const lists = names.filter((name) => name.endsWith(`.${extension}`)).sort();
  for (let from = 0; from < lists.length; from += readsAtOnce) {
    const some = lists.slice(from, from + readsAtOnce);
    const texts = await Promise.all(some.map((name) => readText(path.join(folder, name))));
    for (const [index, file] of some.entries()) {
      const text = texts[index] ?? "";
      const key = playlistKey(text);
      if (key !== null) found.push({ file, key, seal: playlistSeal(text) });
    }
  }
  return found;
}

/** Hidden, and passed over by scans; as long for every name. */
const temporaryEnding = ".tomekeeper-playlist.part";

function newTemporary(): string {
  return `.${randomUUID()}${temporaryEnding}`;
}
