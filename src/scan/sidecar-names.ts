/** Where a sidecar's fields stand among the layers of a book. */
export type SidecarSource = "nfo" | "text" | "opf" | "metadata_json";

/** What kind of sidecar a file is by its name; null for a file that says nothing about a book. */
export function sidecarSourceOf(name: string): SidecarSource | null {
  const base = name.slice(name.lastIndexOf("/") + 1).toLowerCase();
  if (base.endsWith(".nfo")) return "nfo";
  if (base.endsWith(".opf")) return "opf";
  if (base === "metadata.json" || base.endsWith(".metadata.json")) return "metadata_json";
  return isDescriptionName(base) || isReaderName(base) ? "text" : null;
}

/** `desc.txt`, `description.txt`, or `Title.desc.txt` beside several books. */
function isDescriptionName(name: string): boolean {
  return /(?:^|[./])desc(?:ription)?\.txt$/i.test(name);
}

/** `reader.txt`, or `Title.reader.txt` beside several books. */
export function isReaderName(name: string): boolean {
  return /(?:^|[./])reader\.txt$/i.test(name);
}
