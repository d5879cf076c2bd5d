import { mkdirSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createOrganizeHandlers, type OrganizeParts } from "../../src/app/organize-commands.ts";
import type { CommandInput } from "../../src/bus/topics.ts";
import type { Root } from "../../src/domain/book.ts";
import type { Operation, OperationRequest, Priority } from "../../src/domain/operation.ts";
import type { Plan } from "../../src/domain/organize.ts";
import { AppError } from "../../src/errors.ts";
import { operation } from "../bus/harness.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

let tree: Tree;
let roots: readonly Root[];
let queued: OperationRequest[];

beforeEach(async () => {
  tree = await makeTree();
  mkdirSync(path.join(tree.path, "books/Author/Title"), { recursive: true });
  mkdirSync(path.join(tree.path, "inbox"));
  roots = (["books", "inbox"] as const).map((id) => ({
    id,
    path: path.join(tree.path, id),
    kind: id === "books" ? "library" : "inbox",
    optional: false,
    watch: false,
  }));
  queued = [];
});
afterEach(() => tree.dispose());

const plan: Plan = {
  books: [
    {
      bookId: "b1",
      title: "Emma",
      from: { rootId: "inbox", path: "emma", unitPath: "emma" },
      to: { rootId: "books", path: "Austen/Emma", unitPath: "Austen/Emma" },
      strategy: "hardlink",
      moves: [
        {
          bookId: "b1",
          role: "track",
          from: { rootId: "inbox", path: "emma/1.mp3" },
          to: { rootId: "books", path: "Austen/Emma/Emma.mp3" },
          sizeBytes: 7,
          removesSource: false,
        },
      ],
    },
  ],
  conflicts: [],
  skipped: [{ bookId: "b2", reason: "it is where it belongs" }],
  bytesNeeded: 0,
  bytesFree: 9,
};

type Organizing = OrganizeParts["organizing"];

/** Requests that say what they were asked for. */
const scripted: Organizing = {
  plan: async () => plan,
  organizeRequest: async (what, asked) => request("organize", what, asked),
  undoRequest: async (what, asked) => request("undo", what, asked),
  verifyRequest: async (what, asked) => request("verify", what, asked),
  history: async () => ({ items: [], total: 0 }),
};

function request(
  kind: "organize" | "undo" | "verify",
  what: object,
  asked: Pick<OperationRequest, "priority" | "transaction">,
): OperationRequest {
  return { kind, ...asked, scopes: ["books:/"], input: { ...what } };
}

function handlers(organizing: Partial<Organizing> = {}, known: readonly Operation[] = []) {
  return createOrganizeHandlers({
    roots,
    queue: {
      enqueue: async (asked) => {
        queued.push(asked);
        return operation(`op-${queued.length}`, { kind: asked.kind });
      },
    },
    operationsOf: (transaction) => known.filter((each) => each.transaction === transaction),
    organizing: { ...scripted, ...organizing },
  });
}

const asked = { transaction: "t1", priority: "normal" as Priority };
const organizeAll: CommandInput<"organize"> = { dry_run: false, priority: "normal" };

describe("organize", () => {
  test("queues one operation for what was asked, under its transaction and priority", async () => {
    const input = { ...organizeAll, books: ["b1"], strategy: "move" } as const;
    const outcome = await handlers().organize.run(input, { ...asked, priority: "high" });
    expect(outcome).toEqual({ operationIds: ["op-1"] });
    expect(queued).toEqual([
      {
        kind: "organize",
        priority: "high",
        transaction: "t1",
        scopes: ["books:/"],
        input: { books: ["b1"], query: undefined, strategy: "move" },
      },
    ]);
  });

  test("as a dry run answers with the plan, and queues nothing", async () => {
    const seen: unknown[] = [];
    const { organize } = handlers({
      plan: async (what) => {
        seen.push(what);
        return plan;
      },
    });
    const outcome = await organize.run({ ...organizeAll, query: "emma", dry_run: true }, asked);
    expect(outcome).toEqual({
      data: {
        moves: [
          {
            book: "b1",
            from: "inbox:/emma/1.mp3",
            to: "books:/Austen/Emma/Emma.mp3",
            strategy: "hardlink",
            bytes: 7,
          },
        ],
        move_count: 1,
        conflicts: [],
        conflict_count: 0,
        skipped: [{ book: "b2", reason: "it is where it belongs" }],
        skipped_count: 1,
        bytes_needed: 0,
        bytes_free: 9,
      },
    });
    expect(seen).toEqual([{ books: undefined, query: "emma", strategy: undefined }]);
    expect(queued).toEqual([]);
  });

  test("hands on why it cannot be, and queues nothing", async () => {
    const refusal = new AppError("not_found", 'There is no book with the id "x"');
    const refuse = async () => {
      throw refusal;
    };
    const { organize } = handlers({ organizeRequest: refuse, plan: refuse });
    for (const dry_run of [false, true]) {
      await expect(organize.run({ ...organizeAll, books: ["x"], dry_run }, asked)).rejects.toBe(refusal);
    }
    expect(queued).toEqual([]);
  });
});

