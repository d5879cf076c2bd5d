import type { StoreFile, StoreFileOptions } from "../../src/store/documents.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

/** How a document store is opened in a test's folder: an issue is a failure. */
export function opening(
  folder: Tree,
  now: () => Date = () => new Date("2026-01-02T00:00:00.000Z"),
): StoreFileOptions {
  return {
    folder: folder.path,
    now,
    report: (issue) => {
      throw new Error(`unexpected: ${issue.message}`);
    },
    withdraw: () => {},
  };
}

/** A contract's backend on a document store's file in a folder of its own. */
export async function fileBackend<S extends StoreFile>(
  open: (options: StoreFileOptions) => Promise<S>,
): Promise<{ open(now?: () => Date): Promise<S>; close(): Promise<void>; dispose(): Promise<void> }> {
  const folder = await makeTree();
  let store: S | null = null;
  return {
    open: async (now) => {
      store = await open(opening(folder, now));
      return store;
    },
    close: async () => {
      await store?.close();
      store = null;
    },
    dispose: () => folder.dispose(),
  };
}
