/*
 * os_limits.c - cores and memory within the affinity mask and the control groups, versions 1 and 2.
 * A group's limit binds all below it, so each group from the process's own up to the root is asked.
 * In a container the path in /proc/self/cgroup may be the host's and not exist; the root then still
 * holds the container's own limits.
 */
#ifdef __linux__
#define _GNU_SOURCE /* sched_getaffinity */
#include <sched.h>
#endif

#include "os_limits.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os.h"

enum {
    TEXT_SIZE = 16384, /* bytes read of a file, terminator included */
    PATH_SIZE = 4096,  /* bytes */
};

/* ---- Small files ----------------------------------------------------------------------------- */

/** Reads the beginning of root + path + name; files of /proc and /sys have no size to ask for. */
static bool read_text(const char *root, const char *path, const char *name, char *text) {
    char full[PATH_SIZE];
    int length = snprintf(full, sizeof full, "%s%s%s", root, path, name);
    if (length < 0 || (size_t)length >= sizeof full) return false;
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    size_t got = 0;
    ssize_t n;
    while (got < TEXT_SIZE - 1 && (n = read(fd, text + got, TEXT_SIZE - 1 - got)) > 0)
        got += (size_t)n;
    close(fd);
    text[got] = '\0';
    return got > 0;
}

/** Reads one number from a file; false for "max", negative numbers and anything else. */
static bool read_number(const char *root, const char *path, const char *name, uint64_t *out) {
    char text[TEXT_SIZE];
    if (!read_text(root, path, name, text) || text[0] < '0' || text[0] > '9') return false;
    *out = strtoull(text, NULL, 10);
    return true;
}

/** The number behind `key` at the start of a line ("inactive_file 123", "MemAvailable:  99 kB"). */
static bool find_field(const char *text, const char *key, uint64_t *out) {
    size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, key, length) != 0) continue;
        const char *number = line + length + strspn(line + length, " \t");
        if (number[0] < '0' || number[0] > '9') return false;
        *out = strtoull(number, NULL, 10);
        return true;
    }
    return false;
}

/* ---- Control groups -------------------------------------------------------------------------- */

/** True when the comma-separated `list` of `length` bytes holds `word`. */
static bool list_has(const char *list, size_t length, const char *word) {
    size_t word_length = strlen(word);
    for (size_t start = 0; start < length;) {
        const char *comma = memchr(list + start, ',', length - start);
        size_t end = comma ? (size_t)(comma - list) : length;
        if (end - start == word_length && memcmp(list + start, word, word_length) == 0) return true;
        start = end + 1;
    }
    return false;
}

/** Finds the directory of this process's group, under the mount point: for version 1 by controller
 * name, for version 2 with controller NULL (its line names none). */
static bool find_group(const char *root, const char *controller, char *out) {
    char text[TEXT_SIZE];
    if (!read_text(root, "/proc/self/cgroup", "", text)) return false;
    for (char *line = text; line && *line;) {
        char *next = strchr(line, '\n');
        if (next) *next++ = '\0';
        char *names = strchr(line, ':');
        char *path = names ? strchr(names + 1, ':') : NULL;
        if (path && path[1] == '/') {
            size_t names_length = (size_t)(path - names - 1);
            bool is_wanted =
                controller ? list_has(names + 1, names_length, controller) : names_length == 0;
            int n = snprintf(out, PATH_SIZE, "/sys/fs/cgroup%s%s%s", controller ? "/" : "",
                             controller ? controller : "", path + 1);
            if (is_wanted && n > 0 && n < PATH_SIZE) return true;
        }
        line = next;
    }
    return false;
}

/** Cuts the last part of a group's path; false when it was the mount point itself. */
static bool cut_to_parent(char *path, const char *controller) {
    size_t top = strlen("/sys/fs/cgroup") + (controller ? 1 + strlen(controller) : 0);
    size_t length = strlen(path);
    if (length <= top) return false;
    while (length > top && path[length - 1] != '/') length--;
    while (length > top && path[length - 1] == '/') length--;
    path[length] = '\0';
    return true;
}

/** What one group says about its limit, in cores or bytes; UINT64_MAX when it sets none. */
typedef uint64_t (*ask_fn)(const char *root, const char *group);

static uint64_t tightest_of(const char *root, const char *controller, ask_fn ask) {
    char group[PATH_SIZE];
    uint64_t tightest = UINT64_MAX;
    if (!find_group(root, controller, group)) return tightest;
    do {
        uint64_t limit = ask(root, group);
        if (limit < tightest) tightest = limit;
    } while (cut_to_parent(group, controller));
    return tightest;
}

/* ---- Cores ----------------------------------------------------------------------------------- */

static uint64_t cores_of(uint64_t quota_us, uint64_t period_us) {
    if (period_us == 0) return UINT64_MAX;
    uint64_t cores = quota_us / period_us + (quota_us % period_us != 0);
    return cores > 0 ? cores : 1;
}

