/** What a picture is by its first bytes, since anybody's word for it may be wrong; null for what is none. */
export function pictureExtension(bytes: Uint8Array): "jpg" | "png" | "webp" | "gif" | null {
  const starts = (wanted: readonly number[], at = 0): boolean =>
    wanted.every((byte, index) => bytes[at + index] === byte);
  if (starts([0xff, 0xd8, 0xff])) return "jpg";
  if (starts([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return "png";
  if (starts([0x47, 0x49, 0x46, 0x38])) return "gif";
  return starts([0x52, 0x49, 0x46, 0x46]) && starts([0x57, 0x45, 0x42, 0x50], 8) ? "webp" : null;
}
