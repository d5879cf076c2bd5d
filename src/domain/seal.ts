import { hash } from "node:crypto";

/** Of a text that we write into somebody's folders: what has been changed since does not fit it any more. */
export function sealOf(text: string): string {
  return hash("sha256", text).slice(0, 16);
}

/** What stands around the seal at the end of a sidecar of ours. */
const sidecarEnds = {
  json: [',\n  "tomekeeper": "', '"\n}\n'],
  opf: ["<!-- tomekeeper ", " -->\n"],
} as const;

/** `json`: a key more before the closing brace, which `body` lacks; `opf`: a comment behind it. */
export function sealSidecar(kind: keyof typeof sidecarEnds, body: string): string {
  const [before, after] = sidecarEnds[kind];
  return `${body}${before}${sealOf(body)}${after}`;
}

/** Whether a sidecar was written by us and by nobody since: it says only what we knew already. */
export function isOwnSidecar(text: string): boolean {
  return Object.values(sidecarEnds).some(([before, after]) => {
    const at = text.lastIndexOf(before);
    return at >= 0 && text.slice(at) === `${before}${sealOf(text.slice(0, at))}${after}`;
  });
}
