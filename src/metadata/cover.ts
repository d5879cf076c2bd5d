import { AppError } from "../errors.ts";
import type { Http } from "./http.ts";

export interface Picture {
  readonly bytes: Buffer;
  readonly extension: "jpg" | "png" | "webp" | "gif";
}

/**
 * Gets a picture. Throws what `Http.fetch` throws, and `answer_invalid` for what is no picture, whatever it calls itself.
 */
export async function fetchPicture(http: Http, address: string, signal: AbortSignal): Promise<Picture> {
  const url = URL.parse(address);
  if (url === null) throw new AppError("address_refused", "The cover's address is none");
  const { status, type, body } = await http.fetch(url, {
    signal,
    accept: "image/jpeg, image/png, image/webp, image/gif",
  });
  if (status === 404) throw new AppError("answer_invalid", `${url.host} has no cover there (404)`);
  const extension = extensionOf(body);
  if (extension === null) {
    const what = body.length === 0 ? "nothing" : type === "" ? "something else" : type;
    throw new AppError("answer_invalid", `${url.host} answers with ${what} where a cover should be`);
  }
  return { bytes: body, extension };
}

/** By the first bytes, since a server's word for it may be wrong. */
function extensionOf(body: Buffer): Picture["extension"] | null {
  const starts = (bytes: readonly number[], at = 0) =>
    bytes.every((byte, index) => body[at + index] === byte);
  if (starts([0xff, 0xd8, 0xff])) return "jpg";
  if (starts([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return "png";
  if (starts([0x47, 0x49, 0x46, 0x38])) return "gif";
  return starts([0x52, 0x49, 0x46, 0x46]) && starts([0x57, 0x45, 0x42, 0x50], 8) ? "webp" : null;
}
