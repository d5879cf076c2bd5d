import path from "node:path";
import { describe, expect, test } from "vitest";
import { describe as description, nodesOf, payloadOf, refusalOf } from "../../plugins/homie/device.ts";
import { homie } from "../../plugins/homie/homie.ts";

const nodeId = "5ad6f2e0-1b7c-4b3d-9a52-0c1f3a7d9e11";
const nodes = nodesOf(["audnexus", "open-library"]);
const document = description("Tomekeeper", nodes);
const properties = Object.entries(nodes).flatMap(([node, { properties }]) =>
  Object.entries(properties).map(([key, property]) => ({ path: `${node}/${key}`, ...property })),
);

describe("the device's description", () => {
  test("is the same to the byte, and as it was committed", async () => {
    expect(description("Tomekeeper", nodesOf(["audnexus", "open-library"]))).toBe(document);
    await expect(`${JSON.stringify(JSON.parse(document), null, 2)}\n`).toMatchFileSnapshot(
      path.join(import.meta.dirname, "golden/homie.json"),
    );
  });

  test("has another version where it says something else", () => {
    const other = JSON.parse(description("Tomekeeper", nodesOf(["audnexus"])));
    expect(other.version).not.toBe(JSON.parse(document).version);
    expect(other.nodes).not.toHaveProperty("source-open-library");
  });

  test.each(properties)(
    "has in $path what the convention asks for",
    ({ path: id, description, follow, set }) => {
      const { name, datatype, format, settable, retained } = description;
      expect(id).toMatch(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?\/[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
      expect(name).not.toBe("");
      if (datatype === "enum") {
        const values = format?.split(",") ?? [];
        expect(values.length).toBeGreaterThan(0);
        expect(new Set(values).size).toBe(values.length);
      }
      expect(settable === true).toBe(set !== undefined);
      // What has no value is a moment; it must not be told as if it still went on.
      if (follow === undefined) expect(retained).toBe(false);
    },
  );
});

test("only what a property's description allows is set", () => {
  const of = (id: string) => properties.find(({ path: each }) => each === id)?.description ?? never(id);
  for (const right of ["1", "64"]) expect(refusalOf(of("settings/scan-concurrency"), right)).toBeNull();
  for (const wrong of ["0", "65", "1.5", "1e1", " 2", "", "two", "9".repeat(400)])
    expect(refusalOf(of("settings/scan-concurrency"), wrong)).toBe("is no whole number from 1 to 64");
  expect(refusalOf(of("settings/log-level"), "debug")).toBeNull();
  expect(refusalOf(of("settings/log-level"), "Debug")).toBe("is none of debug,info,warn,error");
  expect(refusalOf(of("queue/paused"), "true")).toBeNull();
  expect(refusalOf(of("queue/paused"), "ON")).toBe("is neither true nor false");
  expect(refusalOf(of("scan/start"), "press")).toBeNull();
  expect(refusalOf(of("scan/start"), "{}")).toBe("is none of press");
});

test("no value is an empty payload, which takes it away", () => {
  expect([null, false, 0, 1.5, "idle"].map(payloadOf)).toEqual(["", "false", "0", "1.5", "idle"]);
});

test("its settings are checked, and say what others may do with its topics", () => {
  expect(homie.settings?.parse({})).toEqual({ domain: "homie" });
  for (const wrong of [{ domain: "a/b" }, { domain: "#" }, { domain: "Home" }, { other: 1 }])
    expect(homie.settings?.safeParse(wrong).success).toBe(false);
  const { publish, read } = homie.access({ domain: "homie" }, nodeId);
  expect(read).toEqual(["homie"]);
  expect(publish).toContain(`homie/5/tomekeeper-${nodeId}/queue/paused/set`);
  expect(publish.every((topic) => topic.endsWith("/set"))).toBe(true);
  expect(publish.length).toBe(properties.filter(({ set }) => set !== undefined).length);
});

function never(id: string): never {
  throw new Error(`there is no ${id}`);
}
