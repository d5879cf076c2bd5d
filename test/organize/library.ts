import { createHash } from "node:crypto";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import path from "node:path";

/** A file or folder as a person would compare it: what it holds, its permissions and its time to the nanosecond. */
export type Snapshot = Readonly<Record<string, string>>;

/** Everything below a folder, its own entry as `.`; what tomekeeper keeps for itself included. */
export async function snapshot(folder: string): Promise<Snapshot> {
  const names = await readdir(folder, { recursive: true });
  const entries = await Promise.all(
    [".", ...names.sort()].map(async (name) => [name, await describe(path.join(folder, name))] as const),
  );
  return Object.fromEntries(entries);
}

async function describe(absolute: string): Promise<string> {
  const stats = await lstat(absolute, { bigint: true });
  const about = `${(stats.mode & 0o7777n).toString(8)} ${stats.mtimeNs}`;
  if (stats.isSymbolicLink()) return `link ${await readlink(absolute)}`;
  if (stats.isDirectory()) return `folder ${about}`;
  const hash = createHash("sha256")
    .update(await readFile(absolute))
    .digest("hex");
  return `file ${about} ${stats.size} ${hash.slice(0, 16)}`;
}

/** Only what the files hold. */
export async function contents(folder: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const [name, about] of Object.entries(await snapshot(folder))) {
    if (about.startsWith("file ")) found[name] = about.split(" ").at(-1) ?? "";
  }
  return found;
}
