import { spawnSync } from "node:child_process";

/** Whether a program can be run here. */
export function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

/** Lists every file and looks at its size, as the walk has to; throws where `find` fails. */
export function findFiles(dir: string): void {
  const { status, stderr } = spawnSync("find", [dir, "-type", "f", "-size", "+0"], {
    // 50,000 paths are more than `spawnSync` takes in.
    stdio: ["ignore", "ignore", "pipe"],
  });
  if (status !== 0) throw new Error(`find failed: ${stderr}`);
}

/** Reads every file once, so that the figures are those of a warm cache. */
export function warmUp(dir: string): void {
  const { status, stderr } = spawnSync("sh", ["-c", 'find "$0" -type f -exec cat {} + > /dev/null', dir]);
  if (status !== 0) throw new Error(`reading ${dir} failed: ${stderr}`);
}
