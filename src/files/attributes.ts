import { type FileHandle, open } from "node:fs/promises";
import { systemCode } from "../errors.ts";
import { loadLibc } from "./libc.ts";

/**
 * Gives a file the other's permissions, owner, extended attributes (access lists are such) and times, the times last,
 * since the rest would change them. What the file system or the user's rights do not allow of owner and attributes is
 * left out, as `cp -p` does; answers with the names of the attributes that were.
 */
export async function keepAttributes(from: FileHandle, to: FileHandle): Promise<readonly string[]> {
  const stats = await from.stat({ bigint: true });
  await to.chown(Number(stats.uid), Number(stats.gid)).catch(ignoreRefused);
  await to.chmod(Number(stats.mode & 0o7777n)).catch(ignoreRefused);
  const lost = await keepExtended(from, to);
  await setTimes(to, stats.atimeNs, stats.mtimeNs);
  return lost;
}

/** Sets a folder's time of change to the nanosecond, its time of access with it. */
export async function setFolderTime(absolute: string, mtimeNs: bigint): Promise<void> {
  const handle = await open(absolute, "r");
  try {
    const { atimeNs } = await handle.stat({ bigint: true });
    await setTimes(handle, atimeNs, mtimeNs);
  } finally {
    await handle.close();
  }
}

async function keepExtended(from: FileHandle, to: FileHandle): Promise<readonly string[]> {
  const libc = await loadLibc();
  const lost: string[] = [];
  for (const name of libc?.listAttributes(from.fd) ?? []) {
    const value = libc?.getAttribute(from.fd, name) ?? null;
    if (value === null || libc?.setAttribute(to.fd, name, value) !== 0) lost.push(name);
  }
  return lost;
}

async function setTimes(handle: FileHandle, atimeNs: bigint, mtimeNs: bigint): Promise<void> {
  const libc = await loadLibc();
  if (libc?.futimens(handle.fd, atimeNs, mtimeNs) === 0) return;
  await handle.utimes(Number(atimeNs) / 1e9, Number(mtimeNs) / 1e9);
}

function ignoreRefused(error: unknown): void {
  if (!["EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "EINVAL", "ENOSYS"].includes(systemCode(error) ?? ""))
    throw error;
}
