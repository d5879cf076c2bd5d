import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeBenchLibrary } from "../../bench/make-library.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";

/** In a user namespace of its own a program may lower the limit for itself. */
const withFewWatches = [
  "unshare",
  "--user",
  "--map-root-user",
  "sh",
  "-c",
  'echo 40 > /proc/sys/user/max_inotify_watches && exec "$@"',
  "sh",
];
const canLimit = spawnSync(withFewWatches[0] ?? "", [...withFewWatches.slice(1), "true"]).status === 0;

let dir: string;
let runner: RunningRunner | null = null;

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-inotify-"));
});
afterEach(async () => {
  await runner?.kill();
  rmSync(dir, { recursive: true });
});

interface Diagnostics {
  readonly checks: readonly { readonly check: string; readonly severity: string; readonly remedy: string }[];
}

test.skipIf(!canLimit)(
  "a library with more folders than the system watches is polled, says so, and a change in it is still seen (needs unshare)",
  async () => {
    const { path: library } = await makeBenchLibrary(dir, 400);
    const args = ["--library", library, "--data", path.join(dir, "data"), "--mqtt-port", "0"];
    runner = await startRunner(args, { wrapper: withFewWatches });
    const { checks } = await runner.state<Diagnostics>("diagnostics", (diagnostics) =>
      diagnostics.checks.some(({ check }) => check.startsWith("root_watched")),
    );
    const check = checks.find((each) => each.check.startsWith("root_watched"));
    expect(check).toMatchObject({ check: `root_watched:${path.basename(library)}`, severity: "warn" });
    expect(check?.remedy).toMatch(/max_user_watches/);

    await runner.state(
      "library",
      ({ last_scan: lastScan }: { last_scan: string | null }) => lastScan !== null,
    );
    const [answer] = await runner.ask("query", { limit: 200 });
    const books: readonly { readonly path: string }[] = answer?.data.items.slice(-2);
    // The first is found by the scan that follows the change to polling, the second by the next look.
    for (const [index, { path: book }] of books.entries()) {
      rmSync(path.join(library, book), { recursive: true });
      await runner.state("library", ({ missing }: { missing: number }) => missing === index + 1, 90_000);
    }
  },
);
