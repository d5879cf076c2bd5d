import type { DatabaseSync } from "node:sqlite";
import type { OrganizeCatalogue } from "../domain/catalogue.ts";
import type { PlacedFile } from "../domain/organize.ts";
import { integer, prepareAll, type Row, text } from "./catalogue-rows.ts";

/** The part of the catalogue about files that were organized. */
export type PlacedFiles = Pick<
  OrganizeCatalogue,
  "placedFiles" | "markRotten" | "forgetPlaced" | "rottenFiles" | "verifyPosition" | "saveVerifyPosition"
>;

/** As many rotten files as a diagnostic names. */
const shownRotten = 3;

export function preparePlacedFiles(database: DatabaseSync): PlacedFiles {
  const statements = prepareAll(database, sql);
  return {
    placedFiles: ({ rootId, under, after, limit }) =>
      statements.page.all(rootId, after ?? "", under === "" ? "" : `${under}/`, limit).map(placedFileOf),
    markRotten: ({ rootId, path }, at) => {
      statements.mark.run(at, rootId, path);
    },
    forgetPlaced: ({ rootId, path }) => {
      statements.forget.run(rootId, path);
    },
    verifyPosition: (operationId) => {
      const row = statements.position.get(operationId);
      return row === undefined ? null : text(row, "position");
    },
    saveVerifyPosition: (operationId, position) => {
      if (position === null) statements.forgetPosition.run(operationId);
      else statements.putPosition.run(operationId, position);
    },
    rottenFiles: () => ({
      count: integer(statements.countRotten.get() ?? {}, "count"),
      first: statements.rotten.all(shownRotten).map(placedFileOf),
    }),
  };
}

function placedFileOf(row: Row): PlacedFile {
  return {
    rootId: text(row, "root_id"),
    path: text(row, "path"),
    sha256: text(row, "sha256"),
    sizeBytes: integer(row, "size_bytes"),
    mtimeMs: integer(row, "mtime_ms"),
    bookId: text(row, "book_id"),
    operationId: text(row, "operation_id"),
  };
}

const sql = {
  page: `
    SELECT * FROM placed_files
    WHERE root_id = ?1 AND path > ?2 AND substr(path, 1, length(?3)) = ?3
    ORDER BY path LIMIT ?4`,
  mark: "UPDATE placed_files SET rotten_at = ? WHERE root_id = ? AND path = ?",
  forget: "DELETE FROM placed_files WHERE root_id = ? AND path = ?",
  position: "SELECT position FROM verify_positions WHERE operation_id = ?",
  putPosition: "INSERT OR REPLACE INTO verify_positions VALUES (?, ?)",
  forgetPosition: "DELETE FROM verify_positions WHERE operation_id = ?",
  countRotten: "SELECT count(*) AS count FROM placed_files WHERE rotten_at IS NOT NULL",
  rotten: "SELECT * FROM placed_files WHERE rotten_at IS NOT NULL ORDER BY root_id, path LIMIT ?",
} as const;