test.each(["organize", "undo", "verify"] as const)(
  "%s does nothing twice where a crash came between the queue's record and the command's",
  async (kind) => {
    const other = kind === "undo" ? "organize" : "undo";
    const known = [
      operation("op-7", { kind: other, transaction: "t1" }),
      operation("op-8", { kind, transaction: "t1", state: "completed" }),
      operation("op-9", { kind, transaction: "t2" }),
    ];
    const run = (transaction: string | null) => {
      const all = handlers({}, known);
      if (kind === "organize") return all.organize.run(organizeAll, { ...asked, transaction });
      if (kind === "undo")
        return all.undo.run({ partial: false, priority: "normal" }, { ...asked, transaction });
      return all.verify.run({ priority: "low" }, { ...asked, transaction });
    };
    expect(await run("t1")).toEqual({ operationIds: ["op-8"] });
    expect(queued).toEqual([]);
    expect(await run("t3")).toEqual({ operationIds: ["op-1"] });
    expect(await run(null)).toEqual({ operationIds: ["op-2"] });
  },
);

describe("undo", () => {
  test("asks for the named operation or the last one, all of it or in part", async () => {
    const { undo } = handlers();
    await undo.run({ operation_id: "op-0", partial: true, priority: "normal" }, asked);
    await undo.run({ partial: false, priority: "normal" }, { ...asked, transaction: null });
    expect(queued.map(({ kind, input }) => ({ kind, input }))).toEqual([
      { kind: "undo", input: { operationId: "op-0", partial: true } },
      { kind: "undo", input: { operationId: undefined, partial: false } },
    ]);
  });

  test("says why there is nothing to undo", async () => {
    const { undo } = handlers({
      undoRequest: async () => {
        throw new AppError("conflict", "op-0 cannot be undone: it was undone already");
      },
    });
    await expect(undo.run({ partial: false, priority: "normal" }, asked)).rejects.toMatchObject({
      code: "conflict",
    });
    expect(queued).toEqual([]);
  });
});

describe("verify", () => {
  test("takes a folder of a root, books, or everything, at the priority that was asked for", async () => {
    const { verify } = handlers();
    await verify.run(
      { root: "books", path: "Author", books: ["b1"], priority: "low" },
      { ...asked, priority: "low" },
    );
    await verify.run({ priority: "low" }, { transaction: null, priority: "low" });
    expect(queued.map(({ priority, input }) => ({ priority, input }))).toEqual([
      { priority: "low", input: { folder: { root: roots[0], path: "Author" }, books: ["b1"] } },
      { priority: "low", input: { folder: null, books: undefined } },
    ]);
  });

  test.each([
    [{ root: "nowhere" }, "not_found"],
    [{ root: "books", path: "Nobody" }, "not_found"],
    [{ root: "books", path: "../inbox" }, "outside_root"],
    [{ path: "Author" }, "invalid_payload"],
  ])("refuses the folder %j", async (folder, code) => {
    const { verify } = handlers();
    await expect(verify.run({ ...folder, priority: "low" }, asked)).rejects.toMatchObject({ code });
    expect(queued).toEqual([]);
  });
});

test("history answers with what is remembered, in the wire's spelling", async () => {
  const seen: unknown[] = [];
  const { history } = handlers({
    history: async (what) => {
      seen.push(what);
      const batch = {
        operationId: "op-1",
        kind: "undo",
        undoes: "op-0",
        state: "ended",
        undoneBy: null,
        books: 1,
        files: 2,
        bytes: 3,
        startedAt: "2026-01-02T03:04:05.000Z",
        finishedAt: null,
        summary: null,
        journalBytes: null,
        hasTrash: false,
      } as const;
      return { items: [{ batch, undoableUntil: null, moves: [] }], total: 4 };
    },
  });
  const outcome = await history.run({ operation_id: "op-1", limit: 5, offset: 6, priority: "normal" }, asked);
  expect(seen).toEqual([{ operationId: "op-1", limit: 5, offset: 6 }]);
  expect(outcome).toMatchObject({
    data: { items: [{ operation_id: "op-1", undoes: "op-0", moves: [], move_count: 0 }], total: 4 },
  });
});
