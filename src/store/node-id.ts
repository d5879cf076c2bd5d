import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { AppError, systemCode } from "../errors.ts";
import { writeDurably } from "./durable.ts";

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The UUID of this installation, made at the first start and kept in `node-id`. Hubs know the device by it, so a
 * file that holds something else throws `store_damaged` and is not replaced.
 */
export async function readNodeId(dataDir: string): Promise<string> {
  const known = await findNodeId(dataDir);
  if (known !== null) return known;
  const made = randomUUID();
  await writeDurably(fileIn(dataDir), `${made}\n`);
  return made;
}

/** The one that is kept; null where there is none. Throws `store_damaged`. */
export async function findNodeId(dataDir: string): Promise<string | null> {
  const file = fileIn(dataDir);
  try {
    const content = (await readFile(file, "utf8")).trim();
    if (!uuid.test(content)) throw new AppError("store_damaged", `${file} does not hold a UUID`);
    return content;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return null;
    throw error;
  }
}

function fileIn(dataDir: string): string {
  return path.join(dataDir, "node-id");
}
