type Text = string | readonly string[];

/** What a made file says about itself. Each key is written in the way that audiobook tools write it in that format. */
export interface AudioTags {
  readonly title?: string;
  readonly album?: string;
  readonly artist?: Text;
  readonly albumArtist?: Text;
  readonly composer?: Text;
  readonly narrator?: Text;
  readonly performer?: Text;
  /** `2` or `"2/3"`. */
  readonly disc?: number | string;
  /** `7` or `"7/20"`. */
  readonly track?: number | string;
  readonly series?: Text;
  readonly seriesPart?: Text;
  readonly grouping?: string;
  /** MVNM, ©mvn. */
  readonly movementName?: string;
  /** MVIN, ©mvi. */
  readonly movement?: number | string;
  /** The television show, which some tools use for a series (`tvsh`). */
  readonly show?: string;
  readonly asin?: string;
  readonly isbn?: string;
  readonly subtitle?: string;
  /** `1999` or a date that begins with it. */
  readonly year?: number | string;
  readonly publisher?: string;
  readonly language?: string;
  readonly description?: string;
  readonly comment?: string;
  readonly genre?: Text;
  readonly explicit?: boolean;
  readonly abridged?: boolean;
  /** More of the free-form kind: TXXX, `----`, a Vorbis field, an ASF descriptor or a Matroska tag of that very name. */
  readonly custom?: Readonly<Record<string, Text>>;
}

/** A value under the name that the format has for it. */
export interface NativeTag {
  readonly name: string;
  readonly values: readonly string[];
}

export type TagFamily = "id3" | "mp4" | "xiph" | "asf" | "matroska";

type Key = Exclude<keyof AudioTags, "custom">;

/** `TXXX:` and `----:` mark free-form names. */
const nativeNames: Readonly<Record<Key, Readonly<Record<TagFamily, string>>>> = {
  title: { id3: "TIT2", mp4: "©nam", xiph: "TITLE", asf: "Title", matroska: "TITLE" },
  album: { id3: "TALB", mp4: "©alb", xiph: "ALBUM", asf: "WM/AlbumTitle", matroska: "ALBUM" },
  artist: { id3: "TPE1", mp4: "©ART", xiph: "ARTIST", asf: "Author", matroska: "ARTIST" },
  albumArtist: {
    id3: "TPE2",
    mp4: "aART",
    xiph: "ALBUMARTIST",
    asf: "WM/AlbumArtist",
    matroska: "ALBUM_ARTIST",
  },
  composer: { id3: "TCOM", mp4: "©wrt", xiph: "COMPOSER", asf: "WM/Composer", matroska: "COMPOSER" },
  narrator: freeForm("NARRATOR", { mp4: "©nrt" }),
  performer: freeForm("PERFORMER"),
  disc: { id3: "TPOS", mp4: "disk", xiph: "DISCNUMBER", asf: "WM/PartOfSet", matroska: "DISC" },
  track: { id3: "TRCK", mp4: "trkn", xiph: "TRACKNUMBER", asf: "WM/TrackNumber", matroska: "PART_NUMBER" },
  series: freeForm("SERIES"),
  seriesPart: freeForm("SERIES-PART"),
  grouping: {
    id3: "TIT1",
    mp4: "©grp",
    xiph: "GROUPING",
    asf: "WM/ContentGroupDescription",
    matroska: "GROUPING",
  },
  movementName: freeForm("MOVEMENTNAME", { id3: "MVNM", mp4: "©mvn" }),
  movement: freeForm("MOVEMENT", { id3: "MVIN", mp4: "©mvi" }),
  show: freeForm("SHOW", { mp4: "tvsh" }),
  asin: freeForm("ASIN"),
  isbn: freeForm("ISBN"),
  subtitle: freeForm("SUBTITLE", { id3: "TIT3", asf: "WM/SubTitle" }),
  year: { id3: "TDRC", mp4: "©day", xiph: "DATE", asf: "WM/Year", matroska: "DATE_RELEASED" },
  publisher: freeForm("PUBLISHER", { id3: "TPUB", asf: "WM/Publisher" }),
  language: freeForm("LANGUAGE", { id3: "TLAN", asf: "WM/Language" }),
  description: freeForm("DESCRIPTION", { mp4: "desc" }),
  comment: { id3: "COMM", mp4: "©cmt", xiph: "COMMENT", asf: "Description", matroska: "COMMENT" },
  genre: { id3: "TCON", mp4: "©gen", xiph: "GENRE", asf: "WM/Genre", matroska: "GENRE" },
  explicit: freeForm("EXPLICIT", { mp4: "rtng" }),
  abridged: freeForm("ABRIDGED"),
};

/** The tags as the format's own names and texts, in the order in which they were given. */
export function nativeTags(tags: AudioTags, family: TagFamily): readonly NativeTag[] {
  const found: NativeTag[] = [];
  for (const [key, value] of Object.entries(tags)) {
    if (value === undefined) continue;
    if (isKey(key)) found.push({ name: nativeNames[key][family], values: texts(value) });
  }
  for (const [name, value] of Object.entries(tags.custom ?? {})) {
    found.push({ name: freeForm(name)[family], values: texts(value) });
  }
  return found;
}

function freeForm(
  name: string,
  native: Partial<Record<TagFamily, string>> = {},
): Readonly<Record<TagFamily, string>> {
  return { id3: `TXXX:${name}`, mp4: `----:${name}`, xiph: name, asf: name, matroska: name, ...native };
}

function isKey(key: string): key is Key {
  return Object.hasOwn(nativeNames, key);
}

function texts(value: unknown): readonly string[] {
  if (typeof value === "boolean") return [value ? "1" : "0"];
  return Array.isArray(value) ? value.map(String) : [String(value)];
}
