import { hash } from "node:crypto";
import { constants } from "node:os";
import {
  AacFileSettings,
  FlacFileSettings,
  MpegAudioFileSettings,
  TagTypes,
  WaveFileSettings,
} from "node-taglib-sharp";
import type { ScanProblemCode, TrackReading, TrackResult } from "../domain/scan.ts";
import { systemCode } from "../errors.ts";
import { finishChapters } from "./chapters-list.ts";
import { readFormat } from "./read-format.ts";
import { createFileWindow, type FileWindow, NotAFileError } from "./read-window.ts";
import { createTagFields, toTrackTags } from "./tags-fields.ts";

/** What came of one file; `lost` means that the disk is gone, not that the file is bad. */
export type TrackOutcome =
  | TrackResult
  | { readonly lost: true; readonly code: string; readonly path: string };

/**
 * Reads one file after the other with the same buffers. Never throws for what is in a file or for what the
 * system says about it.
 */
export function createTrackReader(): (path: string) => TrackOutcome {
  leaveTagsAsTheyAre();
  const window = createFileWindow();
  return (path) => {
    try {
      window.open(path);
      return { ok: true, reading: readOpen(window) };
    } catch (error) {
      return outcomeOf(window.failure ?? error, path, window.sizeBytes);
    } finally {
      window.close();
    }
  };
}

/** Reading is not to make default tags and to copy what is there into them, which the library does otherwise. */
function leaveTagsAsTheyAre(): void {
  AacFileSettings.defaultTagTypes = TagTypes.None;
  FlacFileSettings.defaultTagTypes = TagTypes.None;
  MpegAudioFileSettings.defaultTagTypes = TagTypes.None;
  WaveFileSettings.defaultTagTypes = TagTypes.None;
}

class UnreadableError extends Error {
  override readonly name = "UnreadableError";
}

const headHashBytes = 4096;

/** Longer than any book: what says more is damaged. */
const longestSeconds = 100_000_000;

function readOpen(window: FileWindow): TrackReading {
  if (window.sizeBytes === 0) throw new UnreadableError("The file is empty.");
  const headHash = hash("sha256", window.head(headHashBytes), "hex").slice(0, 16);
  const fields = createTagFields();
  const found = readFormat(window, fields);
  if (window.failure !== null) throw window.failure;
  if (found === null) throw new UnreadableError("The file holds no audio that we know.");
  const seconds = found.durationSeconds;
  const isPossible = Number.isFinite(seconds) && seconds > 0 && seconds < longestSeconds;
  const durationSeconds = isPossible ? seconds : 0;
  return {
    tags: toTrackTags(fields),
    durationSeconds,
    bitrateKbps: durationSeconds === 0 ? null : Math.round((window.sizeBytes * 8) / durationSeconds / 1000),
    chapters: finishChapters(found.chapters, Math.round(durationSeconds * 1000)),
    hasPicture: found.hasPicture,
    headHash,
  };
}

/** The whole file system is gone, or this process has no room left to open files: no verdict on the file. */
const lostCodes: ReadonlySet<string> = new Set([
  "EIO",
  "ENOTCONN",
  "ESTALE",
  "ENODEV",
  "ETIMEDOUT",
  "EHOSTDOWN",
  "EMFILE",
  "ENFILE",
]);

const problems: Readonly<Record<string, readonly [ScanProblemCode, string]>> = {
  ENOENT: ["vanished", "The file was gone when it was to be read."],
  ENOTDIR: ["vanished", "The file's folder was gone when it was to be read."],
  EACCES: ["unreadable_file", "Reading is not permitted: check the owner and the mode of the file."],
  EPERM: ["unreadable_file", "Reading is not permitted: check the owner and the mode of the file."],
  ELOOP: ["unreadable_file", "The file is a link that leads in a circle."],
  ENAMETOOLONG: ["path_too_long", "The path is too long for the system to open it."],
  EISDIR: ["not_a_file", "This is a folder, not a file."],
  // What the system says to opening a socket.
  ENXIO: ["not_a_file", "This is not a regular file."],
};

function outcomeOf(error: unknown, path: string, sizeBytes: number): TrackOutcome {
  if (error instanceof NotAFileError) return problem("not_a_file", "This is not a regular file.");
  if (error instanceof UnreadableError) return problem("unreadable_audio", error.message);
  const code = codeOf(error);
  if (code !== null && lostCodes.has(code)) return { lost: true, code, path };
  const known = code === null ? undefined : problems[code];
  if (known !== undefined) return problem(known[0], known[1]);
  if (code !== null && /^(E[A-Z0-9]+$|Unknown system error)/.test(code)) {
    return problem("unreadable_file", `The system could not read the file (${code}).`);
  }
  const reason = error instanceof Error ? error.message : String(error);
  return problem(
    "unreadable_audio",
    `The file is damaged or cut off (${sizeBytes} bytes): ${reason.slice(0, 200)}`,
  );
}

/** libuv has no name for a stale NFS handle: Node gives the bare number. */
function codeOf(error: unknown): string | null {
  const isStale = error instanceof Error && "errno" in error && error.errno === -constants.errno.ESTALE;
  return isStale ? "ESTALE" : systemCode(error);
}

function problem(code: ScanProblemCode, message: string): TrackResult {
  return { ok: false, code, message };
}
