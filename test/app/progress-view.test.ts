import { expect, test } from "vitest";
import { createProgressView } from "../../src/app/progress-view.ts";
import type { ScanProgress, ScanState } from "../../src/domain/scan.ts";

function progress(operationId: string, state: ScanState, filesDone: number): ScanProgress {
  return {
    state,
    operationId,
    rootId: operationId,
    path: "",
    dirsFound: 0,
    dirsDone: 0,
    filesFound: 0,
    filesDone,
    booksFound: 0,
    percent: null,
    etaSeconds: null,
    resumedFrom: null,
    problems: 0,
  };
}

test("shows the scan that began first until it ends, every last value, then the other", () => {
  const shown: string[] = [];
  const view = createProgressView(({ operationId, state, filesDone }: ScanProgress) => {
    shown.push(`${operationId} ${state} ${filesDone}`);
  });
  view(progress("a", "walking", 0));
  view(progress("b", "walking", 0));
  view(progress("b", "reading", 1));
  view(progress("a", "reading", 1));
  view(progress("a", "idle", 2));
  view(progress("b", "reading", 2));
  view(progress("b", "failed", 2));
  expect(shown).toEqual([
    "a walking 0",
    "a reading 1",
    "a idle 2",
    "b reading 1",
    "b reading 2",
    "b failed 2",
  ]);
});

test("shows the last value of one that ends first, and goes on with the other", () => {
  const shown: string[] = [];
  const view = createProgressView(({ operationId, state }: ScanProgress) =>
    shown.push(`${operationId} ${state}`),
  );
  view(progress("a", "walking", 0));
  view(progress("b", "reading", 0));
  view(progress("b", "idle", 1));
  expect(shown).toEqual(["a walking", "b idle", "a walking"]);
});
