import { readFileSync } from "node:fs";
import os from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGigabytes: number;
  readonly node: string;
  readonly system: string;
  readonly fileSystem: string;
  /** Of the last minute, at the start: above 0.5 somebody else is at work, and the figures suffer. */
  readonly load: number;
}

/** What the figures were measured on; `dir` lies on the disk that was used. */
export function describeMachine(dir: string): Machine {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cores: os.availableParallelism(),
    memoryGigabytes: Math.round(os.totalmem() / 1e9),
    node: process.version,
    system: `${os.type()} ${os.release()}`,
    fileSystem: fileSystemOf(dir),
    load: Math.round((os.loadavg()[0] ?? 0) * 100) / 100,
  };
}

/** The type of the mount that is nearest above `dir`. */
function fileSystemOf(dir: string): string {
  let best = { mount: "", type: "unknown" };
  for (const line of readFileSync("/proc/self/mounts", "utf8").split("\n")) {
    const [, mount = "", type = ""] = line.split(" ");
    const isAbove = mount === "/" || dir === mount || dir.startsWith(`${mount}/`);
    if (isAbove && mount.length >= best.mount.length) best = { mount, type };
  }
  return best.type;
}
