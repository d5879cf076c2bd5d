import { ByteVector } from "node-taglib-sharp";

type Stretch = (template: Buffer, durationSeconds: number) => Buffer;

/**
 * Gives a template another duration. MP3, ADTS and PCM repeat their sound, to the nearest whole frame or
 * sample; FLAC, Ogg and ASF say the duration in a header, where it is replaced, and keep their second of sound.
 */
export const stretchSound: Readonly<Record<string, Stretch>> = {
  mp3: stretchMp3,
  aac: stretchAdts,
  wav: stretchWav,
  aiff: stretchAiff,
  flac: stretchFlac,
  ogg: (template, seconds) => stretchOgg(template, Math.round(seconds * 8000)),
  opus: (template, seconds) => stretchOgg(template, Math.round(seconds * 48000) + opusPreSkip(template)),
  wma: stretchAsf,
};

const mp3FrameBytes = 24;
const mp3FrameSeconds = 0.024;

/** The template is 24 kHz at 8 kbit/s, every frame of 24 bytes, after one frame that holds the Xing header. */
function stretchMp3(template: Buffer, durationSeconds: number): Buffer {
  const header = template.indexOf("Info", 0, "latin1");
  const soundAt = template.length - mp3FrameBytes * template.readUInt32BE(header + 8);
  const frames = Math.max(1, Math.round(durationSeconds / mp3FrameSeconds));
  const sound = repeat(template.subarray(soundAt), frames * mp3FrameBytes);
  const bytes = Buffer.concat([template.subarray(0, soundAt), sound]);
  bytes.writeUInt32BE(frames, header + 8);
  bytes.writeUInt32BE(bytes.length, header + 12);
  return bytes;
}

/** The template is 16 kHz: 64 ms each frame. */
function stretchAdts(template: Buffer, durationSeconds: number): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at + 6 < template.length; ) {
    const sizeBytes = (template.readUInt32BE(at + 2) >> 5) & 0x1fff;
    frames.push(template.subarray(at, at + sizeBytes));
    at += sizeBytes;
  }
  const count = Math.max(1, Math.round(durationSeconds / 0.064));
  return Buffer.concat(Array.from({ length: count }, (_, i) => frames[i % frames.length] ?? Buffer.alloc(0)));
}

/** 8 kHz, one byte a sample. */
function stretchWav(template: Buffer, durationSeconds: number): Buffer {
  const dataAt = template.indexOf("data", 0, "latin1") + 8;
  const sound = repeat(template.subarray(dataAt), evenSampleCount(durationSeconds));
  const bytes = Buffer.concat([template.subarray(0, dataAt), sound]);
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.writeUInt32LE(sound.length, dataAt - 4);
  return bytes;
}

function stretchAiff(template: Buffer, durationSeconds: number): Buffer {
  const soundAt = template.indexOf("SSND", 0, "latin1") + 16;
  const sound = repeat(template.subarray(soundAt), evenSampleCount(durationSeconds));
  const bytes = Buffer.concat([template.subarray(0, soundAt), sound]);
  bytes.writeUInt32BE(bytes.length - 8, 4);
  bytes.writeUInt32BE(sound.length + 8, soundAt - 12);
  bytes.writeUInt32BE(sound.length, template.indexOf("COMM", 0, "latin1") + 10);
  return bytes;
}

/** RIFF and IFF pad an odd chunk with a byte; an even one needs none. */
function evenSampleCount(durationSeconds: number): number {
  return Math.round(durationSeconds * 4000) * 2;
}

function stretchFlac(template: Buffer, durationSeconds: number): Buffer {
  const bytes = Buffer.from(template);
  const totalSamplesAt = 8 + 14;
  bytes.writeUInt32BE(Math.round(durationSeconds * 8000), totalSamplesAt);
  // An MD5 of zeros says that it is not known; the old one is that of the template's sound.
  bytes.fill(0, totalSamplesAt + 4, totalSamplesAt + 20);
  return bytes;
}

/** The duration of an Ogg stream is the granule position of its last page. */
function stretchOgg(template: Buffer, granulePosition: number): Buffer {
  const bytes = Buffer.from(template);
  const page = bytes.subarray(bytes.lastIndexOf("OggS", undefined, "latin1"));
  page.writeBigInt64LE(BigInt(granulePosition), 6);
  page.writeUInt32LE(0, 22);
  page.writeUInt32LE(ByteVector.fromByteArray(page).checksum, 22);
  return bytes;
}

function opusPreSkip(template: Buffer): number {
  return template.readUInt16LE(template.indexOf("OpusHead", 0, "latin1") + 10);
}

function stretchAsf(template: Buffer, durationSeconds: number): Buffer {
  const bytes = Buffer.from(template);
  const fileProperties = bytes.indexOf(Buffer.from("a1dcab8c47a9cf118ee400c00c205365", "hex"));
  const prerollMs = Number(bytes.readBigUInt64LE(fileProperties + 80));
  const ticks = BigInt(Math.round(durationSeconds * 10_000_000));
  bytes.writeBigUInt64LE(ticks + BigInt(prerollMs) * 10_000n, fileProperties + 64);
  bytes.writeBigUInt64LE(ticks, fileProperties + 72);
  return bytes;
}

function repeat(sound: Buffer, lengthBytes: number): Buffer {
  return Buffer.alloc(lengthBytes, sound);
}