static uint64_t ask_quota_v2(const char *root, const char *group) {
    char text[TEXT_SIZE];
    if (!read_text(root, group, "/cpu.max", text) || text[0] < '0' || text[0] > '9')
        return UINT64_MAX;
    char *end;
    uint64_t quota_us = strtoull(text, &end, 10);
    return cores_of(quota_us, strtoull(end, NULL, 10));
}

static uint64_t ask_quota_v1(const char *root, const char *group) {
    uint64_t quota_us, period_us;
    if (!read_number(root, group, "/cpu.cfs_quota_us", &quota_us) ||
        !read_number(root, group, "/cpu.cfs_period_us", &period_us))
        return UINT64_MAX;
    return cores_of(quota_us, period_us);
}

int limits_quota_cores(const char *root) {
    uint64_t v2 = tightest_of(root, NULL, ask_quota_v2);
    uint64_t v1 = tightest_of(root, "cpu", ask_quota_v1);
    uint64_t cores = v1 < v2 ? v1 : v2;
    return cores < INT_MAX ? (int)cores : INT_MAX;
}

/** True when a processor below `cpu` in a list like "0-3,8" is allowed: that one counts for the
 * core. */
static bool has_lower_thread(const char *list, int cpu, const bool *allowed) {
    for (const char *at = list; *at >= '0' && *at <= '9';) {
        char *end;
        long first = strtol(at, &end, 10);
        long last = *end == '-' ? strtol(end + 1, &end, 10) : first;
        for (long i = first; i <= last && i < cpu; i++)
            if (allowed[i]) return true;
        at = *end == ',' ? end + 1 : end;
    }
    return false;
}

int limits_physical_cores(const char *root, const bool *allowed, int n_cpus) {
    int n_cores = 0;
    for (int cpu = 0; cpu < n_cpus; cpu++) {
        char name[64], list[TEXT_SIZE];
        if (!allowed[cpu]) continue;
        snprintf(name, sizeof name, "/cpu%d/topology/thread_siblings_list", cpu);
        if (!read_text(root, "/sys/devices/system/cpu", name, list) ||
            !has_lower_thread(list, cpu, allowed))
            n_cores++;
    }
    return n_cores;
}

#ifdef __linux__
int os_core_count(void) {
    bool allowed[CPU_SETSIZE];
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        /* More processors than the set has room for. */
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) allowed[cpu] = cpu < n;
    } else {
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) allowed[cpu] = CPU_ISSET((size_t)cpu, &set);
    }
    int n_cores = limits_physical_cores("", allowed, CPU_SETSIZE);
    int n_quota = limits_quota_cores("");
    if (n_quota < n_cores) n_cores = n_quota;
    return n_cores > 0 ? n_cores : 1;
}
#else
int os_core_count(void) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 && n < INT_MAX ? (int)n : 1;
}
#endif

/* ---- Memory ---------------------------------------------------------------------------------- */

/** `limit` less what the group uses; pages of files that nobody touched lately are given back by
 * the kernel when memory is short, so they count as free. */
static uint64_t bytes_left(const char *root, const char *group, const char *limit_name,
                           const char *used_name, const char *idle_key) {
    uint64_t limit, used, idle = 0;
    char text[TEXT_SIZE];
    if (!read_number(root, group, limit_name, &limit) ||
        !read_number(root, group, used_name, &used))
        return UINT64_MAX;
    if (read_text(root, group, "/memory.stat", text)) find_field(text, idle_key, &idle);
    used = used > idle ? used - idle : 0;
    return limit > used ? limit - used : 0;
}

static uint64_t ask_memory_v2(const char *root, const char *group) {
    return bytes_left(root, group, "/memory.max", "/memory.current", "inactive_file ");
}

static uint64_t ask_memory_v1(const char *root, const char *group) {
    return bytes_left(root, group, "/memory.limit_in_bytes", "/memory.usage_in_bytes",
                      "total_inactive_file ");
}

uint64_t limits_memory_left(const char *root) {
    uint64_t left = UINT64_MAX, kib;
    char text[TEXT_SIZE];
    if (read_text(root, "/proc/meminfo", "", text) && find_field(text, "MemAvailable:", &kib) &&
        kib <= UINT64_MAX / 1024)
        left = kib * 1024;
    uint64_t v2 = tightest_of(root, NULL, ask_memory_v2);
    uint64_t v1 = tightest_of(root, "memory", ask_memory_v1);
    if (v2 < left) left = v2;
    return v1 < left ? v1 : left;
}

uint64_t os_memory_available(void) {
    uint64_t left = limits_memory_left("");
    if (left != UINT64_MAX) return left;
    long n_pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
    return n_pages > 0 && page_size > 0 ? (uint64_t)n_pages * (uint64_t)page_size : UINT64_MAX;
}

uint64_t os_memory_total(void) {
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}
