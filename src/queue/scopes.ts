import { AppError } from "../errors.ts";

/**
 * The folder of a scope and all folders above it, the root first: `books:/A/B` gives `books:/`, `books:/A`,
 * `books:/A/B`. Throws `invalid_payload` where it does not read `root:/path`.
 */
function prefixesOf(scope: string): readonly string[] {
  const colon = scope.indexOf(":/");
  if (colon <= 0) throw new AppError("invalid_payload", `"${scope}" is not a scope: it reads root:/path`);
  const prefixes = [scope.slice(0, colon + 2)];
  let prefix = scope.slice(0, colon + 1);
  for (const segment of scope.slice(colon + 2).split("/")) {
    if (segment === "") continue;
    prefix += `/${segment}`;
    prefixes.push(prefix);
  }
  return prefixes;
}

/** The root of the first scope: the one whose turn it is to have work done. */
export function rootOfScopes(scopes: readonly string[]): string {
  const [first = ""] = scopes;
  return first.slice(0, Math.max(0, first.indexOf(":/")));
}

export interface ScopeHolder {
  readonly scopes: readonly string[];
  /** Those of `scopes` that it only reads. */
  readonly reads: readonly string[];
}

type Access = "read" | "write";

interface Folder<Holder> {
  /** Whose scope is this very folder. */
  readonly here: Readonly<Record<Access, Set<Holder>>>;
  /** Whose scope is this folder or one below it. */
  readonly within: Readonly<Record<Access, Set<Holder>>>;
}

/**
 * Who has which folders, asked without looking at everybody: two scopes overlap where one is the other or lies
 * below it, and are in each other's way unless both only read.
 */
export class ScopeIndex<Holder extends ScopeHolder> {
  readonly #folders = new Map<string, Folder<Holder>>();

  /** Throws `invalid_payload` for a malformed scope, and then holds nothing of it. */
  add(holder: Holder): void {
    const scopes = holder.scopes.map((scope) => [accessOf(holder, scope), prefixesOf(scope)] as const);
    for (const [access, prefixes] of scopes) {
      for (const prefix of prefixes) this.#folder(prefix).within[access].add(holder);
      this.#folder(prefixes.at(-1) ?? "").here[access].add(holder);
    }
  }

  remove(holder: Holder): void {
    for (const prefix of holder.scopes.flatMap(prefixesOf)) {
      const folder = this.#folders.get(prefix);
      if (folder === undefined) continue;
      for (const access of ["read", "write"] as const) {
        folder.here[access].delete(holder);
        folder.within[access].delete(holder);
      }
      if (folder.within.read.size + folder.within.write.size === 0) this.#folders.delete(prefix);
    }
  }

  /**
   * Everybody with a folder that is in the way of one of these; somebody with several may come more than once. Sets as
   * they stand, valid until the next `add` or `remove`: thousands may wait for one folder.
   */
  inTheWayOf(holder: ScopeHolder): readonly ReadonlySet<Holder>[] {
    const sets: ReadonlySet<Holder>[] = [];
    for (const scope of holder.scopes) {
      const prefixes = prefixesOf(scope);
      const own = prefixes.at(-1);
      for (const prefix of prefixes) {
        const folder = this.#folders.get(prefix);
        if (folder === undefined) continue;
        const { read, write } = prefix === own ? folder.within : folder.here;
        sets.push(write);
        if (accessOf(holder, scope) === "write") sets.push(read);
      }
    }
    return sets;
  }

  /** Everybody whose folders contain all of these. */
  *covering(scopes: readonly string[]): Generator<Holder> {
    const [first, ...others] = scopes.map(prefixesOf);
    for (const prefix of first ?? []) {
      for (const holder of this.#here(prefix)) {
        const coversAll = others.every((prefixes) =>
          prefixes.some((above) => this.#here(above).includes(holder)),
        );
        if (coversAll) yield holder;
      }
    }
  }

  #here(prefix: string): readonly Holder[] {
    const folder = this.#folders.get(prefix);
    return folder === undefined ? [] : [...folder.here.write, ...folder.here.read];
  }

  #folder(prefix: string): Folder<Holder> {
    const known = this.#folders.get(prefix);
    if (known !== undefined) return known;
    const folder = {
      here: { read: new Set<Holder>(), write: new Set<Holder>() },
      within: { read: new Set<Holder>(), write: new Set<Holder>() },
    };
    this.#folders.set(prefix, folder);
    return folder;
  }
}

function accessOf({ reads }: ScopeHolder, scope: string): Access {
  return reads.includes(scope) ? "read" : "write";
}

/** Whether the first of these folders contain all of the others. */
export function coversScopes(scopes: readonly string[], others: readonly string[]): boolean {
  const folders = new Set(scopes.map((scope) => prefixesOf(scope).at(-1)));
  return others.every((other) => prefixesOf(other).some((above) => folders.has(above)));
}
