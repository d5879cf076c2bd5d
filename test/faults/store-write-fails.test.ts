import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openStore } from "../../src/store/open.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

const hasStrace = spawnSync("strace", ["-e", "trace=none", "true"]).status === 0;

let folder: Tree;

beforeEach(async () => {
  folder = await makeTree();
  await (await openStore({ dataDir: folder.path, now: () => new Date() })).close();
});

afterEach(() => folder.dispose());

/** What `store-put-again.ts` says where calls of the system on the file of the operations fail. */
function putAgain(...injections: readonly string[]): unknown {
  const calls = injections.map((injection) => injection.split(":", 1)[0]);
  const program = fileURLToPath(new URL("./store-put-again.ts", import.meta.url));
  const strace = [
    ...["-f", "-qq", "-o", "/dev/null", "-P", folder.at("operations.db")],
    ...["-e", `trace=${calls.join(",")}`],
    ...injections.flatMap((injection) => ["-e", `inject=${injection}`]),
  ];
  // Calls are counted per thread.
  const env = { ...process.env, UV_THREADPOOL_SIZE: "1" };
  const node = [process.execPath, program, folder.path];
  return JSON.parse(execFileSync("strace", [...strace, ...node], { encoding: "utf8", env }));
}

describe.skipIf(!hasStrace)("a store on a disk that fails once (needs strace)", () => {
  test("goes on after a write that found no space", () => {
    for (const error of ["ENOSPC", "EDQUOT"]) {
      const outcome = putAgain(`write:error=${error}:when=4`);
      expect(outcome).toEqual({ first: "refused for now", again: "taken", issues: [] });
    }
  });

  test("writes nothing after a write that failed otherwise", () => {
    const outcome = putAgain("write:error=EIO:when=4");
    expect(outcome).toEqual({ first: "refused", again: "refused", issues: ["read_only"] });
  });

  test("writes nothing after a failed sync, whatever the sync says: it is not tried again", () => {
    for (const error of ["EIO", "ENOSPC", "EDQUOT"]) {
      const outcome = putAgain(`fdatasync:error=${error}:when=4`);
      expect(outcome).toEqual({ first: "refused", again: "refused", issues: ["read_only"] });
    }
  });

  test("writes nothing where what it could not write cannot be cut off", () => {
    const outcome = putAgain("write:error=ENOSPC:when=4", "ftruncate:error=EIO");
    expect(outcome).toEqual({ first: "refused", again: "refused", issues: ["read_only"] });
  });
});
