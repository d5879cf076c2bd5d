import { pictureExtension } from "../domain/picture.ts";
import { AppError } from "../errors.ts";
import type { Http } from "./http.ts";

export interface Picture {
  readonly bytes: Buffer;
  readonly extension: NonNullable<ReturnType<typeof pictureExtension>>;
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
  const extension = pictureExtension(body);
  if (extension === null) {
    const what = body.length === 0 ? "nothing" : type === "" ? "something else" : type;
    throw new AppError("answer_invalid", `${url.host} answers with ${what} where a cover should be`);
  }
  return { bytes: body, extension };
}
