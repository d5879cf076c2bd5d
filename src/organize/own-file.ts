import { link, open, rename, rm } from "node:fs/promises";
import { AppError, systemCode } from "../errors.ts";
import { openSource } from "../files/facts.ts";

/*
 * Files that we write into folders of other people: whole or not at all, and never in the place of one of theirs.
 */

/** A series of a thousand books of a hundred files has half of it. */
const mostBytes = 16 * 1_048_576;

/** What it holds is durable when it resolves, its name is not yet. Everybody may read it, as far as the umask lets. */
export async function writeTemporary(file: string, text: string): Promise<void> {
  const handle = await open(file, "wx", 0o666);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

/** Writes a file in the place of one of ours. */
export async function replaceFile(file: string, temporary: string, text: string): Promise<void> {
  await writeTemporary(temporary, text);
  await rename(temporary, file).catch(async (error: unknown) => {
    await rm(temporary, { force: true });
    throw error;
  });
}

/** Gives a file another name. False where something has it. Without hard links it is taken by an empty file first. */
export async function linkNew(temporary: string, file: string): Promise<boolean> {
  try {
    await link(temporary, file);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    if (!linkUnsupported.has(systemCode(error) ?? "")) throw error;
  }
  try {
    await (await open(file, "wx")).close();
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
  await rename(temporary, file);
  return true;
}

const linkUnsupported: ReadonlySet<string> = new Set(["EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

/** What a file holds; null where none is, or one that is not ours by its size, or that we may not read: ours we may. */
export async function readText(file: string): Promise<string | null> {
  try {
    const { handle, facts } = await openSource(file);
    try {
      return facts.sizeBytes > mostBytes ? null : await handle.readFile("utf8");
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (error.code === "conflict" || error.details?.["errno"] === "EACCES") return null;
    throw error;
  }
}
