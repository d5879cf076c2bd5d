import { readFile, writeFile } from "node:fs/promises";
import type { TrackChapter } from "../../domain/scan.ts";
import type { AudioTags } from "./audio-tags.ts";
import { makeMatroska } from "./matroska-sound.ts";
import { type Mp4Layout, makeMp4, mp4TagOf } from "./mp4-sound.ts";
import { stretchSound } from "./stretch-sound.ts";
import { writeTags } from "./write-tags.ts";

export type { AudioTags } from "./audio-tags.ts";

export interface AudioContent {
  readonly tags: AudioTags;
  /** Not for wma, which has no chapters that anybody writes. */
  readonly chapters?: readonly TrackChapter[];
  /** A JPEG or PNG; not for webm. */
  readonly picture?: Buffer;
  /** The template's (about one second) when left out. */
  readonly durationSeconds?: number;
  /** Of an MP4's chapters; both when left out. */
  readonly chapterStyle?: "track" | "chpl" | "both";
  /** Where an MP4 says what is in it; first when left out. */
  readonly moov?: "first" | "last";
  /** 4 when left out. */
  readonly id3Version?: 3 | 4;
}

/** Template and, for MP4, the brand that its header names. */
const templates: Readonly<Record<string, { readonly file: string; readonly brand?: string }>> = {
  m4b: { file: "sound.mp4", brand: "M4B " },
  m4a: { file: "sound.mp4", brand: "M4A " },
  mp4: { file: "sound.mp4", brand: "isom" },
  mp3: { file: "sound.mp3" },
  aac: { file: "sound.aac" },
  flac: { file: "sound.flac" },
  ogg: { file: "sound.ogg" },
  oga: { file: "sound.ogg" },
  opus: { file: "sound.opus" },
  wma: { file: "sound.wma" },
  wav: { file: "sound.wav" },
  aif: { file: "sound.aiff" },
  aiff: { file: "sound.aiff" },
  mka: { file: "sound.mka" },
  webm: { file: "sound.webm" },
};

/** Every extension that `makeAudio` knows, without the dot. */
export const audioExtensions: readonly string[] = Object.keys(templates);

/** Writes a valid audio file; its extension gives the format. Throws for an extension that is none of `audioExtensions`. */
export async function makeAudio(path: string, content: AudioContent): Promise<void> {
  await writeFile(path, await makeAudioBytes(extensionOf(path), content));
}

/** The bytes of such a file. */
export async function makeAudioBytes(extension: string, content: AudioContent): Promise<Buffer> {
  const template = templates[extension];
  if (template === undefined) {
    throw new Error(`No template for ".${extension}"; there are: ${audioExtensions.join(", ")}.`);
  }
  const sound = await readFile(new URL(`./templates/${template.file}`, import.meta.url));
  const { tags, chapters = [], picture = null, durationSeconds = null } = content;
  const kind = template.file.slice(template.file.lastIndexOf(".") + 1);
  if (kind === "mka" || kind === "webm") {
    return makeMatroska(sound, { tags, chapters, picture, durationSeconds });
  }
  if (kind === "wma" && chapters.length > 0) throw new Error("A wma file cannot be given chapters.");
  const tagContent = { tags, chapters, picture, id3Version: content.id3Version ?? 4 };
  if (template.brand !== undefined) {
    const layout: Mp4Layout = {
      brand: template.brand,
      durationSeconds: durationSeconds ?? 1,
      chapters,
      chapterStyle: content.chapterStyle ?? "both",
      moov: content.moov ?? "first",
      tag: null,
    };
    // node-taglib-sharp damages boxes that it does not know (chpl): it fills the tag of a file without them.
    const tagged = writeTags("sound.mp4", makeMp4(sound, { ...layout, chapters: [] }), tagContent);
    return makeMp4(sound, { ...layout, tag: mp4TagOf(tagged) });
  }
  return writeTags(`sound.${kind}`, stretched(kind, sound, durationSeconds), tagContent);
}

function stretched(kind: string, sound: Buffer, durationSeconds: number | null): Buffer {
  const stretch = stretchSound[kind];
  return stretch === undefined || durationSeconds === null ? sound : stretch(sound, durationSeconds);
}

function extensionOf(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1).toLowerCase();
}
