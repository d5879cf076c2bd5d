import {
  AacFile,
  AsfFile,
  ByteVector,
  FlacFile,
  Id3v2Tag,
  type IPicture,
  Mpeg4File,
  MpegAudioFile,
  OggFile,
  PictureType,
  ReadStyle,
  RiffFile,
} from "node-taglib-sharp";
import { kindOfFile, maxId3Bytes } from "./read-format.ts";
import { type IffReading, readAiffChunks, readRf64Chunks } from "./read-iff.ts";
import { type AudioKind, id3TagBytes } from "./read-kind.ts";
import { readMatroska } from "./read-matroska.ts";
import { isOggFlac, readOggFlac } from "./read-ogg-flac.ts";
import { createFileWindow, type FileWindow } from "./read-window.ts";
import { createTagFields } from "./tags-fields.ts";

type ReadPictures = (window: FileWindow) => readonly Pick<IPicture, "type" | "data">[];

const formats: Readonly<Record<AudioKind, ReadPictures>> = {
  mp4: (window) => new Mpeg4File(window, ReadStyle.None).tag.pictures,
  flac: (window) => new FlacFile(window, ReadStyle.None).tag.pictures,
  ogg: (window) =>
    isOggFlac(window.head(64))
      ? (readOggFlac(window)?.comment?.pictures ?? [])
      : new OggFile(window, ReadStyle.None).tag.pictures,
  matroska: picturesOfMatroska,
  asf: (window) => new AsfFile(window, ReadStyle.None).tag.pictures,
  wav: (window) => new RiffFile(window, ReadStyle.None).tag.pictures,
  rf64: (window) => picturesOfIff(window, readRf64Chunks(window)),
  aiff: (window) => picturesOfIff(window, readAiffChunks(window)),
  mpeg: (window) => new MpegAudioFile(window, ReadStyle.None).tag.pictures,
  adts: (window) => new AacFile(window, ReadStyle.None).tag.pictures,
};

/** The front cover that is in a file, else the first picture there; null where there is none. Throws what reading throws. */
export function readPicture(path: string): Uint8Array | null {
  const window = createFileWindow();
  try {
    window.open(path);
    const kind = kindOfFile(window);
    const pictures = kind === null ? [] : formats[kind](window).filter(({ data }) => data.length > 0);
    const picture = pictures.find(({ type }) => type === PictureType.FrontCover) ?? pictures[0];
    if (window.failure !== null) throw window.failure;
    return picture?.data.toByteArray() ?? null;
  } finally {
    window.close();
  }
}

function picturesOfMatroska(window: FileWindow): ReturnType<ReadPictures> {
  const place = readMatroska(window, createTagFields())?.picture ?? null;
  if (place === null) return [];
  const bytes = window.bytesAt(place.start, place.end - place.start);
  return [{ type: PictureType.FrontCover, data: ByteVector.fromByteArray(Uint8Array.from(bytes)) }];
}

function picturesOfIff(window: FileWindow, iff: IffReading | null): ReturnType<ReadPictures> {
  if (iff?.id3 == null) return [];
  const bytes = window.bytesAt(iff.id3.start, Math.min(iff.id3.sizeBytes, maxId3Bytes));
  return id3TagBytes(bytes) === 0 ? [] : Id3v2Tag.fromData(ByteVector.fromByteArray(bytes)).pictures;
}
