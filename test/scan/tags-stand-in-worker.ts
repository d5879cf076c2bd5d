import { basename } from "node:path";
import type { TagBatch, TagBatchAnswer } from "../../src/scan/tags-batch.ts";
import { readNothing } from "./tags-stand-in.ts";

/** Does what a file's name says, as damaged files and slow disks would: for tests of who watches the workers. */
export default function readBatch({ paths, progress }: TagBatch): TagBatchAnswer {
  const outcomes: TagBatchAnswer[number][] = [];
  for (const [i, path] of paths.entries()) {
    Atomics.store(progress, 0, i + 1);
    const name = basename(path);
    if (name.startsWith("hang")) for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
    if (name.startsWith("exit")) process.exit(3);
    if (name.startsWith("memory")) fillMemory();
    if (name.startsWith("slow")) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60);
    if (name.startsWith("lost")) {
      outcomes.push({ lost: true, code: "EIO", path });
      break;
    }
    outcomes.push({ ok: true, reading: readNothing(name) });
  }
  Atomics.store(progress, 0, -1);
  return outcomes;
}

function fillMemory(): void {
  const kept: number[][] = [];
  for (;;) kept.push(new Array(100_000).fill(1.5).map((value, i) => value * i));
}
