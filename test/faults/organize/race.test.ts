import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { lstat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { AppError } from "../../../src/errors.ts";
import { factsOf } from "../../../src/files/facts.ts";
import { placeFile } from "../../../src/files/place.ts";

const rounds = 10_000;

test.each(["copy", "hardlink", "symlink"] as const)(
  "a file that a user puts at the destination survives 10,000 races against %s",
  async (method) => {
    const dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-race-"));
    try {
      const folder = path.join(dir, "library");
      mkdirSync(folder);
      const source = path.join(dir, "source");
      writeFileSync(source, "ours");
      const facts = factsOf(await lstat(source, { bigint: true }));
      // 0: the round that has begun, 1: rounds that the other has ended, 2: how long it may dawdle, 3: whether it won
      const state = new Int32Array(new SharedArrayBuffer(16));
      const worker = new Worker(path.join(import.meta.dirname, "race-creator.ts"), {
        workerData: { folder, rounds, shared: state.buffer },
      });
      let [ours, theirs] = [0, 0];
      for (let round = 0; round < rounds; round++) {
        const destination = path.join(folder, String(round));
        Atomics.store(state, 0, round + 1);
        const temporaryName = `.tomekeeper-${round}.part`;
        const { signal } = new AbortController();
        const placing = { source, facts, sha256: null, destination, temporaryName, method, signal };
        const isPlaced = await placeFile({ ...placing, onBytes: () => {}, onMade: async () => {} }).then(
          () => true,
          (error: unknown) => {
            expect(error).toBeInstanceOf(AppError);
            expect(error).toMatchObject({ code: "conflict", details: { code: "destination_taken" } });
            return false;
          },
        );
        while (Atomics.load(state, 1) <= round) {
          // The other is at its last call.
        }
        const isTheirs = Atomics.load(state, 3) === 1;
        expect(isPlaced).toBe(!isTheirs);
        expect(readFileSync(destination, "utf8")).toBe(isTheirs ? "theirs" : "ours");
        if (isTheirs) theirs++;
        else ours++;
        // Who wins every time does not race: the dawdling is fitted so that each wins about as often.
        state[2] = Math.max(1, Math.round((state[2] ?? 1) * (isTheirs ? 1.02 : 0.98)) + (isTheirs ? 1 : 0));
      }
      await new Promise((resolve) => worker.once("exit", resolve));
      console.log(`${method}: ${ours} ours, ${theirs} theirs`);
      expect(Math.min(ours, theirs)).toBeGreaterThan(rounds / 50);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
);
