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
  return `file ${about} ${stats.size} ${hashOf(await readFile(absolute))}`;
}

/** What the files hold, and what links lead to. */
export async function contents(folder: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const [name, about] of Object.entries(await snapshot(folder))) {
    if (about.startsWith("folder ")) continue;
    found[name] = hashOf(await readFile(path.join(folder, name)));
  }
  return found;
}

/** Files alone: their folders' times change with every try. */
export async function filesOf(folder: string): Promise<Snapshot> {
  const all = Object.entries(await snapshot(folder));
  return Object.fromEntries(all.filter(([, about]) => !about.startsWith("folder ")));
}

export function hashOf(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}
