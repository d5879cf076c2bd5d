import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";

/** Whether a disk of a few megabytes can be had here: it takes Linux, root and the right to mount. */
export const canMountTmpfs = process.platform === "linux" && process.getuid?.() === 0 && tryMount();

function tryMount(): boolean {
  const dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-mount-"));
  const isMounted = spawnSync("mount", ["-t", "tmpfs", "tmpfs", dir]).status === 0;
  if (isMounted) spawnSync("umount", [dir]);
  rmSync(dir, { recursive: true });
  return isMounted;
}
