import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { walk } from "./walk.ts";
import { createAdaptiveDisk } from "./walk-adaptive-disk.ts";
import { toThreadError, type WalkMessage, type WalkThreadData } from "./walk-messages.ts";

/** The other side of `walkInThread`: walks, and sends batches as long as there is credit for them. */
async function serve(port: MessagePort, { credit, ...options }: WalkThreadData): Promise<void> {
  let left = credit;
  let wake = (): void => {};
  port.on("message", () => {
    left++;
    wake();
  });
  const disk = createAdaptiveDisk(() => performance.now());
  const { signal } = new AbortController();
  for await (const folders of walk({ ...options, signal, disk })) {
    while (left === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    left--;
    port.postMessage({ kind: "folders", folders } satisfies WalkMessage);
  }
}

if (parentPort !== null) {
  const port = parentPort;
  serve(port, workerData)
    .then(
      () => port.postMessage({ kind: "end" } satisfies WalkMessage),
      (error: unknown) =>
        port.postMessage({ kind: "failed", error: toThreadError(error) } satisfies WalkMessage),
    )
    .finally(() => port.close());
}
