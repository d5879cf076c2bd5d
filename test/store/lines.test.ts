import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeLine, encodeLine, readLines } from "../../src/store/lines.ts";

const anyRecord = fc.record({ _id: fc.string(), text: fc.string({ unit: "binary" }) });

test("gives back what was written, whatever characters are in it", () => {
  fc.assert(
    fc.property(anyRecord, fc.nat(), (record, sealedBytes) => {
      const line = encodeLine(JSON.stringify(record), sealedBytes);
      const decoded = decodeLine(line);
      expect(decoded?.sealedBytes).toBe(sealedBytes);
      expect(JSON.parse(decoded?.json ?? "null")).toEqual(record);
    }),
  );
});

test("writes plain ASCII without anything that NeDB takes for the end of a line", () => {
  const line = encodeLine(JSON.stringify({ title: "a\u2028b\u2029c\u0085d\u000be\u000cf\r\ng é 漢 😀" }), 0);
  expect(line).toMatch(/^[\x20-\x7e]+$/);
});

test("refuses a line after any single bit of it was flipped", () => {
  const line = encodeLine(JSON.stringify({ _id: "a#1", title: "Les Misérables" }), 1234);
  for (let bit = 0; bit < line.length * 8; bit++) {
    const bytes = Buffer.from(line, "latin1");
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(decodeLine(bytes.toString("latin1"))).toBeNull();
  }
});

test("refuses a line whose checksum is right in other letters", () => {
  const line = encodeLine(JSON.stringify({ _id: "letters in the checksum" }), 0);
  const shouted = line.slice(0, 8).toUpperCase() + line.slice(8);
  expect(shouted).not.toBe(line);
  expect(decodeLine(shouted)).toBeNull();
});

test("calls damage behind everything that was acknowledged an unfinished write", () => {
  const first = `${encodeLine('{"_id":"a"}', 0)}\n`;
  const second = `${encodeLine('{"_id":"b"}', first.length)}\n`;
  const reading = readLines(Buffer.from(`${first}${second}12345678 0 {"_id":`));
  expect(reading.records.map((record) => record["_id"])).toEqual(["a", "b"]);
  expect(reading.damage).toEqual({ kind: "tail", offsetBytes: first.length + second.length });
});

test("calls damage before an acknowledged length a loss", () => {
  const first = `${encodeLine('{"_id":"a"}', 0)}\n`;
  const second = `${encodeLine('{"_id":"b"}', first.length)}\n`;
  const reading = readLines(Buffer.from(`X${first.slice(1)}${second}`));
  expect(reading.records.map((record) => record["_id"])).toEqual(["b"]);
  expect(reading.damage).toEqual({ kind: "inside", offsetBytes: 0, lineCount: 1 });
});

test("calls a file without one intact line damaged, also where there is only one or nothing in it", () => {
  const damageOf = (text: string) => readLines(Buffer.from(text)).damage;
  expect(damageOf("not\nours\nat all")).toEqual({ kind: "inside", offsetBytes: 0, lineCount: 3 });
  expect(damageOf('12345678 0 {"_id":')).toEqual({ kind: "inside", offsetBytes: 0, lineCount: 1 });
  expect(damageOf("")).toEqual({ kind: "inside", offsetBytes: 0, lineCount: 0 });
});
