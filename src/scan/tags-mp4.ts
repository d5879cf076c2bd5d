import {
  Genres,
  Mpeg4AppleAdditionalInfoBox,
  Mpeg4AppleDataBox,
  Mpeg4AppleItemListBox,
  type Mpeg4AppleTag,
  type Mpeg4Box,
} from "node-taglib-sharp";
import type { TagFields } from "./tags-fields.ts";

const textAtoms: Readonly<Record<string, string>> = {
  "©nam": "TITLE",
  "©alb": "ALBUM",
  "©ART": "ARTIST",
  aART: "ALBUMARTIST",
  "©wrt": "COMPOSER",
  "©nrt": "NARRATOR",
  "©grp": "GROUPING",
  "©mvn": "MOVEMENTNAME",
  tvsh: "SHOW",
  "©st3": "SUBTITLE",
  Subt: "SUBTITLE",
  "©day": "DATE",
  "©pub": "PUBLISHER",
  desc: "DESCRIPTION",
  ldes: "LONGDESCRIPTION",
  "©des": "DESCRIPTION",
  "©cmt": "COMMENT",
  "©gen": "GENRE",
  CDEK: "CDEK",
};

/**
 * Puts the atoms of an iTunes tag into the fields. `keys` are the names of atoms that have a number for a
 * type, from 1. True where there is a picture.
 */
export function readMp4(tag: Mpeg4AppleTag, keys: readonly string[], fields: TagFields): boolean {
  let hasPicture = false;
  for (const atom of itemList(tag).children) {
    const type = typeOf(atom);
    const name = textAtoms[type];
    if (name !== undefined) for (const data of dataOf(atom)) fields.own(name, textOf(data));
    else if (type === "----") readFreeForm(atom, fields);
    else if (type === "covr") hasPicture ||= dataOf(atom).some((data) => data.data.length > 0);
    else if (type === "trkn" || type === "disk") readPair(type, atom, fields);
    else if (type === "rtng") readRating(atom, fields);
    else if (type === "©mvi") readInteger("MOVEMENT", atom, fields);
    else if (type.startsWith("\0")) readKeyed(type, keys, atom, fields);
    else if (type === "gnre") readGenreNumber(atom, fields);
  }
  return hasPicture;
}

/**
 * The library gives the atoms by a name that one must know; which free-form names a file has is only in the
 * list, which it keeps to itself.
 */
function itemList(tag: Mpeg4AppleTag): Mpeg4AppleItemListBox {
  const list: unknown = Reflect.get(tag, "_ilstBox");
  if (list instanceof Mpeg4AppleItemListBox) return list;
  throw new Error("This release of node-taglib-sharp keeps the item list elsewhere.");
}

function readFreeForm(atom: Mpeg4Box, fields: TagFields): void {
  const infos = atom.children.filter((child) => child instanceof Mpeg4AppleAdditionalInfoBox);
  const name = infos.find((info) => typeOf(info) === "name")?.text;
  if (name === undefined) return;
  for (const data of dataOf(atom)) fields.free(name, textOf(data));
}

function readKeyed(type: string, keys: readonly string[], atom: Mpeg4Box, fields: TagFields): void {
  const name = keys[Buffer.from(type, "latin1").readUInt32BE(0) - 1];
  if (name !== undefined) for (const data of dataOf(atom)) fields.free(name, textOf(data));
}

function readPair(type: "trkn" | "disk", atom: Mpeg4Box, fields: TagFields): void {
  for (const data of dataOf(atom)) {
    const bytes = bytesOf(data);
    if (bytes.length >= 4) {
      fields.own(type === "trkn" ? "TRACKNUMBER" : "DISCNUMBER", String(bytes.readUInt16BE(2)));
    }
  }
}

/** iTunes' advisory: 1 and 4 explicit, 2 a clean version, 0 says nothing. */
function readRating(atom: Mpeg4Box, fields: TagFields): void {
  for (const data of dataOf(atom)) {
    const rating = bytesOf(data).at(-1);
    if (rating !== undefined && rating !== 0) fields.own("EXPLICIT", String(rating));
  }
}

function readInteger(name: string, atom: Mpeg4Box, fields: TagFields): void {
  for (const data of dataOf(atom)) {
    const bytes = bytesOf(data);
    if (bytes.length > 0 && bytes.length <= 6) fields.own(name, String(bytes.readUIntBE(0, bytes.length)));
  }
}

/** `gnre` holds the number of an ID3v1 genre plus one. */
function readGenreNumber(atom: Mpeg4Box, fields: TagFields): void {
  for (const data of dataOf(atom)) {
    const bytes = bytesOf(data);
    const genre =
      bytes.length >= 2 ? Genres.indexToAudio(String(bytes.readUInt16BE(0) - 1), false) : undefined;
    if (genre !== undefined) fields.own("GENRE", genre);
  }
}

function dataOf(atom: Mpeg4Box): readonly Mpeg4AppleDataBox[] {
  return atom.children.filter((child) => child instanceof Mpeg4AppleDataBox);
}

/** Flag 2 is UTF-16; everything else that stands in a text atom is UTF-8, whatever its flag says. */
function textOf(box: Mpeg4AppleDataBox): string {
  const bytes = bytesOf(box);
  if (box.flags !== 2) return bytes.toString("utf8");
  return Buffer.from(bytes.subarray(0, bytes.length - (bytes.length % 2)))
    .swap16()
    .toString("utf16le");
}

function typeOf(box: Mpeg4Box): string {
  const bytes = box.boxType.toByteArray();
  return String.fromCharCode(bytes[0] ?? 0, bytes[1] ?? 0, bytes[2] ?? 0, bytes[3] ?? 0);
}

function bytesOf(box: Mpeg4AppleDataBox): Buffer {
  const array = box.data.toByteArray();
  return Buffer.from(array.buffer, array.byteOffset, array.length);
}
