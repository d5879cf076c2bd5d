import { closeSync, openSync, writeSync } from "node:fs";
import path from "node:path";
import { parentPort, workerData } from "node:worker_threads";

/* Creates a file of its own at each destination, at a random moment after it has been told that the other begins. */
const { folder, rounds, shared } = workerData as {
  folder: string;
  rounds: number;
  shared: SharedArrayBuffer;
};
const state = new Int32Array(shared);

for (let round = 0; round < rounds; round++) {
  while (Atomics.load(state, 0) <= round) {
    // Waiting asleep would miss the moment.
  }
  for (let spins = Math.floor(Math.random() * (state[2] ?? 0)); spins > 0; spins--) Atomics.load(state, 0);
  let won = 0;
  try {
    const file = openSync(path.join(folder, String(round)), "wx");
    writeSync(file, "theirs");
    closeSync(file);
    won = 1;
  } catch {
    // It is there already: the other was faster.
  }
  Atomics.store(state, 3, won);
  Atomics.store(state, 1, round + 1);
}
parentPort?.postMessage("done");
