import { open } from "node:fs/promises";
import { systemCode } from "../errors.ts";
import { diskError } from "./disk-error.ts";

/**
 * Makes the names in a folder durable: files created, renamed or removed there. Where the file system cannot
 * sync a folder (some network and FUSE ones) there is nothing to be had, and nothing is thrown.
 */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } catch (error) {
    if (!["EINVAL", "ENOTSUP", "ENOSYS"].includes(systemCode(error) ?? "")) {
      throw diskError(error, "made durable", folder);
    }
  } finally {
    await handle.close();
  }
}
