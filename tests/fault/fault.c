// Faults for one process, through LD_PRELOAD. Which one, the environment says; each stays off when not named.
//
// FAULT_NO_FSYNC=1   fsync and fdatasync answer that all is well, and do nothing
// FAULT_EIO=K        the K-th of them answers EIO; with FAULT_STICKY=1 all later ones too, as on a dying disk
// FAULT_STOP=K       the process is gone, as if killed, before its K-th call that changes the file system
// FAULT_NO_FLOCK=1   flock answers that the lock is ours, and locks nothing, as on a disk that several machines share
// FAULT_SLOW_LINK=MS linkat takes so long, up to: the name appears at its end
// FAULT_CLOCK=S      the time of day is so many seconds later, or earlier
// FAULT_LOG=FILE     the calls that were counted, one a line, numbered
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static long number(const char *name) { const char *text = getenv(name); return text ? atol(text) : 0; }
static int syncs, steps, log_fd = -1;
static long eio, stop_at, sticky, no_fsync, no_flock, slow_link;
static long clock_off;
static int (*real_flock)(int, int), (*real_clock)(clockid_t, struct timespec *);
static int (*real_fsync)(int), (*real_fdatasync)(int), (*real_unlink)(const char *), (*real_mkdir)(const char *, mode_t);
static int (*real_rename)(const char *, const char *), (*real_link)(const char *, const char *);
static int (*real_linkat)(int, const char *, int, const char *, int);
static ssize_t (*real_write)(int, const void *, size_t);

__attribute__((constructor)) static void begin(void) {
    eio = number("FAULT_EIO"), stop_at = number("FAULT_STOP"), sticky = number("FAULT_STICKY"), no_fsync = number("FAULT_NO_FSYNC");
    no_flock = number("FAULT_NO_FLOCK"), slow_link = number("FAULT_SLOW_LINK"), real_flock = dlsym(RTLD_NEXT, "flock");
    clock_off = number("FAULT_CLOCK"), real_clock = dlsym(RTLD_NEXT, "clock_gettime");
    real_fsync = dlsym(RTLD_NEXT, "fsync"), real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink"), real_mkdir = dlsym(RTLD_NEXT, "mkdir");
    real_rename = dlsym(RTLD_NEXT, "rename"), real_link = dlsym(RTLD_NEXT, "link");
    real_linkat = dlsym(RTLD_NEXT, "linkat"), real_write = dlsym(RTLD_NEXT, "write");
    srandom(getpid());
    if (getenv("FAULT_LOG")) log_fd = open(getenv("FAULT_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

static const char *path_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    path[length < 0 ? 0 : length] = 0;
    return path;
}

static void step(const char *what, const char *path) {
    if (!stop_at && log_fd < 0) return;
    int now = __atomic_add_fetch(&steps, 1, __ATOMIC_SEQ_CST);
    if (log_fd >= 0) dprintf(log_fd, "step %d %s %s\n", now, what, path);
    // Not SIGKILL: the first process of a PID namespace does not take it from itself. The disk sees no difference.
    if (stop_at && now >= stop_at) _exit(137);
}

static int sync_with(int (*real)(int), int fd) {
    char path[4096];
    if (no_fsync) return 0;
    path_of(fd, path, sizeof path);
    step("fsync", path);
    int now = __atomic_add_fetch(&syncs, 1, __ATOMIC_SEQ_CST);
    int fails = eio && (now == eio || (sticky && now > eio));
    if (log_fd >= 0) dprintf(log_fd, "sync %d %s %s\n", now, fails ? "EIO" : "ok", path);
    if (fails) { errno = EIO; return -1; }
    return real(fd);
}

int fsync(int fd) { return sync_with(real_fsync, fd); }
int fdatasync(int fd) { return sync_with(real_fdatasync, fd); }
int unlink(const char *path) { step("unlink", path); return real_unlink(path); }
int mkdir(const char *path, mode_t mode) { step("mkdir", path); return real_mkdir(path, mode); }
int rename(const char *from, const char *to) { step("rename", to); return real_rename(from, to); }
static void dawdle(void) { if (slow_link) usleep(random() % (slow_link * 1000)); }
int clock_gettime(clockid_t which, struct timespec *now) {
    if (!real_clock) real_clock = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real_clock(which, now);
    if (which == CLOCK_REALTIME) now->tv_sec += clock_off;
    return result;
}
int flock(int fd, int how) { return no_flock ? 0 : real_flock(fd, how); }
int link(const char *from, const char *to) { step("link", to); dawdle(); return real_link(from, to); }
int linkat(int a, const char *from, int b, const char *to, int flags) { step("link", to); dawdle(); return real_linkat(a, from, b, to, flags); }
ssize_t write(int fd, const void *bytes, size_t size) {
    struct stat about;
    char path[4096];
    // Only what goes to a file: wake-ups through pipes and event descriptors are no steps.
    if ((stop_at || log_fd >= 0) && fd > 2 && fd != log_fd && fstat(fd, &about) == 0 && S_ISREG(about.st_mode))
        step("write", path_of(fd, path, sizeof path));
    return real_write(fd, bytes, size);
}
