import { describe, expect, it } from "vitest";
import { composed, draftOf, fieldsOfTags } from "./draft-unit.ts";

const series = (name: string, position: string | null) => [{ name, position }];

describe("title", () => {
  it("is the album, then the title", () => {
    expect(fieldsOfTags({ album: "Album", title: "Title" }).title).toBe("Album");
    expect(fieldsOfTags({ title: "Title" }).title).toBe("Title");
    expect(fieldsOfTags({ album: "  ", title: "Title" }).title).toBe("Title");
  });

  it("is no chapter's title where a book has several tracks", () => {
    const titles = (...all: readonly string[]) =>
      draftOf({ path: "A/B", files: Object.fromEntries(all.map((title, i) => [`${i}.mp3`, { title }])) })
        .layers.tags;
    expect(titles("One", "Two")).toBeUndefined();
    expect(titles("Dune", "Dune")).toEqual({ title: "Dune" });
  });

  it("is nothing that a machine wrote", () => {
    expect(fieldsOfTags({ album: "Unknown Album", title: "Track 01" }).title).toBeUndefined();
    expect(fieldsOfTags({ album: "Unknown Album", title: "Dune" }).title).toBe("Dune");
  });

  it("loses the disc where the discs of a book have albums of their own", () => {
    const draft = draftOf({
      path: "A/B",
      files: { "CD1/1.mp3": { album: "Dune (Disc 1)" }, "CD2/1.mp3": { album: "Dune (Disc 2)" } },
    });
    expect(draft.layers.tags).toEqual({ title: "Dune" });
    expect(fieldsOfTags({ album: "Dune (Disc 1)" }).title).toBe("Dune (Disc 1)");
  });

  it("is the album of most tracks", () => {
    const files = { "1.mp3": { album: "Dnue" }, "2.mp3": { album: "Dune" }, "3.mp3": { album: "Dune" } };
    expect(
      draftOf({ path: "A/B", files: { ...files, "1.mp3": { album: "Dnue", track: 7 } } }).layers.tags,
    ).toEqual({
      title: "Dune",
    });
  });
});

describe("authors", () => {
  it("are the album artist, then the artist", () => {
    expect(fieldsOfTags({ albumArtists: ["Ann Lee"], artists: ["Bob Ray"] }).authors).toEqual(["Ann Lee"]);
    expect(fieldsOfTags({ artists: ["Bob Ray"] }).authors).toEqual(["Bob Ray"]);
  });

  it("are the composer only where a narrator tag exists", () => {
    expect(fieldsOfTags({ composers: ["Cid Fox"], narrators: ["Dee Orr"] })).toEqual({
      authors: ["Cid Fox"],
      narrators: ["Dee Orr"],
    });
    expect(fieldsOfTags({ composers: ["Cid Fox"] })).toEqual({ narrators: ["Cid Fox"] });
  });

  it("are split and turned round", () => {
    expect(fieldsOfTags({ artists: ["King, Stephen & Straub, Peter"] }).authors).toEqual([
      "Stephen King",
      "Peter Straub",
    ]);
    expect(fieldsOfTags({ artists: ["Ann Lee", "Bob Ray"] }).authors).toEqual(["Ann Lee", "Bob Ray"]);
  });

  it("are those of most tracks, and all of them where none has most", () => {
    const authors = (...artists: readonly string[]) =>
      draftOf({
        path: "A/B",
        files: Object.fromEntries(artists.map((artist, i) => [`${i}.mp3`, { artists: [artist] }])),
      }).layers.tags?.authors;
    expect(authors("J.R.R. Tolkien", "J. R. R. Tolkien", "Someone Else")).toEqual(["J.R.R. Tolkien"]);
    expect(authors("Ann Lee", "Bob Ray", "Cid Fox")).toEqual(["Ann Lee", "Bob Ray", "Cid Fox"]);
  });

  it("are nobody unknown", () => {
    expect(fieldsOfTags({ albumArtists: ["Unknown Artist"], artists: ["Ann Lee"] }).authors).toEqual([
      "Ann Lee",
    ]);
    expect(fieldsOfTags({ artists: ["<unknown>"] }).authors).toBeUndefined();
  });
});

describe("narrators", () => {
  it("are the narrator tag, then the composer, then the performer", () => {
    expect(fieldsOfTags({ narrators: ["N N"], composers: ["C C"], performers: ["P P"] }).narrators).toEqual([
      "N N",
    ]);
    expect(fieldsOfTags({ composers: ["C C"], performers: ["P P"] }).narrators).toEqual(["C C"]);
    expect(fieldsOfTags({ performers: ["P P"] }).narrators).toEqual(["P P"]);
  });

  it("are all who read a track", () => {
    const files = { "1.mp3": { narrators: ["Ann Lee"] }, "2.mp3": { narrators: ["Bob Ray; Ann Lee"] } };
    expect(draftOf({ path: "A/B", files }).layers.tags?.narrators).toEqual(["Ann Lee", "Bob Ray"]);
  });
});

