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

interface Folder<Holder> {
  /** Whose scope is this very folder. */
  readonly here: Set<Holder>;
  /** Whose scope is this folder or one below it. */
  readonly within: Set<Holder>;
}

/**
 * Who has which folders, asked without looking at everybody: two scopes overlap where one is the other or lies
 * below it.
 */
export class ScopeIndex<Holder extends { readonly scopes: readonly string[] }> {
  readonly #folders = new Map<string, Folder<Holder>>();

  /** Throws `invalid_payload` for a malformed scope, and then holds nothing of it. */
  add(holder: Holder): void {
    for (const prefixes of holder.scopes.map(prefixesOf)) {
      for (const prefix of prefixes) this.#folder(prefix).within.add(holder);
      this.#folder(prefixes.at(-1) ?? "").here.add(holder);
    }
  }

  remove(holder: Holder): void {
    for (const prefix of holder.scopes.flatMap(prefixesOf)) {
      const folder = this.#folders.get(prefix);
      folder?.here.delete(holder);
      folder?.within.delete(holder);
      if (folder?.within.size === 0) this.#folders.delete(prefix);
    }
  }

  /**
   * Everybody with a folder that overlaps one of these; somebody with several may come more than once. Sets as
   * they stand, valid until the next `add` or `remove`: thousands may wait for one folder.
   */
  overlapping(scopes: readonly string[]): readonly ReadonlySet<Holder>[] {
    const sets: ReadonlySet<Holder>[] = [];
    for (const prefixes of scopes.map(prefixesOf)) {
      const own = prefixes.at(-1);
      for (const prefix of prefixes) {
        const folder = this.#folders.get(prefix);
        if (folder !== undefined) sets.push(prefix === own ? folder.within : folder.here);
      }
    }
    return sets;
  }

  /** Everybody whose folders contain all of these. */
  *covering(scopes: readonly string[]): Generator<Holder> {
    const [first, ...others] = scopes.map(prefixesOf);
    for (const prefix of first ?? []) {
      for (const holder of this.#folders.get(prefix)?.here ?? []) {
        const coversAll = others.every((prefixes) =>
          prefixes.some((above) => this.#folders.get(above)?.here.has(holder)),
        );
        if (coversAll) yield holder;
      }
    }
  }

  #folder(prefix: string): Folder<Holder> {
    const known = this.#folders.get(prefix);
    if (known !== undefined) return known;
    const folder = { here: new Set<Holder>(), within: new Set<Holder>() };
    this.#folders.set(prefix, folder);
    return folder;
  }
}
