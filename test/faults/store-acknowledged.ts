import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { openStore } from "../../src/store/open.ts";

/** What a writer said that the store promised to keep: operations' attempts, checkpoints' folders, books. */
export interface Acknowledged {
  readonly operations: Map<string, number>;
  readonly checkpoints: Map<string, number>;
  books: number;
}

export function nothingAcknowledged(): Acknowledged {
  return { operations: new Map(), checkpoints: new Map(), books: 0 };
}

interface Writer {
  readonly process: ChildProcess;
  /** Resolves when the process is gone and all that it said was read. */
  readonly ended: Promise<void>;
}

/** Starts `store-writer.ts` on the folder; what it acknowledges is written down. */
export function startWriter(
  dataDir: string,
  acknowledged: Acknowledged,
  environment: NodeJS.ProcessEnv = {},
): Writer {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL("./store-writer.ts", import.meta.url)), dataDir],
    {
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, ...environment },
    },
  );
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    const [kind, key = "", value = "0"] = line.split(" ");
    if (kind === "operation") acknowledged.operations.set(key, Number(value));
    if (kind === "checkpoint") acknowledged.checkpoints.set(key, Number(value));
    if (kind === "books") acknowledged.books = Number(key);
  });
  return {
    process: child,
    ended: Promise.all([once(child, "exit"), once(lines, "close")]).then(() => undefined),
  };
}

/** Waits until the writer acknowledged this many more operations, or is gone. */
export async function acknowledgedMore(
  acknowledged: Acknowledged,
  count: number,
  writer: Writer,
): Promise<void> {
  const wanted = acknowledged.operations.size + count;
  while (acknowledged.operations.size < wanted && writer.process.exitCode === null) await delay(1);
}

/** What of it the store in the folder does not have; empty where the promise was kept. */
export async function lostFrom(dataDir: string, acknowledged: Acknowledged): Promise<readonly string[]> {
  const store = await openStore({ dataDir, now: () => new Date() });
  const lost: string[] = [];
  try {
    expect(store.issues.filter(({ severity }) => severity === "fatal")).toEqual([]);
    for (const [id, attempts] of acknowledged.operations) {
      if ((store.operations.get(id)?.attempts ?? -1) < attempts) lost.push(`operation ${id} ${attempts}`);
    }
    for (const [id, folders] of acknowledged.checkpoints) {
      const loaded = store.checkpoints.load(id);
      const problems = Math.min(folders, 100);
      if ((loaded?.checkpoint.counts.dirs ?? 0) < folders) lost.push(`checkpoint ${id} ${folders}`);
      if ((loaded?.problems.length ?? 0) < problems) lost.push(`problems ${id} ${problems}`);
    }
    if (store.catalogue.totals().books < acknowledged.books) lost.push(`books ${acknowledged.books}`);
    expect((await store.check()).map(({ message }) => message)).toEqual([]);
  } finally {
    await store.close();
  }
  return lost;
}
