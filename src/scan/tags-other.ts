import {
  type ApeTag,
  ApeTagItemType,
  type AsfTag,
  type InfoTag,
  type Tag,
  type XiphComment,
} from "node-taglib-sharp";
import type { TagFields } from "./tags-fields.ts";

export function readXiph(comment: XiphComment, fields: TagFields): void {
  for (const name of comment.fieldNames) {
    for (const value of comment.getField(name)) fields.free(name, value);
  }
}

export function readApe(tag: ApeTag, fields: TagFields): void {
  for (const item of tag.items) {
    if (item.type !== ApeTagItemType.Text) continue;
    for (const value of item.text) fields.free(item.key, value);
  }
}

const asfNames: Readonly<Record<string, string>> = {
  // The second author and those behind; the first is in the content description.
  Author: "ARTIST",
  "WM/AlbumTitle": "ALBUM",
  "WM/AlbumArtist": "ALBUMARTIST",
  "WM/Composer": "COMPOSER",
  "WM/PartOfSet": "DISCNUMBER",
  "WM/TrackNumber": "TRACKNUMBER",
  "WM/ContentGroupDescription": "GROUPING",
  "WM/SubTitle": "SUBTITLE",
  "WM/SubTitleDescription": "DESCRIPTION",
  "WM/Year": "DATE",
  "WM/Publisher": "PUBLISHER",
  "WM/Language": "LANGUAGE",
  "WM/Genre": "GENRE",
};

/** True where there is a picture. */
export function readAsf(tag: AsfTag, fields: TagFields): boolean {
  let hasPicture = false;
  const { title, author, description } = tag.contentDescriptionObject;
  fields.own("TITLE", title ?? "");
  fields.own("ARTIST", author ?? "");
  // What players show and edit as the comment.
  fields.own("COMMENT", description ?? "");
  const descriptors = tag.extendedContentDescriptionObject.descriptors;
  // Values of more than 64 KiB stand in the metadata library.
  for (const descriptor of [...descriptors, ...tag.metadataLibraryObject.records]) {
    const { name } = descriptor;
    if (name === "WM/Picture") {
      hasPicture = true;
      continue;
    }
    const known = asfNames[name];
    const value = descriptor.toString() ?? "";
    if (known !== undefined) fields.own(known, value);
    else fields.free(name, value);
  }
  return hasPicture;
}

const infoItems: Readonly<Record<string, string>> = {
  INAM: "TITLE",
  IPRD: "ALBUM",
  IART: "ARTIST",
  IMUS: "COMPOSER",
  ICRD: "DATE",
  IGNR: "GENRE",
  ICMT: "COMMENT",
  ISBJ: "DESCRIPTION",
  IPRT: "TRACKNUMBER",
  ITRK: "TRACKNUMBER",
  ILNG: "LANGUAGE",
  IPUB: "PUBLISHER",
};

/** RIFF INFO. */
export function readInfo(tag: InfoTag, fields: TagFields): void {
  for (const [id, name] of Object.entries(infoItems)) {
    for (const value of tag.getValuesAsStrings(id)) fields.own(name, value);
  }
}

/** What the library understands of a tag of the simplest kind (ID3v1). */
export function readSimple(tag: Tag, fields: TagFields): void {
  fields.own("TITLE", tag.title ?? "");
  fields.own("ALBUM", tag.album ?? "");
  for (const performer of tag.performers ?? []) fields.own("ARTIST", performer);
  for (const genre of tag.genres ?? []) fields.own("GENRE", genre);
  fields.own("COMMENT", tag.comment ?? "");
  if (tag.year > 0) fields.own("DATE", String(tag.year));
  if (tag.track > 0) fields.own("TRACKNUMBER", String(tag.track));
}
