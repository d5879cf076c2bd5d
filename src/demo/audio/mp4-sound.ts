import type { TrackChapter } from "../../domain/scan.ts";

export interface Mp4Layout {
  /** Four characters: `M4B `, `M4A `, `isom`. */
  readonly brand: string;
  readonly durationSeconds: number;
  readonly chapters: readonly TrackChapter[];
  /** A text track, a Nero `chpl` box, or both as most tools write them. */
  readonly chapterStyle: "track" | "chpl" | "both";
  /** Where the description of the sound is: before it (made for streaming) or after it. */
  readonly moov: "first" | "last";
  /** The `meta` box of an iTunes tag; an empty one when null. */
  readonly tag: Buffer | null;
}

interface Sample {
  readonly bytes: Buffer;
  /** In units of the track's time scale. */
  readonly duration: number;
}

const audioTrackId = 1;
const chapterTrackId = 2;
const milliseconds = 1000;
const samplesPerFrame = 1024;

/**
 * An MP4 file with the template's sound, these chapters and this tag. A longer duration than the
 * template's is given to the last sample, so the file stays small at any length.
 */
export function makeMp4(template: Buffer, layout: Mp4Layout): Buffer {
  const { timescale, description, frames } = readTemplate(template);
  const total = Math.round(layout.durationSeconds * timescale);
  const usual = Math.max(1, Math.min(samplesPerFrame, Math.floor(total / frames.length)));
  const audio = frames.map((bytes, i) => ({
    bytes,
    duration: i < frames.length - 1 ? usual : total - usual * (frames.length - 1),
  }));
  const withTrack = layout.chapters.length > 0 && layout.chapterStyle !== "chpl";
  const withChpl = layout.chapters.length > 0 && layout.chapterStyle !== "track";
  const texts = withTrack ? layout.chapters.map(textSample) : [];

  const fileType = box("ftyp", ascii(layout.brand), u32(0x200), ascii(layout.brand), ascii("isom"));
  const durationMs = Math.round(layout.durationSeconds * 1000);
  const audioBytes = Buffer.concat(audio.map((sample) => sample.bytes));
  const media = box("mdat", audioBytes, ...texts.map((sample) => sample.bytes));
  const movie = (mediaAt: number): Buffer =>
    box(
      "moov",
      movieHeader(durationMs),
      track({
        id: audioTrackId,
        handler: "soun",
        header: box("smhd", u32(0), u32(0)),
        description,
        timescale,
        samples: audio,
        offset: mediaAt,
        durationMs,
        references: withTrack ? box("tref", box("chap", u32(chapterTrackId))) : Buffer.alloc(0),
      }),
      withTrack
        ? track({
            id: chapterTrackId,
            handler: "text",
            header: box("gmhd", box("gmin", u32(0), Buffer.alloc(12))),
            description: textDescription(),
            timescale: milliseconds,
            samples: texts,
            offset: mediaAt + audioBytes.length,
            durationMs,
            references: Buffer.alloc(0),
          })
        : Buffer.alloc(0),
      box("udta", layout.tag ?? emptyTag(), withChpl ? neroChapters(layout.chapters) : Buffer.alloc(0)),
    );
  if (layout.moov === "last") return Buffer.concat([fileType, media, movie(fileType.length + 8)]);
  const movieSize = movie(0).length;
  return Buffer.concat([fileType, movie(fileType.length + movieSize + 8), media]);
}

/** The tag of a file that `makeMp4` made and node-taglib-sharp filled. */
export function mp4TagOf(file: Buffer): Buffer {
  const start = file.indexOf("meta", file.indexOf("udta", 0, "latin1"), "latin1") - 4;
  return file.subarray(start, start + file.readUInt32BE(start));
}

