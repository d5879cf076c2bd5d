import * as z from "zod";
import type { Root } from "../domain/book.ts";

/*
 * Long, because it is one table: the reference page, the JSON Schema and the types are made from it, in its order.
 */

/** How an operation is tried again whose kind is not named in `queue.retry`. */
export const defaultRetry = { attempts: 4, first_seconds: 5, most_seconds: 300 };

const idText = "1 to 64 of a-z, 0-9, _ and -";

/**
 * Every setting there is: type, default, limits, description, whether it is a secret and whether a change
 * needs a restart. The TypeScript type, the JSON Schema, the environment's names, `config print` and the
 * reference page all come from this one place.
 */
export const configSchema = z
  .strictObject({
    node: z
      .string()
      .regex(/^[a-z0-9_-]{1,64}$/)
      .default("main")
      .meta(
        about("The runner's name on the bus: its topics start with `tomekeeper/<node>`.", {
          allowed: idText,
        }),
      ),
    data_dir: z
      .string()
      .min(1)
      .optional()
      .meta(
        about(
          "Folder for the catalogue, the operations and the journals. Default: `$XDG_DATA_HOME/tomekeeper`, else `~/.local/share/tomekeeper`.",
          { isPath: true },
        ),
      ),
    log_level: z
      .enum(["debug", "info", "warn", "error"])
      .default("info")
      .meta(about("The least severe messages that are logged.", { live: true })),
    cache_size: z
      .int()
      .min(0)
      .max(100_000)
      .default(1000)
      .meta(about("Answers to catalogue queries that are kept in memory.")),
    roots: z
      .array(
        z.strictObject({
          id: z
            .string()
            .regex(/^[a-z0-9_-]{1,64}$/)
            .optional()
            .meta(
              about("The root's name in topics and in the catalogue. Default: made of the folder's name.", {
                allowed: idText,
              }),
            ),
          path: z
            .string()
            .min(1)
            .meta(about("The folder.", { isPath: true })),
          kind: z
            .enum(["library", "inbox"])
            .default("library")
            .meta(about("`library`: ours to organize into; `inbox`: where downloads land.")),
          optional: z
            .boolean()
            .default(false)
            .meta(about("Whether the runner starts without it, its books offline, until it is back.")),
          watch: z.boolean().default(true).meta(about("Whether changes in it are noticed by themselves.")),
        }),
      )
      .max(100)
      .default([])
      .meta(about("The folders that hold the audiobooks. None of them may lie inside another.")),
    mqtt: z
      .strictObject({
        url: z
          .string()
          .regex(/^(mqtt|mqtts|tcp|ssl|ws|wss):\/\/[^/]+/)
          .nullable()
          .default(null)
          .meta(
            about(
              "The broker, as `mqtt://host:1883` or `mqtts://host:8883`. Without it the runner starts its own.",
              { allowed: "an address such as mqtt://host:1883 or mqtts://host:8883 (also ws://, wss://)" },
            ),
          ),
        username: z.string().min(1).nullable().default(null).meta(about("User at that broker.")),
        password: z
          .string()
          .min(1)
          .nullable()
          .default(null)
          .meta(about("Password at that broker.", { isSecret: true })),
        password_file: passwordFile(),
        ca: z
          .string()
          .min(1)
          .nullable()
          .default(null)
          .meta(
            about("File with the certificate authority that signed the broker's certificate.", {
              isPath: true,
            }),
          ),
        embedded: z
          .strictObject({
            host: z
              .string()
              .min(1)
              .default("127.0.0.1")
              .meta(
                about(
                  "Address that the runner's own broker listens on. Beyond loopback it needs `users`, and `tls` or `allow_plaintext`.",
                ),
              ),
            port: z.int().min(0).max(65_535).default(1883).meta(about("Its port; 0 takes any free one.")),
            ws_port: z
              .int()
              .min(0)
              .max(65_535)
              .nullable()
              .default(null)
              .meta(
                about(
                  "Its port for MQTT over WebSocket, for pages, such as 9001; without it there is none. The same address, users and TLS.",
                ),
              ),
            users: z
              .array(
                z.strictObject({
                  username: z.string().min(1).max(256).meta(about("Name.")),
                  password: z
                    .string()
                    .min(1)
                    .optional()
                    .meta(about("Password.", { isSecret: true })),
                  password_file: passwordFile(),
                  role: z
                    .enum(["admin", "control", "read"])
                    .default("control")
                    .meta(
                      about(
                        "`read`: sees the state; `control`: sends commands too; `admin`: may publish anything.",
                      ),
                    ),
                }),
              )
              .max(1000)
              .default([])
              .meta(about("Who may connect to it. Where there is one, nobody connects without a password.")),
            tls: z
              .strictObject({
                cert: z
                  .string()
                  .min(1)
                  .meta(about("File with the certificate.", { isPath: true })),
                key: z
                  .string()
                  .min(1)
                  .meta(about("File with its key.", { isPath: true })),
              })
              .nullable()
              .default(null)
              .meta(about("Encrypts its connections.")),
            allow_plaintext: z
              .boolean()
              .default(false)
              .meta(
                about("Whether it may listen beyond loopback without TLS: passwords can be read on the way."),
              ),
          })
          .prefault({})
          .meta(about("The runner's own broker, for when `url` is not set.")),
      })
      .prefault({})
      .meta(about("The connection to the bus.")),
    scan: z
      .strictObject({
        concurrency: z
          .int()
          .min(1)
          .max(64)
          .default(4)
          .meta(
            about("Files read at the same time; the tag workers follow it, as far as there are cores.", {
              live: true,
              atLeastOne: true,
            }),
          ),
        walk_concurrency: z
          .int()
          .min(1)
          .max(256)
          .default(16)
          .meta(about("Folders listed at the same time. Raise it for network shares.", { atLeastOne: true })),
        on_startup: z
          .boolean()
          .default(true)
          .meta(about("Whether every start scans all roots.", { live: true })),
        checkpoint_interval: z
          .int()
          .min(1)
          .max(100_000)
          .default(100)
          .meta(about("Folders between two points at which an interrupted scan can go on.", { live: true })),
        file_timeout_ms: z
          .int()
          .min(100)
          .max(600_000)
          .default(5000)
          .meta(about("The longest that one file may take to read, in milliseconds.")),
        ignore: z
          .array(z.string().min(1))
          .max(1000)
          .default([])
          .meta(about("Patterns of files and folders to leave out, such as `**/Samples`.", { live: true })),
      })
      .prefault({})
      .meta(about("How folders are read.")),
    organize: z
      .strictObject({
        strategy: z
          .enum(["auto", "reflink", "hardlink", "copy", "symlink", "move"])
          .default("auto")
          .meta(
            about("How files get to their place. `auto`: reflink, else hardlink, else copy.", { live: true }),
          ),
        pattern: z
          .string()
          .min(1)
          .default("{author}/{series}/{series_number:02 - }{title}{ (year)}/{title}{ - part:02}")
          .meta(about("The path of a file below the library, without its extension.", { live: true })),
        library: z
          .boolean()
          .default(false)
          .meta(
            about("Whether books of library roots are moved to where the pattern puts them, too.", {
              live: true,
            }),
          ),
        destination: z
          .string()
          .min(1)
          .nullable()
          .default(null)
          .meta(
            about("Id of the library root that books of inboxes go to. Default: the first library root.", {
              live: true,
            }),
          ),
        hash_links: z
          .boolean()
          .default(true)
          .meta(
            about(
              "Whether files that are only linked are hashed too, so that `verify` can watch over them.",
              {
                live: true,
              },
            ),
          ),
        concurrency: z
          .int()
          .min(1)
          .max(32)
          .default(4)
          .meta(about("Files placed at the same time.", { live: true, atLeastOne: true })),
        undo_days: z
          .int()
          .min(1)
          .max(3650)
          .default(30)
          .meta(about("Days that what was organized can be undone.", { live: true })),
        trash_days: z
          .int()
          .min(0)
          .max(3650)
          .default(7)
          .meta(
            about(
              "Days that sources moved to another file system stay in `.tomekeeper-trash` beside where they were.",
              { live: true },
            ),
          ),
        auto: z
          .boolean()
          .default(false)
          .meta(
            about("Whether a scan of an inbox is followed by an organize of what it found.", { live: true }),
          ),
        playlist_dir: z
          .string()
          .min(1)
          .nullable()
          .default(null)
          .meta(about("Folder for playlists of the organized books.", { live: true, isPath: true })),
      })
      .prefault({})
      .meta(about("How books are put in order.")),
    write_out: z
      .strictObject({
        metadata_json: z
          .boolean()
          .default(false)
          .meta(
            about(
              "Whether `metadata.json`, as Audiobookshelf has it, is kept beside each book of a library that has a folder of its own. A file of somebody else's is left alone.",
              { live: true },
            ),
          ),
        opf: z
          .boolean()
          .default(false)
          .meta(about("Whether `metadata.opf` is kept there, in the same way.", { live: true })),
        cover: z
          .boolean()
          .default(false)
          .meta(
            about(
              "Whether `organize`, and each fetch after it has ended, puts the cover beside a book that has only an embedded or a fetched one. It can be undone.",
              { live: true },
            ),
          ),
      })
      .prefault({})
      .meta(about("What is written beside the books, for players to see.")),
    queue: z
      .strictObject({
        concurrency: z
          .int()
          .min(1)
          .max(32)
          .default(2)
          .meta(about("Operations that run at the same time.", { live: true, atLeastOne: true })),
        limit: z
          .int()
          .min(1)
          .max(1_000_000)
          .default(20_000)
          .meta(about("Operations that may wait; further ones are refused with `queue_full`.")),
        aging_minutes: z
          .number()
          .min(0.001)
          .max(1440)
          .default(10)
          .meta(about("Minutes of waiting that weigh as much as one step of priority; fractions too.")),
        workers: z
          .strictObject({
            min: z
              .int()
              .min(1)
              .max(32)
              .nullable()
              .default(null)
              .meta(
                about("The least operations at the same time. Default: `queue.concurrency`.", { live: true }),
              ),
            max: z
              .int()
              .min(1)
              .max(32)
              .nullable()
              .default(null)
              .meta(
                about(
                  "The most, while much waits. Default: twice the least, and 1 where that is 1: then they run one after the other.",
                  { live: true },
                ),
              ),
          })
          .prefault({})
          .meta(about("How the number of operations that run at the same time follows the backlog.")),
        pause_between: z
          .array(
            z
              .string()
              .regex(/^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$/)
              .meta({ "x-allowed": "from and to as 01:00-05:00, local time" }),
          )
          .max(24)
          .default([])
          .meta(
            about("Times of the day, as `01:00-05:00` (local time), in which nothing is done.", {
              live: true,
            }),
          ),
        retry: z
          .record(
            z.string().regex(/^(scan|organize|undo|fetch|verify|size)$/),
            z.strictObject({
              attempts: z
                .int()
                .min(1)
                .max(20)
                .default(defaultRetry.attempts)
                .meta(about("Tries altogether; 1 is no second one.")),
              first_seconds: z
                .number()
                .min(0.01)
                .max(86_400)
                .default(defaultRetry.first_seconds)
                .meta(about("Seconds before the second try; doubled with each further one.")),
              most_seconds: z
                .number()
                .min(0.01)
                .max(86_400)
                .default(defaultRetry.most_seconds)
                .meta(about("The longest wait between two tries, in seconds.")),
            }),
          )
          .default({})
          .meta(
            about(
              "When a kind of operation is tried again after an error that may pass by itself, such as a lost disk.",
            ),
          ),
      })
      .prefault({})
      .meta(about("How work waits and runs.")),
    http: z
      .strictObject({
        host: z
          .string()
          .min(1)
          .default("127.0.0.1")
          .meta(about("Address that the port is opened at. Nobody is asked for a password.")),
        port: z
          .int()
          .min(0)
          .max(65_535)
          .nullable()
          .default(null)
          .meta(about("Its port, such as 9464; without it there is none.")),
        url: z
          .url({ protocol: /^https?$/ })
          .transform((url) => url.replace(/\/+$/, ""))
          .nullable()
          .default(null)
          .meta(
            about(
              "Where a hub reaches that port. With it covers are shown there to whoever asks, and the newest book's is an entity of Home Assistant.",
              { allowed: "an address such as http://nas.local:9464" },
            ),
          ),
      })
      .prefault({})
      .meta(about("Health and figures for what watches over containers, and for Prometheus.")),
    memory: z
      .strictObject({
        share: z
          .number()
          .min(0.05)
          .max(1)
          .default(0.5)
          .meta(
            about(
              "The share of the machine's memory that it may use; a container's limit counts whole where it is smaller.",
            ),
          ),
      })
      .prefault({})
      .meta(about("When memory is called tight.")),
    sources: z
      .record(
        z.string().regex(/^[a-z0-9-]{1,64}$/),
        z.strictObject({
          enabled: z.boolean().default(true).meta(about("Whether it is asked.")),
          base_url: z
            .url({ protocol: /^https?$/ })
            .nullable()
            .default(null)
            .meta(
              about("Where it is, if not at its usual address.", {
                allowed: "an address such as https://openlibrary.org",
              }),
            ),
          rate_per_second: z
            .number()
            .min(0.01)
            .max(1000)
            .nullable()
            .default(null)
            .meta(about("The most requests a second; without it the source's own limit.")),
          region: z
            .string()
            .regex(/^[a-z]{2}$/)
            .nullable()
            .default(null)
            .meta(about("The country whose catalogue is asked, as `us` or `de`, where there are several.")),
          file: z
            .string()
            .min(1)
            .nullable()
            .default(null)
            .meta(about("The file it reads, where it reads one.", { isPath: true })),
          token: z
            .string()
            .min(1)
            .nullable()
            .default(null)
            .meta(about("Its access token.", { isSecret: true })),
          token_file: z
            .string()
            .min(1)
            .nullable()
            .default(null)
            .meta(about("File that holds the token.", { isPath: true })),
        }),
      )
      .default({})
      .meta(about("The places metadata comes from, by name.")),
    fetch: z
      .strictObject({
        sources: z
          .array(z.string().regex(/^[a-z0-9-]{1,64}$/))
          .max(32)
          .nullable()
          .default(null)
          .meta(
            about(
              "The sources that are asked, the one whose word counts most first. Default: all that are enabled, in their usual order.",
            ),
          ),
        contact: z
          .string()
          .regex(/^[\x20-\x7e]{1,200}$/)
          .nullable()
          .default(null)
          .meta(
            about(
              "How a source's people can reach you, an e-mail address or a page: it goes with every request.",
            ),
          ),
        concurrency: z
          .int()
          .min(1)
          .max(64)
          .default(8)
          .meta(about("Books that are looked up at the same time.", { live: true })),
        timeout_seconds: z
          .number()
          .min(0.1)
          .max(300)
          .default(10)
          .meta(about("How long a source may take to answer.")),
        found_days: z.number().min(0).max(3650).default(180).meta(about("How long an answer is kept.")),
        not_found_days: z
          .number()
          .min(0)
          .max(3650)
          .default(7)
          .meta(about("How long it is remembered that a source knows nothing.")),
        breaker: z
          .strictObject({
            failures: z
              .int()
              .min(1)
              .max(100)
              .default(5)
              .meta(about("So many failures in a row, and a source is left alone for a while.")),
            open_seconds: z
              .number()
              .min(0.1)
              .max(3600)
              .default(30)
              .meta(about("How long, before one request tries whether it answers again.")),
          })
          .prefault({})
          .meta(about("When a source that fails is left alone.")),
        allow_hosts: z
          .array(
            z
              .string()
              .regex(/^[a-zA-Z0-9.:_[\]-]{1,255}$/)
              .meta({ "x-allowed": "the name or address of a host, without a scheme or a path" }),
          )
          .max(100)
          .default([])
          .meta(
            about(
              "Hosts at home, as `host` or `host:port`, that may be asked although their address is a private one, and without https.",
            ),
          ),
      })
      .prefault({})
      .meta(about("How metadata and covers are fetched.")),
    match: z
      .strictObject({
        threshold: z
          .number()
          .min(0)
          .max(1)
          .default(0.85)
          .meta(about("From this score on what a source offers is taken for the book.", { live: true })),
        review: z
          .number()
          .min(0)
          .max(1)
          .default(0.6)
          .meta(
            about("From this score up to the threshold a person decides; below it is nothing.", {
              live: true,
            }),
          ),
      })
      .prefault({})
      .meta(about("When what a source offers is the book that it was asked for.")),
    plugins: z
      .record(
        z.string().regex(/^[a-z0-9-]{1,64}$/),
        z.looseObject({
          enabled: z
            .boolean()
            .optional()
            .meta(about("Whether it runs. Default: true where it has a section, and for `home-assistant`.")),
          module: z
            .string()
            .min(1)
            .optional()
            .meta(about("Of a plugin that does not come with Tomekeeper: its file.", { isPath: true })),
        }),
      )
      .default({})
      .meta(about("Plugins by name; their further keys are their own.")),
  })
  .meta({ title: "Configuration of Tomekeeper" });

