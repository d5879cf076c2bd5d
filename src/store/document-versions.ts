import { AppError } from "../errors.ts";
import { type RawDocument, sealId } from "./document-file.ts";

/** What a document may hold. Free-form JSON is kept as a string: NeDB refuses `.` and `$` in names of fields. */
export type Fields = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

/** One kind of documents: its file, its schema and how it is written. */
export interface DocumentKind<D> {
  /** The file is `<name>.db`. */
  readonly name: string;
  readonly schemaVersion: number;
  /** `migrations[0]` makes version 2 from version 1, and so on: always `schemaVersion - 1` of them. */
  readonly migrations: readonly ((fields: Fields) => Fields)[];
  readonly toFields: (document: D) => Fields;
  /** Throws where the fields are not such a document. */
  readonly fromFields: (fields: unknown) => D;
}

/** A document as it lies in the file: a change writes the next version and then removes the one before. */
export interface StoredVersion<D> {
  readonly id: string;
  readonly version: number;
  readonly document: D;
  /** True where it was read from an older schema and is to be written again. */
  readonly migrated: boolean;
}

interface ReadVersions<D> {
  readonly newest: ReadonlyMap<string, StoredVersion<D>>;
  /** Versions that a crash left behind between writing the next one and removing them. */
  readonly supersededIds: readonly string[];
  readonly problem: { readonly code: "store_newer" | "store_damaged"; readonly message: string } | null;
}

/** Finds the newest version of each document in a file's records, and says what it could not understand. */
export function readVersions<D>(
  kind: DocumentKind<D>,
  records: readonly Readonly<Record<string, unknown>>[],
): ReadVersions<D> {
  const newest = new Map<string, StoredVersion<D>>();
  const supersededIds: string[] = [];
  let problem: ReadVersions<D>["problem"] = null;
  for (const record of liveRecords(records)) {
    try {
      const { key, stored } = fromRaw(kind, record);
      const other = newest.get(key);
      const [winner, loser] =
        other !== undefined && other.version > stored.version ? [other, stored] : [stored, other];
      newest.set(key, winner);
      if (loser !== undefined) supersededIds.push(loser.id);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (problem?.code === "store_newer") continue;
      problem = {
        code: error.code === "store_newer" ? "store_newer" : "store_damaged",
        message: error.message,
      };
    }
  }
  return { newest, supersededIds, problem };
}

export function toRaw<D>(kind: DocumentKind<D>, key: string, version: number, document: D): RawDocument {
  return {
    _id: `${key}#${version}`,
    key,
    version,
    schemaVersion: kind.schemaVersion,
    fields: kind.toFields(document),
  };
}

function liveRecords(
  records: readonly Readonly<Record<string, unknown>>[],
): Iterable<Readonly<Record<string, unknown>>> {
  const live = new Map<unknown, Readonly<Record<string, unknown>>>();
  for (const record of records) {
    if (record["$$deleted"] === true) live.delete(record["_id"]);
    else if (record["_id"] !== sealId) live.set(record["_id"], record);
  }
  return live.values();
}

function fromRaw<D>(
  kind: DocumentKind<D>,
  record: Readonly<Record<string, unknown>>,
): { readonly key: string; readonly stored: StoredVersion<D> } {
  const { _id: id, key, version, schemaVersion, fields } = record;
  if (typeof schemaVersion === "number" && schemaVersion > kind.schemaVersion) {
    throw new AppError(
      "store_newer",
      `written by a newer version (schema ${schemaVersion}, this program knows ${kind.schemaVersion})`,
    );
  }
  const isOurs =
    typeof id === "string" &&
    typeof key === "string" &&
    typeof version === "number" &&
    typeof schemaVersion === "number" &&
    Number.isInteger(schemaVersion) &&
    schemaVersion >= 1;
  if (!isOurs) throw new AppError("store_damaged", `a line is not a document: ${JSON.stringify(id)}`);
  let migratedFields = fields;
  for (const migrate of kind.migrations.slice(schemaVersion - 1))
    migratedFields = migrate(migratedFields as Fields);
  try {
    const document = kind.fromFields(migratedFields);
    return { key, stored: { id, version, document, migrated: schemaVersion < kind.schemaVersion } };
  } catch (error) {
    throw new AppError("store_damaged", `document ${id} is not one of ${kind.name}`, { cause: error });
  }
}
