import { readFile } from "node:fs/promises";
import { type Finding, fine, found } from "./check.ts";

/** Before this no release existed: a clock that shows less was never set. */
const firstReleaseYear = 2026;
/** Clocks of different machines, and one that was just corrected, differ by this much without harm. */
const clockToleranceMs = 5 * 60_000;

/** `newestStoredAt` (RFC 3339) is the latest time that the runner itself has recorded. */
export function checkClock(now: Date, newestStoredAt: string | null): Finding {
  const remedy = "set the clock, for instance by NTP: times of books and operations would be wrong";
  if (now.getUTCFullYear() < firstReleaseYear) {
    return found("warn", `the clock shows ${now.toISOString()}, before this program existed`, remedy);
  }
  if (newestStoredAt !== null && now.getTime() < Date.parse(newestStoredAt) - clockToleranceMs) {
    return found(
      "warn",
      `the clock shows ${now.toISOString()}, before the last record (${newestStoredAt})`,
      remedy,
    );
  }
  return fine(`the clock shows ${now.toISOString()}`);
}

const oldestNode = { major: 22, minor: 22 };

export function checkRuntime(nodeVersion: string): Finding {
  const [major = 0, minor = 0] = nodeVersion.split(".").map(Number);
  const isNew = major > oldestNode.major || (major === oldestNode.major && minor >= oldestNode.minor);
  if (isNew) return fine(`Node ${nodeVersion}`);
  const wanted = `${oldestNode.major}.${oldestNode.minor}`;
  return found("fatal", `Node ${nodeVersion} is older than ${wanted}`, `install Node ${wanted} or later`);
}

/** Part of the limit that is left for everything else the user runs. */
const shareForUs = 0.8;

/** Watching takes one inotify watch per folder; `limitFile` holds how many a user may have. */
export async function checkInotify(watchedFolders: number, limitFile: string): Promise<Finding> {
  let limit: number;
  try {
    limit = Number.parseInt(await readFile(limitFile, "utf8"), 10);
  } catch {
    return fine("this system has no inotify limit");
  }
  if (!Number.isFinite(limit) || watchedFolders <= limit * shareForUs) {
    return fine(`${watchedFolders} folders to watch, ${limit} inotify watches allowed`);
  }
  const enough = 2 ** Math.ceil(Math.log2(watchedFolders / shareForUs));
  return found(
    "warn",
    `${watchedFolders} folders to watch need more than the ${limit} inotify watches allowed: some changes will be noticed late`,
    `as root: echo fs.inotify.max_user_watches=${enough} > /etc/sysctl.d/60-tomekeeper.conf && sysctl --system`,
  );
}
