/*
 * Counts the calls of a process that change a disk, from the moment that it asks for it, and makes one of them the
 * last (LD_PRELOAD). The process arms it with access("/tomekeeper-faults/arm") and disarms it with ".../disarm".
 *
 *   FAULT_AT=N        the Nth call from then on is the one (1 is the first; 0 is the disarming)
 *   FAULT_KIND        kill: SIGKILL in its place; cut: the power of FAULT_DISK goes, then SIGKILL;
 *                     fail: it fails with FAULT_ERRNO (short: a write writes half of what it should)
 *   FAULT_DISK        mount point whose file system is shut down, what was not synced lost
 *   FAULT_COUNT       file that gets the number of calls, at disarming and at the fault
 *   FAULT_NOSYNC      fsync and fdatasync do nothing: what the program would be without them
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static volatile int armed = 0;
static volatile long calls = 0;

static void record(void) {
  const char *file = getenv("FAULT_COUNT");
  if (file == NULL) return;
  char text[32];
  int length = snprintf(text, sizeof text, "%ld\n", calls);
  int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0) return;
  syscall(SYS_write, fd, text, length);
  syscall(SYS_close, fd);
}

static void cut(void) {
  const char *disk = getenv("FAULT_DISK");
  unsigned int no_log_flush = 2;
  int fd = disk == NULL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, disk, O_RDONLY, 0);
  /* XFS_IOC_GOINGDOWN, which ext4 understands too */
  if (fd < 0 || syscall(SYS_ioctl, fd, _IOR('X', 125, unsigned int), &no_log_flush) != 0) {
    static const char text[] = "the disk cannot be shut down\n";
    syscall(SYS_write, 2, text, sizeof text - 1);
  }
}

static int errno_of(const char *name) {
  static const struct { const char *name; int number; } known[] = {
    {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EXDEV", EXDEV}, {"EPERM", EPERM}, {"EROFS", EROFS},
    {"EMFILE", EMFILE}, {"EDQUOT", EDQUOT}, {"EACCES", EACCES},
  };
  for (size_t i = 0; name != NULL && i < sizeof known / sizeof known[0]; i++)
    if (strcmp(known[i].name, name) == 0) return known[i].number;
  return EIO;
}

/* The process does nothing any more. */
static void last(void) {
  const char *kind = getenv("FAULT_KIND");
  record();
  if (kind != NULL && strcmp(kind, "cut") == 0) cut();
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

/* 0: go on, 1: fail with errno set, 2: do half */
static int meet(void) {
  if (!armed) return 0;
  const char *at = getenv("FAULT_AT");
  if (__sync_add_and_fetch(&calls, 1) != (at == NULL ? -1 : atol(at))) return 0;
  const char *kind = getenv("FAULT_KIND");
  if (kind != NULL && strcmp(kind, "fail") == 0) {
    record();
    errno = errno_of(getenv("FAULT_ERRNO"));
    return 1;
  }
  if (kind != NULL && strcmp(kind, "short") == 0) return 2;
  last();
  return 1;
}

int access(const char *path, int mode) {
  if (strcmp(path, "/tomekeeper-faults/arm") == 0) { calls = 0; armed = 1; return 0; }
  if (strcmp(path, "/tomekeeper-faults/disarm") == 0) {
    const char *at = getenv("FAULT_AT");
    if (armed && at != NULL && atol(at) == 0) last();
    armed = 0;
    record();
    return 0;
  }
  return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

#define NEXT(name) \
  static __typeof__(name) *next; \
  if (next == NULL) next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define WRAP(type, name, parameters, arguments) \
  type name parameters { NEXT(name); return meet() == 1 ? -1 : next arguments; }

WRAP(int, link, (const char *a, const char *b), (a, b))
WRAP(int, symlink, (const char *a, const char *b), (a, b))
WRAP(int, unlink, (const char *a), (a))
WRAP(int, unlinkat, (int d, const char *a, int f), (d, a, f))
WRAP(int, rename, (const char *a, const char *b), (a, b))
WRAP(int, renameat2, (int d, const char *a, int e, const char *b, unsigned int f), (d, a, e, b, f))
WRAP(int, mkdir, (const char *a, mode_t m), (a, m))
WRAP(int, rmdir, (const char *a), (a))
WRAP(int, truncate, (const char *a, off_t l), (a, l))
WRAP(int, truncate64, (const char *a, off64_t l), (a, l))
WRAP(int, ftruncate, (int f, off_t l), (f, l))
WRAP(int, ftruncate64, (int f, off64_t l), (f, l))
WRAP(int, fchmod, (int f, mode_t m), (f, m))
WRAP(int, fchown, (int f, uid_t u, gid_t g), (f, u, g))
WRAP(int, futimens, (int f, const struct timespec t[2]), (f, t))
WRAP(ssize_t, copy_file_range, (int a, off64_t *x, int b, off64_t *y, size_t n, unsigned int f), (a, x, b, y, n, f))
WRAP(ssize_t, sendfile64, (int a, int b, off64_t *x, size_t n), (a, b, x, n))
WRAP(ssize_t, writev, (int f, const struct iovec *v, int n), (f, v, n))
WRAP(ssize_t, pwritev, (int f, const struct iovec *v, int n, off_t o), (f, v, n, o))

/* Threads wake each other by writes to descriptors that are no files. */
static int is_file(int f) {
  struct stat about;
  return fstat(f, &about) == 0 && S_ISREG(about.st_mode);
}

ssize_t write(int f, const void *b, size_t n) {
  int how = is_file(f) ? meet() : 0;
  return how == 1 ? -1 : syscall(SYS_write, f, b, how == 2 ? n / 2 : n);
}

ssize_t pwrite64(int f, const void *b, size_t n, off64_t o) {
  int how = meet();
  return how == 1 ? -1 : syscall(SYS_pwrite64, f, b, how == 2 ? n / 2 : n, o);
}

ssize_t pwrite(int f, const void *b, size_t n, off_t o) { return pwrite64(f, b, n, o); }

int fsync(int f) {
  if (meet() == 1) return -1;
  return getenv("FAULT_NOSYNC") != NULL ? 0 : (int)syscall(SYS_fsync, f);
}

int fdatasync(int f) {
  if (meet() == 1) return -1;
  return getenv("FAULT_NOSYNC") != NULL ? 0 : (int)syscall(SYS_fdatasync, f);
}

/* Only opens that make a file change anything. */
static int open_at(int d, const char *path, int flags, mode_t mode) {
  if ((flags & O_CREAT) && meet() == 1) return -1;
  return (int)syscall(SYS_openat, d, path, flags, mode);
}

#define MODE(last) mode_t mode = 0; if (last & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, last); mode = va_arg(list, mode_t); va_end(list); }

int open(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int d, const char *path, int flags, ...) { MODE(flags) return open_at(d, path, flags, mode); }
int openat64(int d, const char *path, int flags, ...) { MODE(flags) return open_at(d, path, flags | O_LARGEFILE, mode); }
