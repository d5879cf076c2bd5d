/** What a file is by its first bytes, whatever its name says. */
export type AudioKind =
  | "mp4"
  | "flac"
  | "ogg"
  | "matroska"
  | "asf"
  | "wav"
  | "rf64"
  | "aiff"
  | "mpeg"
  | "adts";

/** Null where nothing is recognized. `mpeg` and `adts` mean only that a frame may begin here. */
export function kindOfBytes(head: Buffer): AudioKind | null {
  const start = head.toString("latin1", 0, 4);
  if (head.toString("latin1", 4, 8) === "ftyp") return "mp4";
  if (start === "OggS") return "ogg";
  if (start === "fLaC") return "flac";
  if (start === "\x1a\x45\xdf\xa3") return "matroska";
  if (start === "\x30\x26\xb2\x75") return "asf";
  if (start === "RIFF" && head.toString("latin1", 8, 12) === "WAVE") return "wav";
  if (start === "RF64" && head.toString("latin1", 8, 12) === "WAVE") return "rf64";
  if (start === "FORM" && /^AIF[FC]$/.test(head.toString("latin1", 8, 12))) return "aiff";
  if (head.length >= 2 && head[0] === 0xff) {
    const second = head.readUInt8(1);
    if ((second & 0xf6) === 0xf0) return "adts";
    if ((second & 0xe0) === 0xe0 && (second & 0x06) !== 0) return "mpeg";
  }
  return null;
}

/** The length of an ID3v2 tag at the start of these bytes, with its header and footer; 0 where there is none. */
export function id3TagBytes(head: Buffer): number {
  if (head.length < 10 || head.toString("latin1", 0, 3) !== "ID3") return 0;
  const hasFooter = (head.readUInt8(5) & 0x10) !== 0;
  const [a = 0, b = 0, c = 0, d = 0] = head.subarray(6, 10);
  return (((a & 0x7f) << 21) | ((b & 0x7f) << 14) | ((c & 0x7f) << 7) | (d & 0x7f)) + (hasFooter ? 20 : 10);
}

/** What the extension promises, for files that begin with padding or junk. */
export function kindOfName(name: string): AudioKind | null {
  const extension = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  if (extension === "mp3") return "mpeg";
  return extension === "aac" ? "adts" : null;
}
