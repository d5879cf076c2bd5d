import { hash } from "node:crypto";
import { access, mkdir } from "node:fs/promises";
import path from "node:path";
import { writeDurably } from "./durable.ts";

/** Pictures of books, each once whatever number of books has it. */
export interface CoverStore {
  /** Their folder, absolute. */
  readonly dir: string;
  /** Resolves with its name below the data folder (`covers/<sha-256>.jpg`) when it is durable. */
  put(picture: Uint8Array, extension: string): Promise<string>;
}

export function createCovers(dataDir: string): CoverStore {
  return {
    dir: path.join(dataDir, "covers"),
    put: async (picture, extension) => {
      const name = `covers/${hash("sha256", picture)}.${extension}`;
      const file = path.join(dataDir, name);
      const isThere = await access(file).then(
        () => true,
        () => false,
      );
      if (isThere) return name;
      await mkdir(path.dirname(file), { recursive: true });
      // What is copied from it beside a book has its permissions, and is for players to read.
      await writeDurably(file, picture, 0o644);
      return name;
    },
  };
}
