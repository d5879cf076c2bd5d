import type { Root } from "../domain/book.ts";
import type { Catalogue } from "../store/ports.ts";

/** Which roots can be read at the moment. An offline root's books are offline, never missing. */
export interface RootStates {
  isOnline(rootId: string): boolean;
  /** Records what was found, and tells whoever listens where it changed. */
  set(rootId: string, isOnline: boolean): void;
  /** Looks whether roots that are offline are back. */
  look(): Promise<void>;
}

interface RootStatesOptions {
  readonly roots: readonly Root[];
  readonly catalogue: Pick<Catalogue, "setRootOnline">;
  /** Whether a root can be listed and does not look like an unmounted disk. Never rejects or hangs. */
  readonly isThere: (root: Root) => Promise<boolean>;
  readonly onChange: (root: Root, isOnline: boolean) => void;
}

export function createRootStates({ roots, catalogue, isThere, onChange }: RootStatesOptions): RootStates {
  const offline = new Set<string>();

  function set(rootId: string, isOnline: boolean): void {
    const root = roots.find((candidate) => candidate.id === rootId);
    if (root === undefined || isOnline === !offline.has(rootId)) return;
    if (isOnline) offline.delete(rootId);
    else offline.add(rootId);
    catalogue.setRootOnline(rootId, isOnline);
    onChange(root, isOnline);
  }

  return {
    isOnline: (rootId) => !offline.has(rootId),
    set,
    look: async () => {
      const away = roots.filter((root) => offline.has(root.id));
      await Promise.all(
        away.map(async (root) => {
          if (await isThere(root)) set(root.id, true);
        }),
      );
    },
  };
}
