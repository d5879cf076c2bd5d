import { enableCompileCache } from "node:module";
import path from "node:path";
import { setFlagsFromString } from "node:v8";

/*
 * Makes the process small and quick to start; to be imported before anything else.
 *
 * The heap: a young generation of 2 MB that stays so (as it is, V8 takes 1 to 16 MB; the smallest costs half of the
 * speed in collections, the largest 48 MB a thread), collected by the thread itself, since helpers only get in
 * each other's way on two cores; and an old generation that is collected when it has grown by 60 %. A scan of
 * 50,000 files then peaks at 290 MB instead of 440, and takes 7.5 s instead of 9 (2 cores).
 *
 * The compile cache keeps compiled modules, types stripped, beside the dependencies: a start from the checkout
 * takes 0.6 s instead of 1.8. Where that folder cannot be written there is none, and nothing else changes.
 *
 * The allocator: glibc gives threads arenas of their own, and what the many short threads of scans have freed stays in
 * them. It takes the number of arenas from the environment as the process begins, so a runner begins a second time, in
 * place (an empty start of Node: 21 ms). After 300 scans of 400 files it held 258 MB instead of 364, and 159 instead of 264
 * when idle (one run each).
 */
if (
  process.platform === "linux" &&
  process.argv[2] === "run" &&
  process.env["MALLOC_ARENA_MAX"] === undefined
) {
  process.execve?.(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    ...process.env,
    MALLOC_ARENA_MAX: "2",
  });
}
for (const flag of [
  "--semi-space-growth-factor=1",
  "--min-semi-space-size=2",
  "--no-parallel-scavenge",
  "--heap-growing-percent=60",
]) {
  setFlagsFromString(flag);
}
enableCompileCache(path.join(import.meta.dirname, "..", "node_modules", ".cache", "tomekeeper"));
