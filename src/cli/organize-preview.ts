import { compareNatural } from "../domain/natural.ts";
import { countText, printable, sizeText } from "./format.ts";

/** What of a plan is drawn; see the command `organize` with `dry_run`. */
interface Preview {
  readonly moves: readonly { readonly to: string; readonly strategy: string; readonly bytes: number }[];
  readonly move_count: number;
  readonly conflict_count: number;
  readonly skipped_count: number;
  readonly bytes_needed: number;
  readonly bytes_free: number;
}

interface Folder {
  readonly folders: Map<string, Folder>;
  readonly files: string[];
}

/** The places that files would get, as a tree that fits the terminal, and what it takes. */
export function previewTree(plan: Preview, columns: number): string {
  const width = Number.isFinite(columns) ? columns : 120;
  const root: Folder = { folders: new Map(), files: [] };
  for (const { to, bytes } of plan.moves) {
    const [name = to, ...above] = to.split("/").reverse();
    let folder = root;
    for (const segment of above.reverse()) folder = below(folder, segment);
    folder.files.push(`${name}  ${sizeText(bytes)}`);
  }
  const lines = [...drawFolder(root, "")].map((text) => cut(printable(text), width));
  const more = plan.move_count - plan.moves.length;
  const strategies = [...new Set(plan.moves.map(({ strategy }) => strategy))].join(", ");
  return [
    ...lines,
    ...(more > 0 ? [`… and ${countText(more, "more file")}`] : []),
    plan.move_count === 0
      ? "Nothing is due."
      : `${countText(plan.move_count, "file")} by ${strategies}; ${sizeText(plan.bytes_needed)} to be written, ${sizeText(plan.bytes_free)} free.`,
    ...(plan.skipped_count > 0
      ? [`${countText(plan.skipped_count, "book")} left alone (--json says why).`]
      : []),
    ...(plan.conflict_count > 0 ? [`${countText(plan.conflict_count, "conflict")}:`] : []),
  ].join("\n");
}

function below(folder: Folder, segment: string): Folder {
  const known = folder.folders.get(segment);
  if (known !== undefined) return known;
  const made: Folder = { folders: new Map(), files: [] };
  folder.folders.set(segment, made);
  return made;
}

function* drawFolder({ folders, files }: Folder, indent: string): Generator<string> {
  const entries = [
    ...[...folders].sort(([a], [b]) => compareNatural(a, b)).map(([name, folder]) => ({ name, folder })),
    ...files.map((name) => ({ name, folder: null })),
  ];
  const isTop = indent === "" && files.length === 0;
  for (const [index, { name, folder }] of entries.entries()) {
    const isLast = index === entries.length - 1;
    if (isTop && folder !== null && name.endsWith(":")) yield name;
    else yield `${indent}${isLast ? "└── " : "├── "}${name}${folder === null ? "" : "/"}`;
    if (folder !== null)
      yield* drawFolder(folder, isTop && name.endsWith(":") ? " " : `${indent}${isLast ? "    " : "│   "}`);
  }
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(1, width - 1))}…`;
}
