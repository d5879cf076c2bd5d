import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeBenchLibrary } from "../../bench/make-library.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";

/*
 * A scan in 256 MB, as on a small machine with other programs: the kernel kills whoever takes more. MEMORY_SCAN_FILES
 * makes the library another size.
 */

const limitBytes = 256 * 1024 * 1024;
const files = Number(process.env["MEMORY_SCAN_FILES"] ?? 50_000);

/** The group that bounds this process and those it starts; null where there are no such groups, or no right to them. */
const group = makeGroup();

let dir: string;
let runner: RunningRunner | null = null;

beforeAll(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-memory-"));
});
afterAll(async () => {
  await runner?.kill();
  if (group !== null) rmdirSync(group.path);
  rmSync(dir, { recursive: true, force: true });
});

function makeGroup(): { readonly path: string; readonly peak: string; readonly kills: () => number } | null {
  const name = `tomekeeper-${process.pid}`;
  try {
    const first = `/sys/fs/cgroup/memory/${name}`;
    if (existsSync("/sys/fs/cgroup/memory")) {
      mkdirSync(first);
      writeFileSync(`${first}/memory.limit_in_bytes`, String(limitBytes));
      return {
        path: first,
        peak: `${first}/memory.max_usage_in_bytes`,
        kills: () => killsIn(`${first}/memory.oom_control`),
      };
    }
    const second = `/sys/fs/cgroup/${name}`;
    mkdirSync(second);
    writeFileSync(`${second}/memory.max`, String(limitBytes));
    return { path: second, peak: `${second}/memory.peak`, kills: () => killsIn(`${second}/memory.events`) };
  } catch {
    return null;
  }
}

function killsIn(file: string): number {
  return Number(/^oom_kill (\d+)/m.exec(readFileSync(file, "utf8"))?.[1] ?? 0);
}

interface Memory {
  readonly level: string;
  readonly limit_bytes: number;
  readonly actions: number;
}

test.skipIf(group === null)(
  "a large library is scanned within 256 MB, and the pressure is seen and answered",
  async () => {
    const { path: library } = await makeBenchLibrary(dir, files);
    const inGroup =
      group === null ? "" : `--import=data:text/javascript,${encodeURIComponent(joinGroup(group.path))}`;
    runner = await startRunner(["--library", library, "--data", path.join(dir, "data"), "--mqtt-port", "0"], {
      env: { TOMEKEEPER_SCAN__ON_STARTUP: "false", NODE_OPTIONS: inGroup },
    });
    expect(await runner.state<Memory>("memory")).toMatchObject({ limit_bytes: limitBytes });
    runner.publish("scan", {});
    await runner.state(
      "queue",
      (queue: { counts: { completed: number } }) => queue.counts.completed === 1,
      240_000,
    );
    const [answer] = await runner.ask("operations", { limit: 1 });
    expect(answer?.data.items[0].summary).toMatchObject({ files, problem_count: 0 });
    const levels = runner.messages
      .filter(({ topic }) => topic.endsWith("/memory"))
      .map(({ payload }): Memory => JSON.parse(payload));
    const { seconds } = answer?.data.items[0].summary ?? {};
    console.log(
      `${files} files in ${seconds} s, peak ${readFileSync(group?.peak ?? "", "utf8").trim()} bytes with caches, ` +
        `levels ${[...new Set(levels.map(({ level }) => level))]}, ${levels.at(-1)?.actions} actions`,
    );
    expect(levels.some(({ level }) => level !== "normal")).toBe(true);
    expect(levels.at(-1)?.actions).toBeGreaterThan(0);
    expect(group?.kills()).toBe(0);
  },
);

/** Run before anything else in the process that it bounds. */
function joinGroup(folder: string): string {
  return `import { writeFileSync } from "node:fs"; try { writeFileSync(${JSON.stringify(`${folder}/cgroup.procs`)}, String(process.pid)); } catch {}`;
}
