import fs from "node:fs/promises";
import { rootUnavailable } from "./walk-problems.ts";

/** A root as a scan found it, to be held against what it is later. */
export interface RootGuard {
  /** True where there is no entry at all in it: what an empty mount point looks like. */
  readonly isEmpty: boolean;
  /**
   * Throws `root_unavailable` unless the root is still the same folder: a disk that was unmounted must not look
   * like one whose books were deleted. One stat.
   */
  check(): Promise<void>;
  /** The same, and that it can be listed and has not become empty. */
  checkAtEnd(): Promise<void>;
}

/** Throws `root_unavailable` where the root is not there or cannot be listed. */
export async function createRootGuard(rootPath: string): Promise<RootGuard> {
  const first = await identify(rootPath);
  const wasEmpty = await isEmpty(rootPath);

  async function check(): Promise<void> {
    const now = await identify(rootPath);
    if (now.dev === first.dev && now.ino === first.ino) return;
    throw rootUnavailable(rootPath, "is another folder now than when the scan began");
  }

  return {
    isEmpty: wasEmpty,
    check,
    async checkAtEnd() {
      await check();
      if ((await isEmpty(rootPath)) && !wasEmpty)
        throw rootUnavailable(rootPath, "became empty during the scan");
    },
  };
}

async function identify(rootPath: string): Promise<{ readonly dev: bigint; readonly ino: bigint }> {
  return fs.stat(rootPath, { bigint: true }).catch((error: unknown) => {
    throw rootUnavailable(rootPath, "cannot be found", error);
  });
}

async function isEmpty(rootPath: string): Promise<boolean> {
  const names = await fs.readdir(rootPath).catch((error: unknown) => {
    throw rootUnavailable(rootPath, "cannot be listed", error);
  });
  return names.length === 0;
}
