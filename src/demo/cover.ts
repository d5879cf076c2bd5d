import { crc32, deflateSync } from "node:zlib";

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** A small square PNG whose colours follow from the title, so that no two books look alike. */
export function makeCover(title: string, sizePixels = 64): Buffer {
  const hue = crc32(title);
  const colour = [hue & 0xff, (hue >> 8) & 0xff, (hue >> 16) & 0xff];
  const rows: Buffer[] = [];
  for (let y = 0; y < sizePixels; y++) {
    const brightness = 0.5 + (0.5 * y) / sizePixels;
    const pixel = Buffer.from(colour.map((part) => Math.round(part * brightness)));
    const noFilter = Buffer.from([0]);
    rows.push(noFilter, Buffer.alloc(sizePixels * pixel.length, pixel));
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(sizePixels, 0);
  header.writeUInt32BE(sizePixels, 4);
  const bitDepth = 8;
  const trueColour = 2;
  header.set([bitDepth, trueColour], 8);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Buffer.concat(rows))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const lengthBytes = Buffer.alloc(4);
  lengthBytes.writeUInt32BE(data.length);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(named));
  return Buffer.concat([lengthBytes, named, checksum]);
}
