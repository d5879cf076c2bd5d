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
  const file = path.join(dataDir, "node-id");
  let content: string;
  try {
    content = (await readFile(file, "utf8")).trim();
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    content = randomUUID();
    await writeDurably(file, `${content}\n`);
  }
  if (!uuid.test(content)) throw new AppError("store_damaged", `${file} does not hold a UUID`);
  return content;
}
