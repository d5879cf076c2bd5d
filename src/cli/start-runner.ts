import type { ConfigResult } from "../config/load.ts";
import type { Config } from "../config/schema.ts";

/** For hashing, the store and name lookups, beside the walk. */
const otherThreads = 8;

/**
 * Gives Node a thread for every folder that is listed at the same time (it has 4 by itself). Their number is fixed
 * when the first of them is used: to be called before anything touches the disk or looks up a name. Loading
 * modules does not. A size that the user has set stays.
 */
export function sizeThreadPool({ scan }: Config): void {
  process.env["UV_THREADPOOL_SIZE"] ??= String(scan.walk_concurrency + otherThreads);
}

/** Starts a runner in this process. `readConfig` reads the configuration again, for `reload`. */
export async function startRunner(result: ConfigResult, readConfig: () => ConfigResult) {
  sizeThreadPool(result.config);
  const { startApp } = await import("../app.ts");
  return await startApp({ ...result, readConfig });
}
