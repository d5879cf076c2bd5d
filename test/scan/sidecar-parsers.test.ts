import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { plainText } from "../../src/domain/plain-text.ts";
import { readMetadataJson } from "../../src/scan/sidecar-json.ts";
import { readNfo } from "../../src/scan/sidecar-nfo.ts";
import { readOpf } from "../../src/scan/sidecar-opf.ts";
import { decodeText, readTextSidecar } from "../../src/scan/sidecar-text.ts";

const opf = (metadata: string): string =>
  `<?xml version="1.0" encoding="utf-8"?>
   <package xmlns="http://www.idpf.org/2007/opf" version="2.0">
     <metadata xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:opf="http://www.idpf.org/2007/opf">${metadata}</metadata>
   </package>`;

describe("readOpf", () => {
  it("reads what Calibre writes", () => {
    const text = opf(`
      <dc:identifier opf:scheme="calibre" id="calibre_id">12</dc:identifier>
      <dc:identifier opf:scheme="ISBN">978-0-441-17271-9</dc:identifier>
      <dc:identifier opf:scheme="MOBI-ASIN">b00b7npry8</dc:identifier>
      <dc:title>Dune &amp; More</dc:title>
      <dc:creator opf:file-as="Herbert, Frank" opf:role="aut">Frank Herbert</dc:creator>
      <dc:creator opf:file-as="Brick, Scott" opf:role="nrt">Scott Brick</dc:creator>
      <dc:creator opf:role="trl">Some Translator</dc:creator>
      <dc:contributor opf:role="bkp">calibre (5.0)</dc:contributor>
      <dc:date>1965-08-01T00:00:00+00:00</dc:date>
      <dc:description>&lt;p&gt;On &lt;b&gt;Arrakis&lt;/b&gt;&amp;nbsp;&amp;mdash; sand.&lt;/p&gt;&lt;p&gt;Two&lt;/p&gt;</dc:description>
      <dc:publisher>Ace</dc:publisher><dc:language>eng</dc:language>
      <dc:subject>Science Fiction</dc:subject><dc:subject>Classics</dc:subject>
      <meta name="calibre:series" content="Dune &amp; Sons"/><meta name="calibre:series_index" content="1.0"/>
      <meta name="calibre:series" content="Other"/><meta name="calibre:series_index" content="0.5"/>`);
    expect(readOpf(text)).toEqual({
      title: "Dune & More",
      authors: ["Frank Herbert"],
      narrators: ["Scott Brick"],
      series: [
        { name: "Dune & Sons", position: "1" },
        { name: "Other", position: "0.5" },
      ],
      year: 1965,
      publisher: "Ace",
      language: "eng",
      description: "On Arrakis — sand.\nTwo",
      genres: ["Science Fiction", "Classics"],
      asin: "B00B7NPRY8",
      isbn: "9780441172719",
    });
  });

  it("reads the refinements of OPF 3", () => {
    const text = opf(`
      <dc:title id="t2">The Desert</dc:title><meta refines="#t2" property="title-type">subtitle</meta>
      <dc:title id="t1">Dune</dc:title><meta refines="#t1" property="title-type">main</meta>
      <dc:creator id="c1">Herbert, Frank</dc:creator><meta refines="#c1" property="role" scheme="marc:relators">aut</meta>
      <dc:creator id="c2">Scott Brick</dc:creator><meta refines="#c2" property="role">nrt</meta>
      <meta property="belongs-to-collection" id="s">Dune</meta>
      <meta refines="#s" property="collection-type">series</meta><meta refines="#s" property="group-position">01.5</meta>
      <meta property="belongs-to-collection" id="x">A shelf</meta><meta refines="#x" property="collection-type">set</meta>
      <dc:identifier>urn:isbn:9780441172719</dc:identifier>`);
    expect(readOpf(text)).toEqual({
      title: "Dune",
      subtitle: "The Desert",
      authors: ["Frank Herbert"],
      narrators: ["Scott Brick"],
      series: [{ name: "Dune", position: "1.5" }],
      isbn: "9780441172719",
    });
  });

  it("takes file-as for a creator without text, and a creator without a role for an author", () => {
    expect(
      readOpf(opf(`<dc:creator opf:file-as="Herbert, Frank"/><dc:creator>Ann Lee</dc:creator>`)),
    ).toEqual({
      authors: ["Frank Herbert", "Ann Lee"],
    });
  });

  it("reads OPF 1 with its inner metadata and document type", () => {
    const text = `<!DOCTYPE package PUBLIC "+//ISBN 0-9673008-1-9//DTD OEB 1.0.1 Package//EN" "oebpkg101.dtd">
      <package><metadata><dc-metadata><dc:Title/><dc:title>Dune</dc:title></dc-metadata></metadata></package>`;
    expect(readOpf(text)).toEqual({ title: "Dune" });
  });

  it("does not take Calibre's undefined date for a year", () => {
    expect(readOpf(opf("<dc:date>0101-01-01T00:00:00+00:00</dc:date>"))).toEqual({});
  });

  it("expands no entity that the document declares", () => {
    const bomb = `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>${opf("<dc:title>&b;</dc:title>")}`;
    expect(() => readOpf(bomb)).toThrow(/entities/);
    const external = `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>${opf("<dc:title>&a;</dc:title>")}`;
    expect(() => readOpf(external)).toThrow(/entities/);
    expect(readOpf(opf("<dc:title>&unknown; &#65;&#x42; &amp;lt;</dc:title>"))).toEqual({
      title: "&unknown; AB &lt;",
    });
  });

  it.each([
    ["a text that is no XML", "Dune by Frank Herbert", /no XML element/],
    ["an empty one", "", /no XML element/],
    ["one that is cut off", opf("<dc:title>Dune</dc:title>").replace("</package>", ""), /cut off/],
    ["one that is cut off in a tag", opf("<dc:title>Dune</dc:title>").slice(0, -3), /well-formed/],
    ["one without metadata", "<package></package>", /no <metadata>/],
    ["one nested too deep", opf("<a>".repeat(200) + "</a>".repeat(200)), /nested/],
    ["one with too many elements", opf("<a/>".repeat(50_000)), /elements/],
  ])("refuses %s", (_, text, message) => {
    expect(() => readOpf(text)).toThrow(message);
  });

  it("lets no element name reach a prototype", () => {
    expect(() => readOpf(opf("<__proto__><polluted>1</polluted></__proto__>"))).toThrow();
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
    expect(() => readOpf(opf(`<constructor a="1">x</constructor>`))).toThrow();
  });

  it("either reads or refuses any text, in little time", () => {
    const pieces = fc.constantFrom(
      "<",
      ">",
      "</",
      "/>",
      "<a",
      "<!--",
      "-->",
      "<![CDATA[",
      "]]>",
      "&",
      "metadata",
      '"',
      " ",
      "x=",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
        try {
          readOpf(parts.join(""));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("readNfo", () => {
  it("reads keys and values with a description under its heading", () => {
    const text = `General Information
===================
 Title:                  Dune
 Author:                 Frank Herbert
 Read By:                Scott Brick, Orlagh Cassidy
 Copyright:              1965
 Genre:                  Science Fiction
 Publisher:              Macmillan Audio
 Series Name:            Dune
 Position in Series:     01
 Unabridged:             Yes
 ASIN:                   B00B7NPRY8

Media Information
=================
 Source Format:          Audible AAX

Book Description
================
Here is the novel: that will be.

A second paragraph.

Chapters
========
 Title: One
`;
    expect(readNfo(text)).toEqual({
      title: "Dune",
      authors: ["Frank Herbert"],
      narrators: ["Scott Brick", "Orlagh Cassidy"],
      year: 1965,
      genres: ["Science Fiction"],
      publisher: "Macmillan Audio",
      series: [{ name: "Dune", position: "1" }],
      abridged: false,
      asin: "B00B7NPRY8",
      description: "Here is the novel: that will be.\n\nA second paragraph.",
    });
  });

  it("reads framed and dotted lines, and a description of several lines behind its key", () => {
    const text = "║ Title.......: Dune ║\r\n* Narrator: Scott Brick\r\nDescription: One\r\ntwo\r\n\r\nthree";
    expect(readNfo(text)).toEqual({ title: "Dune", narrators: ["Scott Brick"], description: "One\ntwo" });
  });

  it("reads the XML kind", () => {
    const text = `<?xml version="1.0"?><audiobook>
      <title>Dune</title><subtitle>Desert</subtitle><author>Frank Herbert</author><author>Ann Lee</author>
      <narrator>Scott Brick</narrator><series>Dune</series><seriesposition>01</seriesposition>
      <year>1965</year><plot>Sand &amp; spice</plot><genre>SF</genre><genre>Classic</genre>
      <isbn>978-0-441-17271-9</isbn><explicit>false</explicit></audiobook>`;
    expect(readNfo(text)).toEqual({
      title: "Dune",
      subtitle: "Desert",
      authors: ["Frank Herbert", "Ann Lee"],
      narrators: ["Scott Brick"],
      series: [{ name: "Dune", position: "1" }],
      year: 1965,
      description: "Sand & spice",
      genres: ["SF", "Classic"],
      isbn: "9780441172719",
      explicit: false,
    });
  });

  it("reads a series with its position inside", () => {
    const text = "<album><title>T</title><series><name>Dune</name><position>2</position></series></album>";
    expect(readNfo(text).series).toEqual([{ name: "Dune", position: "2" }]);
  });

  it("finds nothing in a text without keys, however long its lines", () => {
    expect(readNfo("Just some words.\n")).toEqual({});
    expect(readNfo(`${"=".repeat(200_000)}a\n${"a ".repeat(200_000)}:`)).toEqual({});
  });
});

describe("readTextSidecar", () => {
  it("reads a description and the narrators", () => {
    expect(readTextSidecar("desc.txt", " On <b>Arrakis</b>.\r\nTwo ")).toEqual({
      description: "On Arrakis. Two",
    });
    expect(readTextSidecar("description.txt", "One\r\n\r\n\r\n\r\nTwo")).toEqual({
      description: "One\n\nTwo",
    });
    expect(readTextSidecar("reader.txt", "Scott Brick\nBrick, Scott; Ann Lee\n")).toEqual({
      narrators: ["Scott Brick", "Ann Lee"],
    });
    expect(readTextSidecar("CD1/Reader.TXT", "Scott Brick")).toEqual({ narrators: ["Scott Brick"] });
  });

  it("says nothing where nothing is written", () => {
    expect(readTextSidecar("desc.txt", " \n")).toEqual({});
    expect(readTextSidecar("reader.txt", " \n")).toEqual({});
  });
});

describe("text of files", () => {
  it("is decoded as UTF-8, UTF-16 by its mark, or Windows-1252", () => {
    expect(decodeText(Buffer.from("\ufeffBrontë", "utf8"))).toBe("Brontë");
    expect(decodeText(Buffer.from("\ufeffBrontë", "utf16le"))).toBe("Brontë");
    expect(decodeText(Buffer.from("\ufeffBrontë", "utf16le").swap16())).toBe("Brontë");
    expect(decodeText(Buffer.from("Brontë", "latin1"))).toBe("Brontë");
    expect(decodeText(new Uint8Array())).toBe("");
  });

  it("loses its markup and keeps its paragraphs", () => {
    expect(plainText("<p>One &amp; two</p>\n<p>a<br/>b</p><script>x</script>")).toBe("One & two\na\nb\nx");
    expect(plainText("3 < 4 and 5 > 4")).toBe("3 < 4 and 5 > 4");
    expect(plainText("&amp;lt;")).toBe("&lt;");
    expect(plainText("&#0;&#xD800;&#9999999;")).toBe("&#0;&#xD800;&#9999999;");
  });
});

describe("readMetadataJson", () => {
  const full = {
    tags: [],
    chapters: [
      { id: 0, start: 0, end: 12.345, title: "One" },
      { id: 1, start: 12.345, end: 60, title: "" },
    ],
    title: "Dune",
    subtitle: "Desert",
    authors: ["Frank Herbert", "Simon and Schuster"],
    narrators: ["Scott Brick"],
    series: ["Dune #01", "Other #0.5", "Omnibus #1-3", "Loose"],
    genres: ["SF"],
    publishedYear: "1965",
    publishedDate: null,
    publisher: "Ace",
    description: "<p>Sand</p>",
    isbn: "978-0-441-17271-9",
    asin: "B00B7NPRY8",
    language: "English",
    explicit: false,
    abridged: true,
  };
  const fields = {
    title: "Dune",
    subtitle: "Desert",
    authors: ["Frank Herbert", "Simon and Schuster"],
    narrators: ["Scott Brick"],
    series: [
      { name: "Dune", position: "1" },
      { name: "Other", position: "0.5" },
      { name: "Omnibus", position: "1-3" },
      { name: "Loose", position: null },
    ],
    genres: ["SF"],
    year: 1965,
    publisher: "Ace",
    description: "Sand",
    isbn: "9780441172719",
    asin: "B00B7NPRY8",
    language: "English",
    explicit: false,
    abridged: true,
  };
  const chapters = [
    { title: "One", startMs: 0, endMs: 12_345 },
    { title: "Chapter 2", startMs: 12_345, endMs: 60_000 },
  ];

  it("reads what Audiobookshelf writes", () => {
    expect(readMetadataJson(JSON.stringify(full))).toEqual({ fields, chapters, ignoredKeys: [] });
  });

  it("reads what it wrote before", () => {
    const { tags, chapters: list, ...metadata } = full;
    const older = {
      tags,
      chapters: list,
      metadata: {
        ...metadata,
        authors: [{ id: "a", name: "Frank Herbert" }, { name: "Simon and Schuster" }],
        series: [
          { id: "s", name: "Dune", sequence: "01" },
          { name: "Other", sequence: 0.5 },
          { name: "Omnibus", sequence: "1-3" },
          { name: "Loose", sequence: null },
        ],
      },
    };
    expect(readMetadataJson(JSON.stringify(older))).toEqual({ fields, chapters, ignoredKeys: [] });
  });

  it("says nothing about keys that are null, empty or absent", () => {
    expect(readMetadataJson('{"title":null,"authors":[],"series":[],"description":"","asin":"x"}')).toEqual({
      fields: {},
      chapters: [],
      ignoredKeys: [],
    });
  });

  it("ignores and names what has an unexpected type, and reads the rest", () => {
    const text =
      '{"title":5,"authors":[{}],"series":[1],"genres":[1],"publishedYear":[],"explicit":{},"chapters":[{"start":"0"}],"publisher":"Ace"}';
    const { fields: read, ignoredKeys } = readMetadataJson(text);
    expect(read).toEqual({ publisher: "Ace" });
    expect([...ignoredKeys].sort()).toEqual([
      "authors",
      "chapters",
      "explicit",
      "genres",
      "publishedYear",
      "series",
      "title",
    ]);
  });

  it("takes chapters in the order of time and none that are no times", () => {
    const of = (list: unknown) => readMetadataJson(JSON.stringify({ chapters: list })).chapters;
    expect(
      of([
        { start: 5, end: 9, title: "B" },
        { start: 0, end: 5, title: "A" },
      ]).map((one) => one.title),
    ).toEqual(["A", "B"]);
    expect(of([{ start: -1, end: 9, title: "A" }])).toEqual([]);
    expect(of([{ start: 9, end: 1, title: "A" }])).toEqual([]);
  });

  it("is not moved by a __proto__", () => {
    const text =
      '{"__proto__":{"title":"evil","authors":["x"]},"constructor":{"title":"y"},"metadata":{"__proto__":{"title":"evil"}}}';
    expect(readMetadataJson(text).fields).toEqual({});
    expect(({} as Record<string, unknown>)["title"]).toBeUndefined();
  });

  it.each(["", "{", "[]", "null", '"x"', "[".repeat(100_000)])("refuses %.20s", (text) => {
    expect(() => readMetadataJson(text)).toThrow();
  });

  it("reads or refuses any JSON", () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    const keys = fc.constantFrom(...Object.keys(full), "metadata", "__proto__");
    fc.assert(
      fc.property(fc.dictionary(keys, value), (json) => {
        const { fields: read } = readMetadataJson(JSON.stringify(json));
        expect(Object.values(read).every((one) => one !== null && one !== "")).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});