type Parsed = z.output<typeof configSchema>;
type ParsedUser = Parsed["mqtt"]["embedded"]["users"][number];

interface Finished extends Omit<Parsed, "data_dir" | "roots" | "mqtt"> {
  /** Absolute. */
  readonly data_dir: string;
  readonly roots: readonly Root[];
  readonly mqtt: Omit<Parsed["mqtt"], "embedded"> & {
    readonly embedded: Omit<Parsed["mqtt"]["embedded"], "users"> & {
      readonly users: readonly (Omit<ParsedUser, "password"> & { readonly password: string })[];
    };
  };
}

/** The settings in force, in the spelling of the file: every key present, paths absolute, secrets read. */
export type Config = DeepReadonly<Finished>;

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

interface About {
  readonly isSecret?: boolean;
  /** A change takes effect without a restart. */
  readonly live?: boolean;
  /** A file or folder: relative ones are resolved against the place that names them. */
  readonly isPath?: boolean;
  /** A number below one is taken for one, with a warning. */
  readonly atLeastOne?: boolean;
  /** What a text may be, in words: stands in the message about one that may not. */
  readonly allowed?: string;
}

/** A setting's description and nature; the `x-` keys stand in the JSON Schema too, where validators ignore them. */
function about(description: string, nature: About = {}): Record<string, unknown> {
  return {
    description,
    ...(nature.isSecret ? { "x-secret": true } : {}),
    ...(nature.live ? { "x-live": true } : {}),
    ...(nature.isPath ? { "x-path": true } : {}),
    ...(nature.atLeastOne ? { "x-at-least-one": true } : {}),
    ...(nature.allowed === undefined ? {} : { "x-allowed": nature.allowed }),
  };
}

function passwordFile() {
  return z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .meta(about("File that holds the password.", { isPath: true }));
}
