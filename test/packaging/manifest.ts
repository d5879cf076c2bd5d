import { z } from "zod";

/*
 * The add-on manifest, with the keys that ours may have
 * (https://developers.home-assistant.io/docs/add-ons/configuration). Whatever gives a right of the host is left out, and
 * so are the keys and architectures that are retired.
 */

/** `list(a|b)`, `int(1,5)`, `match(…)`, `str`, `bool`, `password`; a `?` behind it makes it optional. */
const optionType = z
  .string()
  .regex(/^(str|bool|password|int|float|int\(\d+,\d+\)|list\([^()]+(\|[^()]+)*\)|match\(.+\))\??$/);

export const manifest = z.strictObject({
  name: z.string(),
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  slug: z.string().regex(/^[a-z0-9_]+$/),
  description: z.string().max(120),
  url: z.url(),
  arch: z.array(z.enum(["aarch64", "amd64"])).min(1),
  init: z.boolean(),
  startup: z.enum(["initialize", "system", "services", "application", "once"]),
  services: z.array(z.string().regex(/^mqtt:(want|need|provide)$/)),
  map: z.array(z.strictObject({ type: z.enum(["media", "share"]), read_only: z.boolean() })),
  backup: z.enum(["hot", "cold"]),
  backup_pre: z.string(),
  backup_post: z.string(),
  options: z.record(z.string(), z.unknown()),
  schema: z.record(z.string(), z.union([optionType, z.tuple([optionType])])),
});
