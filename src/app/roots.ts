import { realpath, stat } from "node:fs/promises";
import path from "node:path";
import type { Root } from "../domain/book.ts";
import { AppError, systemCode } from "../errors.ts";

/** A folder of a root, as operations and scopes name it. */
export interface RootFolder {
  readonly root: Root;
  /** From the root, `/` between segments, `''` for the root itself. */
  readonly path: string;
}

/**
 * Finds the folder that a command names, with links followed: it must lie inside a configured root. A file
 * stands for the folder that it is in. Without a root id there must be one root only; without a path the folder
 * is the root itself, which need not exist.
 *
 * @throws `not_found` for an unknown root or a folder that is not there, `invalid_payload` where a root has to
 * be named, `outside_root` for anything that leads out of it.
 */
export async function resolveFolder(
  roots: readonly Root[],
  rootId: string | undefined,
  asked: string | undefined,
): Promise<RootFolder> {
  const root = chooseRoot(roots, rootId);
  if (asked === undefined || asked === "" || asked === ".") return { root, path: "" };
  if (asked.includes("\0")) {
    throw new AppError("invalid_payload", "The path holds a NUL character, which no file name can");
  }
  const lexical = path.resolve(root.path, asked);
  if (!isInside(root.path, lexical)) throw outsideRoot(root, asked);
  const real = await realFolder(root, lexical, asked);
  const realRoot = await realpath(root.path);
  if (!isInside(realRoot, real)) throw outsideRoot(root, asked);
  return { root, path: path.relative(realRoot, real).split(path.sep).join("/") };
}

/** A scope as the contract spells it: root id, colon, path from the root with a leading slash. */
export function scopeOf({ root, path: folder }: RootFolder): string {
  return `${root.id}:/${folder}`;
}

function chooseRoot(roots: readonly Root[], rootId: string | undefined): Root {
  const known = roots.map((root) => root.id).join(", ");
  if (rootId === undefined) {
    const [only] = roots;
    if (only !== undefined && roots.length === 1) return only;
    throw new AppError("invalid_payload", `A path needs a root beside it: there are ${known || "no roots"}`, {
      details: { key: "root" },
    });
  }
  const root = roots.find((candidate) => candidate.id === rootId);
  if (root !== undefined) return root;
  throw new AppError("not_found", `There is no root "${rootId}": there are ${known || "none"}`, {
    details: { root: rootId },
  });
}

async function realFolder(root: Root, absolute: string, asked: string): Promise<string> {
  try {
    const real = await realpath(absolute);
    return (await stat(real)).isDirectory() ? real : path.dirname(real);
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new AppError("not_found", `There is no folder "${asked}" in root "${root.id}"`, {
        cause: error,
        details: { root: root.id, path: asked },
      });
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError("not_found", `"${asked}" in root "${root.id}" cannot be looked at: ${reason}`, {
      cause: error,
      details: { root: root.id, path: asked },
    });
  }
}

function isInside(rootPath: string, candidate: string): boolean {
  const relative = path.relative(rootPath, candidate);
  return relative !== ".." && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

function outsideRoot(root: Root, asked: string): AppError {
  return new AppError("outside_root", `"${asked}" leads out of root "${root.id}" (${root.path})`, {
    details: { root: root.id, path: asked },
  });
}
