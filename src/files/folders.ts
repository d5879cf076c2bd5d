import { lstat, mkdir, realpath } from "node:fs/promises";
import path from "node:path";
import type { FileIdentity } from "../domain/organize.ts";
import { AppError, systemCode } from "../errors.ts";
import { diskError } from "./disk-error.ts";
import { factsOf, lookAt } from "./facts.ts";

interface MakingFolders {
  /** Runs one after the other what is given for the same folder, an absolute path. */
  readonly inTurn: (absolute: string, work: () => Promise<void>) => Promise<void>;
  readonly syncFolder: (absolute: string) => Promise<void>;
  /** `folder` (from the root) was not there and is about to be made. */
  readonly onIntent: (folder: string) => Promise<void>;
  /** It was made by us, and not by somebody faster. */
  readonly onMade: (folder: string, identity: FileIdentity) => Promise<void>;
}

/**
 * Makes the missing folders of a path below a root, each durable before the one in it, with the permissions of its
 * parent. Calls at the same time make a folder once, and wait for each other only where they need the same one. Throws `conflict` where a file is in the way or a link leads out of the root.
 */
export async function makeFolders(rootPath: string, folder: string, making: MakingFolders): Promise<void> {
  let at = "";
  for (const name of folder.split("/").filter((part) => part !== "")) {
    at = at === "" ? name : `${at}/${name}`;
    const absolute = path.join(rootPath, at);
    const folder = at;
    await making.inTurn(absolute, async () => {
      const there = await lookAt(absolute);
      if (there === null) await makeFolder(absolute, folder, making);
      else if (there.kind === "symlink") await refuseOutside(rootPath, absolute);
      else if (there.kind !== "folder") throw inTheWay(absolute);
    });
  }
}

async function makeFolder(
  absolute: string,
  at: string,
  { onIntent, onMade, syncFolder }: MakingFolders,
): Promise<void> {
  await onIntent(at);
  const parent = path.dirname(absolute);
  try {
    const { mode } = await lstat(parent);
    await mkdir(absolute, { mode: mode & 0o7777 });
    const made = factsOf(await lstat(absolute, { bigint: true }));
    await onMade(at, made.identity);
    await syncFolder(parent);
  } catch (error) {
    // Somebody else was faster: it is theirs.
    if (systemCode(error) === "EEXIST") return;
    throw diskError(error, "made", absolute);
  }
}

async function refuseOutside(rootPath: string, absolute: string): Promise<void> {
  try {
    const [root, real] = await Promise.all([realpath(rootPath), realpath(absolute)]);
    if (real === root || real.startsWith(root.endsWith(path.sep) ? root : `${root}${path.sep}`)) return;
  } catch (error) {
    throw diskError(error, "followed", absolute);
  }
  throw new AppError(
    "outside_root",
    `${absolute} is a link that leads out of ${rootPath}: nothing is placed there`,
    {
      details: { path: absolute, code: "outside_root" },
    },
  );
}

function inTheWay(absolute: string): AppError {
  return new AppError("conflict", `${absolute} is a file where a folder is needed: move it away`, {
    details: { path: absolute, code: "destination_taken" },
  });
}