describe("series", () => {
  it("is the series tag with the position beside it", () => {
    expect(fieldsOfTags({ series: ["Dune"], seriesParts: ["01"] }).series).toEqual(series("Dune", "1"));
    expect(fieldsOfTags({ series: ["Dune"] }).series).toEqual(series("Dune", null));
    expect(fieldsOfTags({ series: ["Dune #2"] }).series).toEqual(series("Dune", "2"));
    expect(fieldsOfTags({ series: ["Dune #2"], seriesParts: ["2"] }).series).toEqual(series("Dune", "2"));
  });

  it.each([
    ["00.5", "0.5"],
    ["01-03", "1-3"],
    ["01a", "1a"],
  ])("keeps the position %j as %j", (text, position) => {
    expect(fieldsOfTags({ series: ["Dune"], seriesParts: [text] }).series).toEqual(series("Dune", position));
  });

  it("may be several, each with its own position", () => {
    const both = [
      { name: "Name", position: "2" },
      { name: "Other", position: "1" },
    ];
    expect(fieldsOfTags({ series: ["Name", "Other"], seriesParts: ["2", "1"] }).series).toEqual(both);
    expect(fieldsOfTags({ series: ["Name; Other"], seriesParts: ["2; 1"] }).series).toEqual(both);
    expect(fieldsOfTags({ grouping: "Name #2; Other #1" }).series).toEqual(both);
    expect(fieldsOfTags({ grouping: "Name #2, Other #1" }).series).toEqual(both);
  });

  it("takes a missing position from the folders where they tell one of the same series", () => {
    const draft = draftOf({
      path: "A B/Dune/02 - Messiah",
      files: { "1.mp3": { series: ["DUNE", "Other"] } },
    });
    expect(draft.layers.tags?.series).toEqual([
      { name: "DUNE", position: "2" },
      { name: "Other", position: null },
    ]);
  });

  it("is the grouping where that tells a position, or the tags beside it do", () => {
    expect(fieldsOfTags({ grouping: "Dune, Book 2" }).series).toEqual(series("Dune", "2"));
    expect(fieldsOfTags({ grouping: "Dune", seriesParts: ["2"] }).series).toEqual(series("Dune", "2"));
    expect(fieldsOfTags({ grouping: "Science Fiction" }).series).toBeUndefined();
    expect(fieldsOfTags({ grouping: "Other #1", series: ["Dune"] }).series).toEqual(series("Dune", null));
  });

  it("is never an album or a title without a position beside it", () => {
    for (const tags of [
      { album: "Dune", title: "Dune" },
      { album: "The Dune Saga", title: "Dune" },
      { album: "Dune: The Desert" },
      { album: "Dune (Desert)" },
      { title: "Fahrenheit 451" },
      { album: "Dune", seriesParts: ["2"] },
    ]) {
      expect(fieldsOfTags(tags).series).toBeUndefined();
    }
  });

  it("is found in an album that names it with its position", () => {
    expect(fieldsOfTags({ album: "Dune Messiah (Dune, Book 2)" })).toEqual({
      title: "Dune Messiah",
      series: series("Dune", "2"),
    });
    expect(fieldsOfTags({ album: "Dune Messiah: Dune, Book 2" })).toEqual({
      title: "Dune Messiah",
      series: series("Dune", "2"),
    });
    expect(fieldsOfTags({ album: "Dune, Book 2" })).toEqual({
      title: "Dune, Book 2",
      series: series("Dune", "2"),
    });
  });
});

describe("the other tags", () => {
  it("are taken as they are, ids and years only where they are such", () => {
    expect(
      fieldsOfTags({
        subtitle: "Sub",
        year: 1965,
        publisher: "Ace",
        language: "eng",
        description: "Long",
        comment: "Short",
        genres: ["SF; Classic", "sf"],
        asin: "b00b7npry8",
        isbn: "ISBN 978-0-441-17271-9",
        explicit: false,
        abridged: true,
      }),
    ).toEqual({
      subtitle: "Sub",
      year: 1965,
      publisher: "Ace",
      language: "eng",
      description: "Long",
      genres: ["SF", "Classic"],
      asin: "B00B7NPRY8",
      isbn: "9780441172719",
      explicit: false,
      abridged: true,
    });
    expect(fieldsOfTags({ asin: "no asin", isbn: "12", year: 3 })).toEqual({});
    expect(fieldsOfTags({ comment: "Short" }).description).toBe("Short");
  });

  it("win over the folders and say where they come from", () => {
    const draft = draftOf({
      path: "Folder Author/(1999) - Folder Title",
      files: { "1.mp3": { album: "Tag Title" } },
    });
    const { fields, provenance } = composed(draft);
    expect(fields).toMatchObject({ title: "Tag Title", authors: ["Folder Author"], year: 1999 });
    expect(provenance).toEqual({ title: "tags", authors: "folder", year: "folder" });
  });

  it("are no danger however long they are", () => {
    for (const text of [" ", ",", "a and ", "(", "A, ", "#1;", "Book 1"]) {
      const long = text.repeat(100_000 / text.length);
      const tags = {
        album: long,
        title: long,
        artists: [long],
        composers: [long],
        series: [long],
        grouping: long,
      };
      expect(draftOf({ path: "A/B", files: { "1.mp3": tags } }).tracks).toHaveLength(1);
    }
  });
});
