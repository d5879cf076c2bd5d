import { afterEach, beforeEach, expect, test } from "vitest";
import { changedSettings } from "../../src/config/changed.ts";
import { makePlace, type Place } from "./place.ts";

let place: Place;
beforeEach(() => {
  place = makePlace();
});
afterEach(() => place.remove());

test("tells settings that take effect at once from those that need a restart", () => {
  place.write("tomekeeper.yaml", "roots: [{path: /a}]\nsources: {x: {enabled: true}}\n");
  const before = place.load().config;
  place.write(
    "tomekeeper.yaml",
    "roots: [{path: /b}]\nlog_level: debug\nscan: {concurrency: 2, walk_concurrency: 2, ignore: [x]}\nsources: {y: {}}\n",
  );
  expect(changedSettings(before, place.load().config)).toEqual({
    applied: ["log_level", "scan.concurrency", "scan.ignore"],
    needsRestart: ["roots", "scan.walk_concurrency", "sources.x", "sources.y"],
  });
});

test("finds nothing where nothing changed but the place it was said", () => {
  place.write("tomekeeper.yaml", "node: n\nroots: [{path: /a}]\n");
  const before = place.load().config;
  place.write("tomekeeper.yaml", "roots: [{path: /a}]\n");
  const after = place.load({ env: { TOMEKEEPER_NODE: "n" } }).config;
  expect(changedSettings(before, after)).toEqual({ applied: [], needsRestart: [] });
});
