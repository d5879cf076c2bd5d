import { XMLParser } from "fast-xml-parser";
import { decodeEntities } from "../domain/plain-text.ts";

/** An element without its namespace prefixes, which the makers of sidecars use as they like. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** All text in it and below it. */
  readonly text: string;
}

const maxElements = 20_000;
const maxDepth = 50;

/**
 * The root element of a small document. No entity is expanded and nothing is loaded. Throws an Error that says
 * what is wrong: no XML, cut off, declared entities, more than 20,000 elements or 50 levels.
 */
export function parseXml(text: string): XmlElement {
  if (/<!ENTITY/i.test(text)) throw new Error("it declares entities, which are refused");
  let elements = 0;
  for (let at = text.indexOf("<"); at !== -1; at = text.indexOf("<", at + 1)) elements++;
  if (elements > 2 * maxElements) throw new Error(`it has more than ${maxElements} elements`);
  const parser = new XMLParser({
    preserveOrder: true,
    ignoreAttributes: false,
    attributeNamePrefix: "",
    processEntities: false,
    parseTagValue: false,
    removeNSPrefix: true,
    ignoreDeclaration: true,
    ignorePiTags: true,
    maxNestedTags: maxDepth,
  });
  const [root] = parseNodes(parser, text)
    .map(toElement)
    .filter((node) => node !== null);
  if (root === undefined) throw new Error("it holds no XML element");
  const isClosed = new RegExp(`</(?:[\\w.-]+:)?${escapeRegExp(root.name)}\\s*>`).test(text);
  if (!isClosed && root.children.length > 0) throw new Error(`it is cut off: </${root.name}> is missing`);
  return root;
}

function parseNodes(parser: XMLParser, text: string): readonly unknown[] {
  try {
    const nodes: unknown = parser.parse(text);
    return Array.isArray(nodes) ? nodes : [];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`it is no well-formed XML (${why})`, { cause: error });
  }
}

/** The first child of that name, in any case. */
export function childOf(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((child) => child.name.toLowerCase() === name);
}

/** The parser's node is `{ name: [children], ":@": { attribute: value } }`, and `{ "#text": value }` for text. */
function toElement(node: unknown): XmlElement | null {
  if (typeof node !== "object" || node === null) return null;
  let name: string | null = null;
  let content: readonly unknown[] = [];
  const attributes = new Map<string, string>();
  for (const [key, value] of Object.entries(node)) {
    if (key === ":@") {
      for (const [attribute, text] of Object.entries(value))
        attributes.set(attribute, decodeEntities(String(text)));
    } else if (Array.isArray(value)) {
      name = key;
      content = value;
    }
  }
  if (name === null) return null;
  const children: XmlElement[] = [];
  const texts: string[] = [];
  for (const part of content) {
    const child = toElement(part);
    if (child !== null) children.push(child);
    texts.push(child === null ? ownText(part) : child.text);
  }
  return { name, attributes, children, text: texts.join(" ").trim() };
}

function ownText(node: unknown): string {
  if (typeof node !== "object" || node === null || !("#text" in node)) return "";
  return decodeEntities(String(node["#text"]));
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
