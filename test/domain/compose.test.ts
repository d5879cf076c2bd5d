import { describe, expect, it } from "vitest";
import { composeFields, reviewReasonOf } from "../../src/domain/compose.ts";

describe("composeFields", () => {
  it("takes each field from the highest source that says something, and says which", () => {
    const { fields, provenance } = composeFields({
      folder: { title: "Folder", authors: ["Folder Author"], year: 1990 },
      tags: { title: "Tag", narrators: ["Tag Narrator"] },
      nfo: { title: "Nfo", publisher: "Nfo House" },
      text: { description: "Text" },
      opf: { title: "Opf", description: "Opf" },
      metadata_json: { title: "Json", description: "Json" },
      match: { title: "Match" },
    });
    expect(fields).toMatchObject({
      title: "Match",
      authors: ["Folder Author"],
      narrators: ["Tag Narrator"],
      year: 1990,
      publisher: "Nfo House",
      description: "Json",
    });
    expect(provenance).toEqual({
      title: "match",
      authors: "folder",
      narrators: "tags",
      year: "folder",
      publisher: "nfo",
      description: "metadata_json",
    });
  });

  it("lets an empty value below a match say nothing, and a match or the user empty a field", () => {
    const { fields } = composeFields({
      tags: { title: "Tag", authors: ["A"], publisher: "P", subtitle: "S" },
      metadata_json: { title: null, authors: [], publisher: "", subtitle: null },
      match: { publisher: null },
      user: { subtitle: "" },
    });
    expect(fields).toMatchObject({ title: "Tag", authors: ["A"], publisher: null, subtitle: null });
  });

  it("keeps false as a value", () => {
    expect(composeFields({ tags: { explicit: true }, opf: { explicit: false } }).fields.explicit).toBe(false);
  });
});

describe("reviewReasonOf", () => {
  const reason = (layers: Parameters<typeof composeFields>[0], bare = false): string | null => {
    const { fields, provenance } = composeFields(layers);
    return reviewReasonOf(fields, provenance, bare);
  };

  it("asks for a review of a book without title, without author, or with a bare name for a title", () => {
    expect(reason({ tags: { authors: ["A"] } })).toBe("no title");
    expect(reason({ tags: { title: "T" } })).toBe("no author");
    expect(reason({ folder: { title: "T" }, tags: { authors: ["A"] } }, true)).toMatch(
      /only a file or folder name/,
    );
  });

  it("is content with a title and an author, also where a tag confirms the bare name", () => {
    expect(reason({ tags: { title: "T", authors: ["A"] } })).toBeNull();
    expect(reason({ folder: { title: "T" }, tags: { title: "T", authors: ["A"] } }, true)).toBeNull();
  });
});
