import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { openSource } from "./facts.ts";

interface HashOptions {
  readonly signal: AbortSignal;
  /** Told of every block. */
  readonly onBytes?: (bytes: number) => void;
}

/** Two blocks of 1 MiB, one being read while the other is hashed: 1.6 GB/s where a read stream makes 1.0. */
const maxBlockBytes = 1024 * 1024;
const minBlockBytes = 4096;

/** SHA-256 of the whole file, hex. Throws the signal's reason between two blocks. */
export async function hashFile(handle: FileHandle, { signal, onBytes }: HashOptions): Promise<string> {
  const hash = createHash("sha256");
  // Small files get small blocks: 2 MiB for each made the collector take more time than all else of a batch of links.
  const blockBytes = Math.min(maxBlockBytes, Math.max(minBlockBytes, (await handle.stat()).size));
  let [filling, full] = [Buffer.allocUnsafe(blockBytes), Buffer.allocUnsafe(blockBytes)];
  let position = 0;
  let reading = handle.read(filling, 0, blockBytes, position);
  for (;;) {
    const { bytesRead } = await reading;
    if (bytesRead === 0) return hash.digest("hex");
    signal.throwIfAborted();
    [filling, full] = [full, filling];
    position += bytesRead;
    reading = handle.read(filling, 0, blockBytes, position);
    // Its failure is met by the next turn's await; an abort must not leave it unheard.
    reading.catch(() => {});
    hash.update(full.subarray(0, bytesRead));
    onBytes?.(bytesRead);
  }
}

/** The same by its path. */
export async function hashPath(absolute: string, options: HashOptions): Promise<string> {
  const { handle } = await openSource(absolute);
  try {
    return await hashFile(handle, options);
  } finally {
    await handle.close();
  }
}
