import type { BookFields, SeriesPosition } from "../domain/book.ts";
import { splitPeople } from "../domain/people.ts";
import { plainText } from "../domain/plain-text.ts";
import { normalizePosition, uniqueSeries } from "../domain/series.ts";
import { asinOf, genresOf, isbnOf, yearOf } from "./draft-values.ts";
import { withoutNothing } from "./sidecar-fields.ts";
import { parseXml, type XmlElement } from "./sidecar-xml.ts";

/** What an OPF package says: Dublin Core, Calibre's series, the refinements of OPF 3. Throws as `parseXml` does. */
export function readOpf(text: string): BookFields {
  const elements = metadataOf(parseXml(text));
  const refinements = refinementsOf(elements);
  const named = (name: string): readonly XmlElement[] => elements.filter((element) => element.name === name);
  const first = (name: string): string | null =>
    named(name).find((element) => element.text !== "")?.text ?? null;
  const titles = named("title").filter((element) => element.text !== "");
  const subtitle = titles.find((element) => refinements.valueOf(element, "title-type") === "subtitle");
  const title =
    titles.find((element) => refinements.valueOf(element, "title-type") === "main") ??
    titles.find((element) => element !== subtitle);
  const people = peopleOf(elements, refinements);
  const description = first("description");
  return withoutNothing({
    title: title?.text ?? null,
    subtitle: subtitle?.text ?? first("subtitle"),
    authors: people.authors,
    narrators: people.narrators,
    series: seriesOf(elements, refinements),
    year: yearOf(
      named("date").find((date) => date.attributes.get("event") === "publication")?.text ??
        first("date") ??
        "",
    ),
    publisher: first("publisher"),
    language: first("language"),
    description: description === null ? null : plainText(description),
    genres: genresOf(named("subject").map((element) => element.text)),
    ...identifiersOf(named("identifier")),
  });
}

/** The children of `metadata`, those of OPF 1's `dc-metadata` and `x-metadata` among them. */
function metadataOf(root: XmlElement): readonly XmlElement[] {
  const metadata = root.name === "metadata" ? root : root.children.find((child) => child.name === "metadata");
  if (metadata === undefined) throw new Error("it has no <metadata>");
  return metadata.children.flatMap((child) =>
    child.name === "dc-metadata" || child.name === "x-metadata" ? child.children : [child],
  );
}

interface Refinements {
  /** The value of `<meta refines="#id" property="…">` for the element, or of its attribute of that name. */
  readonly valueOf: (element: XmlElement, property: string) => string | null;
}

function refinementsOf(elements: readonly XmlElement[]): Refinements {
  const values = new Map<string, string>();
  for (const element of elements) {
    const target = element.attributes.get("refines")?.replace(/^#/, "");
    const property = element.attributes.get("property");
    if (target !== undefined && property !== undefined) values.set(`${target} ${property}`, element.text);
  }
  return {
    valueOf: (element, property) =>
      values.get(`${element.attributes.get("id") ?? ""} ${property}`) ??
      element.attributes.get(property) ??
      null,
  };
}

function peopleOf(
  elements: readonly XmlElement[],
  refinements: Refinements,
): { readonly authors: readonly string[]; readonly narrators: readonly string[] } {
  const authors: string[] = [];
  const narrators: string[] = [];
  for (const element of elements) {
    if (element.name !== "creator" && element.name !== "contributor") continue;
    const name = element.text || (refinements.valueOf(element, "file-as") ?? "");
    const role = refinements.valueOf(element, "role")?.toLowerCase() ?? null;
    if (role === "nrt") narrators.push(name);
    else if (role === "aut" || (role === null && element.name === "creator")) authors.push(name);
  }
  return { authors: splitPeople(authors), narrators: splitPeople(narrators) };
}

function seriesOf(elements: readonly XmlElement[], refinements: Refinements): readonly SeriesPosition[] {
  const series: SeriesPosition[] = [];
  for (const meta of elements.filter((element) => element.name === "meta")) {
    const content = meta.attributes.get("content")?.trim() ?? "";
    const name = meta.attributes.get("name");
    if (name === "calibre:series" && content !== "") series.push({ name: content, position: null });
    if (name === "calibre:series_index") {
      const last = series.pop();
      if (last !== undefined)
        series.push({ name: last.name, position: last.position ?? normalizePosition(content) });
    }
    if (meta.attributes.get("property") !== "belongs-to-collection" || meta.text === "") continue;
    const type = refinements.valueOf(meta, "collection-type");
    if (type !== null && type !== "series") continue;
    series.push({
      name: meta.text,
      position: normalizePosition(refinements.valueOf(meta, "group-position") ?? ""),
    });
  }
  return uniqueSeries(series);
}

function identifiersOf(identifiers: readonly XmlElement[]): { asin: string | null; isbn: string | null } {
  let asin: string | null = null;
  let isbn: string | null = null;
  for (const identifier of identifiers) {
    const scheme = identifier.attributes.get("scheme")?.toLowerCase() ?? "";
    const [, prefix = "", value = ""] = /^(?:urn:)?(?:([a-z_-]+):)?(.*)$/is.exec(identifier.text) ?? [];
    const kind = scheme === "" ? prefix.toLowerCase() : scheme;
    if (/asin|amazon|audible/.test(kind)) asin ??= asinOf(value);
    else if (kind === "isbn") isbn ??= isbnOf(value);
    else if (kind === "" && /^(?:978|979)/.test(value)) isbn ??= isbnOf(value);
    else if (kind === "" && /^B0/.test(value)) asin ??= asinOf(value);
  }
  return { asin, isbn };
}
