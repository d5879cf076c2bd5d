import { endianness } from "node:os";
import type { LibraryHandle } from "koffi";

/** Calls of the C library that Node does not have. Each answers with the errno, 0 where it went well. */
export interface Libc {
  /** Sets both times of an open file to the nanosecond; Node's own calls cut to the microsecond. */
  futimens(fd: number, atimeNs: bigint, mtimeNs: bigint): number;
  /** Names of the extended attributes of an open file; null where the file system has none. */
  listAttributes(fd: number): readonly string[] | null;
  getAttribute(fd: number, name: string): Buffer | null;
  setAttribute(fd: number, name: string, value: Buffer): number;
  /** Renames without ever replacing. */
  renameNoReplace(from: string, to: string): number;
}

let loaded: Promise<Libc | null> | null = null;

/** Loaded at the first use (5 MB, measured); null where this machine has no such library: not Linux, or no binary. */
export function loadLibc(): Promise<Libc | null> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Libc | null> {
  if (process.platform !== "linux") return null;
  try {
    const { default: koffi } = await import("koffi");
    return bind(koffi.load(null), () => koffi.errno());
  } catch {
    // No binary for this machine: files are copied all the same, without what Node cannot do.
    return null;
  }
}

const sizeLimit = 65_536;
const atFdcwd = -100;
const noReplace = 1;
const nsPerSecond = 1_000_000_000n;

function bind(library: LibraryHandle, errno: () => number): Libc {
  const futimens = library.func("int futimens(int fd, void *times)");
  const flistxattr = library.func("int64_t flistxattr(int fd, void *list, size_t size)");
  const fgetxattr = library.func("int64_t fgetxattr(int fd, const char *name, void *value, size_t size)");
  const fsetxattr = library.func(
    "int fsetxattr(int fd, const char *name, void *value, size_t size, int flags)",
  );
  const renameat2 = library.func(
    "int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned int flags)",
  );
  return {
    futimens: (fd, atimeNs, mtimeNs) => (futimens(fd, timespecs(atimeNs, mtimeNs)) === 0 ? 0 : errno()),
    listAttributes: (fd) => {
      const list = Buffer.alloc(sizeLimit);
      const length = Number(flistxattr(fd, list, sizeLimit));
      if (length < 0) return null;
      const names = list.toString("utf8", 0, length).split("\0");
      return names.filter((name) => name !== "");
    },
    getAttribute: (fd, name) => {
      const value = Buffer.alloc(sizeLimit);
      const length = Number(fgetxattr(fd, name, value, sizeLimit));
      return length < 0 ? null : value.subarray(0, length);
    },
    setAttribute: (fd, name, value) => (fsetxattr(fd, name, value, value.length, 0) === 0 ? 0 : errno()),
    renameNoReplace: (from, to) => (renameat2(atFdcwd, from, atFdcwd, to, noReplace) === 0 ? 0 : errno()),
  };
}

/** Two `struct timespec` of a 64-bit machine: seconds and nanoseconds, 8 bytes each. */
function timespecs(...times: readonly bigint[]): Buffer {
  const buffer = Buffer.alloc(16 * times.length);
  const write = (value: bigint, offset: number): number =>
    endianness() === "LE" ? buffer.writeBigInt64LE(value, offset) : buffer.writeBigInt64BE(value, offset);
  for (const [index, time] of times.entries()) {
    write(time / nsPerSecond, index * 16);
    write(time % nsPerSecond, index * 16 + 8);
  }
  return buffer;
}
