import { realpath, statfs } from "node:fs/promises";
import path from "node:path";
import type { Root } from "../domain/book.ts";
import { type ConflictCode, type Move, placeText, type RootPath, type Strategy } from "../domain/organize.ts";
import { isAbsent, lookAt } from "../files/facts.ts";

/** What is wrong with one move, seen on the disk; null where nothing is. */
interface Objection {
  readonly code: ConflictCode;
  readonly path: RootPath;
  readonly with: string | null;
  readonly message: string;
}

/** What the disk says about one move. */
export interface Look {
  readonly objection: Objection | null;
  /** Bytes that will be written, by the number of the file system they go to. */
  readonly writes: { readonly dev: string; readonly bytes: number; readonly folder: string } | null;
}

/** PATH_MAX of Linux with its closing NUL: no call takes a longer path. */
const maxPathBytes = 4095;

/** Looks at the disk for a plan; remembers what it saw of folders, which many files share. */
export class Survey {
  readonly #roots: readonly Root[];
  readonly #ancestors = new Map<string, Promise<Ancestor>>();

  constructor(roots: readonly Root[]) {
    this.#roots = roots;
  }

  async look(move: Move, strategy: Strategy): Promise<Look> {
    const source = this.#absolute(move.from);
    const destination = this.#absolute(move.to);
    const objection = (
      code: ConflictCode,
      at: RootPath,
      message: string,
      other: string | null = null,
    ): Look => ({
      objection: { code, path: at, with: other, message },
      writes: null,
    });
    if (Buffer.byteLength(destination) > maxPathBytes) {
      return objection(
        "path_too_long",
        move.to,
        `${destination} is longer than ${maxPathBytes} bytes: shorten organize.pattern`,
      );
    }
    const from = await lookAt(source);
    if (from === null) {
      return objection("source_missing", move.from, `${source} is not there: scan its folder again`);
    }
    if (from.kind !== "file" || from.facts.sizeBytes !== move.sizeBytes) {
      return objection(
        "source_changed",
        move.from,
        `${source} is not what was scanned: scan its folder again`,
      );
    }
    if (move.removesSource) {
      const { path: rootPath } = this.#root(move.from);
      const above = await this.#ancestor(path.dirname(source), rootPath);
      if (above.kind === "outside") {
        return objection(
          "outside_root",
          move.from,
          `${above.path} is a link that leads out of ${rootPath}: nothing is removed there; copy it instead`,
          above.path,
        );
      }
    }
    const ancestor = await this.#ancestor(path.dirname(destination), this.#root(move.to).path);
    if (ancestor.kind === "outside") {
      return objection(
        "outside_root",
        move.to,
        `${ancestor.path} is a link that leads out of ${this.#root(move.to).path}`,
        ancestor.path,
      );
    }
    if (ancestor.kind === "file") {
      return objection(
        "destination_taken",
        move.to,
        `${ancestor.path} is a file where a folder is needed: move it away`,
        ancestor.path,
      );
    }
    const there = ancestor.isParent ? await lookAt(destination) : null;
    if (there !== null) {
      return objection(
        "destination_taken",
        move.to,
        `something lies at ${destination} already: move it away, or change organize.pattern`,
        placeText(move.to),
      );
    }
    const { dev } = from.facts.identity;
    const isSame = dev === ancestor.dev;
    if (!isSame && (strategy === "hardlink" || strategy === "reflink")) {
      return objection(
        "cross_device",
        move.to,
        `${source} and ${destination} are on different file systems, which a ${strategy} cannot join: use auto, copy or move`,
      );
    }
    const isWritten = strategy === "copy" || (!isSame && strategy !== "symlink");
    const writes = isWritten ? { dev: ancestor.dev, bytes: move.sizeBytes, folder: ancestor.path } : null;
    return { objection: null, writes };
  }

  #absolute(place: RootPath): string {
    return path.join(this.#root(place).path, place.path);
  }

  #root({ rootId }: RootPath): Root {
    const root = this.#roots.find(({ id }) => id === rootId);
    if (root === undefined) throw new Error(`no root ${rootId}`);
    return root;
  }

  #ancestor(folder: string, rootPath: string): Promise<Ancestor> {
    const known = this.#ancestors.get(folder);
    if (known !== undefined) return known;
    const found = this.#findAncestor(folder, rootPath);
    this.#ancestors.set(folder, found);
    return found;
  }

  /** The folder, or the nearest one above that is there. */
  async #findAncestor(folder: string, rootPath: string): Promise<Ancestor> {
    const there = await lookAt(folder);
    if (there === null) {
      const above = await this.#ancestor(path.dirname(folder), rootPath);
      return above.kind === "folder" ? { ...above, isParent: false } : above;
    }
    if (there.kind === "file" || there.kind === "other") return { kind: "file", path: folder };
    // Any folder on the way may be a link.
    const real = await realFolder(folder);
    if (real === null || !isInside((await realFolder(rootPath)) ?? rootPath, real)) {
      return { kind: "outside", path: folder };
    }
    if (there.kind === "symlink") return await this.#findAncestor(real, rootPath);
    return { kind: "folder", path: folder, dev: there.facts.identity.dev, isParent: true };
  }
}

type Ancestor =
  | { readonly kind: "folder"; readonly path: string; readonly dev: string; readonly isParent: boolean }
  | { readonly kind: "outside"; readonly path: string }
  | { readonly kind: "file"; readonly path: string };

/** Bytes that this process may still write where the folder is. */
export async function freeBytesAt(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** The folder with links followed; null where one leads nowhere. */
async function realFolder(folder: string): Promise<string | null> {
  try {
    return await realpath(folder);
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}

function isInside(rootPath: string, candidate: string): boolean {
  const relative = path.relative(rootPath, candidate);
  return relative !== ".." && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}