function readTemplate(template: Buffer): {
  readonly timescale: number;
  readonly description: Buffer;
  readonly frames: readonly Buffer[];
} {
  const content = (type: string): Buffer => {
    const at = template.indexOf(type, 0, "latin1");
    return template.subarray(at + 4, at - 4 + template.readUInt32BE(at - 4));
  };
  const sizes = content("stsz");
  const frames: Buffer[] = [];
  let position = content("stco").readUInt32BE(8);
  for (let i = 0; i < sizes.readUInt32BE(8); i++) {
    const sizeBytes = sizes.readUInt32BE(12 + i * 4);
    frames.push(template.subarray(position, position + sizeBytes));
    position += sizeBytes;
  }
  return {
    timescale: content("mdhd").readUInt32BE(12),
    description: box("stsd", content("stsd")),
    frames,
  };
}

function movieHeader(durationMs: number): Buffer {
  return box(
    "mvhd",
    u32(0, 0, 0, milliseconds, durationMs, 0x10000),
    Buffer.from([1, 0]),
    Buffer.alloc(10),
    unityMatrix(),
    Buffer.alloc(24),
    u32(chapterTrackId + 1),
  );
}

function track(content: {
  readonly id: number;
  readonly handler: string;
  readonly header: Buffer;
  readonly description: Buffer;
  readonly timescale: number;
  readonly samples: readonly Sample[];
  /** Where the samples begin in the file; they lie together, as one chunk. */
  readonly offset: number;
  readonly durationMs: number;
  readonly references: Buffer;
}): Buffer {
  const { samples } = content;
  const enabled = content.id === audioTrackId ? 7 : 0;
  const total = samples.reduce((sum, sample) => sum + sample.duration, 0);
  const headerBox = box(
    "tkhd",
    u32(enabled, 0, 0, content.id, 0, content.durationMs, 0, 0, 0, 0),
    unityMatrix(),
    u32(0, 0),
  );
  const table = box(
    "stbl",
    content.description,
    box("stts", u32(0, samples.length), ...samples.map((sample) => u32(1, sample.duration))),
    box("stsc", u32(0, 1, 1, samples.length, 1)),
    box("stsz", u32(0, 0, samples.length), ...samples.map((sample) => u32(sample.bytes.length))),
    box("stco", u32(0, 1, content.offset)),
  );
  const dataHere = box("dinf", box("dref", u32(0, 1), box("url ", u32(1))));
  return box(
    "trak",
    headerBox,
    content.references,
    box(
      "mdia",
      box("mdhd", u32(0, 0, 0, content.timescale, total, 0x55c40000)),
      box("hdlr", u32(0, 0), ascii(content.handler), Buffer.alloc(13)),
      box("minf", content.header, dataHere, table),
    ),
  );
}

function textSample(chapter: TrackChapter): Sample {
  const text = Buffer.from(chapter.title, "utf8");
  const size = Buffer.alloc(2);
  size.writeUInt16BE(text.length);
  return { bytes: Buffer.concat([size, text]), duration: chapter.endMs - chapter.startMs };
}

/** A QuickTime text sample description with everything at its default. */
function textDescription(): Buffer {
  const entry = box("text", Buffer.alloc(6), Buffer.from([0, 1]), Buffer.alloc(43));
  return box("stsd", u32(0, 1), entry);
}

/** Nero's `chpl`: times in units of 100 ns, titles of at most 255 bytes. */
function neroChapters(chapters: readonly TrackChapter[]): Buffer {
  const entries = chapters.map((chapter) => {
    const title = Buffer.from(chapter.title, "utf8").subarray(0, 255);
    const start = Buffer.alloc(8);
    start.writeBigUInt64BE(BigInt(chapter.startMs) * 10_000n);
    return Buffer.concat([start, Buffer.from([title.length]), title]);
  });
  return box("chpl", u32(0x01000000), Buffer.alloc(1), u32(chapters.length), ...entries);
}

/** An iTunes tag with nothing in it; node-taglib-sharp fills one but cannot make one (its `hdlr` has no name). */
function emptyTag(): Buffer {
  const handler = box("hdlr", u32(0, 0), ascii("mdirappl"), Buffer.alloc(9));
  return box("meta", u32(0), handler, box("ilst"));
}

function unityMatrix(): Buffer {
  return u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);
}

function box(type: string, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([u32(body.length + 8), ascii(type), body]);
}

function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, i * 4);
  return bytes;
}

function ascii(text: string): Buffer {
  return Buffer.from(text, "latin1");
}
