/* test_os_limits.c - cores and memory as made-up /proc and /sys trees tell them. */
#include <limits.h>

#include "base/os.h"
#include "base/os_limits.h"
#include "support/temp_dir.h"

#define CGROUP "sys/fs/cgroup/"

static void write_siblings(const temp_dir *dir, int cpu, const char *list) {
    char name[128];
    snprintf(name, sizeof name, "sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    temp_dir_write_text(dir, name, list);
}

static void limits_hyper_threads_count_once(void **state) {
    const temp_dir *dir = *state;
    bool allowed[8] = {true, true, true, true, true, true, true, true};
    for (int cpu = 0; cpu < 4; cpu++) write_siblings(dir, cpu, cpu % 2 ? "1,3\n" : "0,2\n");
    for (int cpu = 4; cpu < 8; cpu++) write_siblings(dir, cpu, cpu < 6 ? "4-5\n" : "6-7\n");
    assert_int_equal(limits_physical_cores(dir->path, allowed, 8), 4);
    /* The lower thread of a core is not ours: the upper one stands for it. */
    allowed[0] = allowed[6] = false;
    assert_int_equal(limits_physical_cores(dir->path, allowed, 8), 4);
    allowed[2] = false;
    assert_int_equal(limits_physical_cores(dir->path, allowed, 8), 3);
}

static void limits_cpu_without_topology_is_a_core(void **state) {
    const temp_dir *dir = *state;
    const bool allowed[3] = {true, false, true};
    write_siblings(dir, 0, "no list\n");
    assert_int_equal(limits_physical_cores(dir->path, allowed, 3), 2);
}

static void limits_v2_quota_is_rounded_up(void **state) {
    const temp_dir *dir = *state;
    static const struct {
        const char *text;
        int cores;
    } cases[] = {
        {"200000 100000\n", 2},
        {"150000 100000\n", 2},
        {"100 100000\n", 1},
        {"0 100000\n", 1},
        {"max 100000\n", INT_MAX},
        {"junk\n", INT_MAX},
        {"100000\n", INT_MAX},
        {"100000 0\n", INT_MAX},
        {"", INT_MAX},
        {"99999999999999999999 1\n", INT_MAX},
    };
    temp_dir_write_text(dir, "proc/self/cgroup", "0::/\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        temp_dir_write_text(dir, CGROUP "cpu.max", cases[i].text);
        assert_int_equal(limits_quota_cores(dir->path), cases[i].cores);
    }
}

static void limits_tightest_group_on_the_way_wins(void **state) {
    const temp_dir *dir = *state;
    temp_dir_write_text(dir, "proc/self/cgroup", "0::/slice/job.scope\n");
    temp_dir_write_text(dir, CGROUP "slice/job.scope/cpu.max", "800000 100000\n");
    assert_int_equal(limits_quota_cores(dir->path), 8);
    temp_dir_write_text(dir, CGROUP "slice/cpu.max", "300000 100000\n");
    assert_int_equal(limits_quota_cores(dir->path), 3);
    temp_dir_write_text(dir, CGROUP "cpu.max", "500000 100000\n");
    assert_int_equal(limits_quota_cores(dir->path), 3);
}

/** A container sees the host's path of its group, but only its own files. */
static void limits_absent_group_falls_back_to_root(void **state) {
    const temp_dir *dir = *state;
    temp_dir_write_text(dir, "proc/self/cgroup", "0::/docker/0123abcd\n");
    temp_dir_write_text(dir, CGROUP "cpu.max", "400000 100000\n");
    assert_int_equal(limits_quota_cores(dir->path), 4);
}

static void limits_v1_quota_is_read(void **state) {
    const temp_dir *dir = *state;
    temp_dir_write_text(dir, "proc/self/cgroup",
                        "5:cpuset:/\n4:memory:/a\n3:cpu,cpuacct:/box\n0::/\n");
    temp_dir_write_text(dir, CGROUP "cpu/box/cpu.cfs_quota_us", "250000\n");
    temp_dir_write_text(dir, CGROUP "cpu/box/cpu.cfs_period_us", "100000\n");
    assert_int_equal(limits_quota_cores(dir->path), 3);
    temp_dir_write_text(dir, CGROUP "cpu/box/cpu.cfs_quota_us", "-1\n");
    assert_int_equal(limits_quota_cores(dir->path), INT_MAX);
}

static void limits_memory_is_the_lower_of_machine_and_group(void **state) {
    const temp_dir *dir = *state;
    assert_true(limits_memory_left(dir->path) == UINT64_MAX);
    temp_dir_write_text(dir, "proc/meminfo", "MemTotal:  9000 kB\nMemAvailable:    2000 kB\n");
    assert_int_equal(limits_memory_left(dir->path), 2000 * 1024);
    temp_dir_write_text(dir, "proc/self/cgroup", "0::/\n");
    temp_dir_write_text(dir, CGROUP "memory.max", "1000000\n");
    temp_dir_write_text(dir, CGROUP "memory.current", "600000\n");
    assert_int_equal(limits_memory_left(dir->path), 400000);
    temp_dir_write_text(dir, CGROUP "memory.stat", "anon 5\ninactive_file 100000\n");
    assert_int_equal(limits_memory_left(dir->path), 500000);
    temp_dir_write_text(dir, CGROUP "memory.current", "1200000\n");
    assert_int_equal(limits_memory_left(dir->path), 0);
    temp_dir_write_text(dir, CGROUP "memory.max", "max\n");
    assert_int_equal(limits_memory_left(dir->path), 2000 * 1024);
}

static void limits_v1_memory_is_read(void **state) {
    const temp_dir *dir = *state;
    temp_dir_write_text(dir, "proc/self/cgroup", "4:memory:/a\n");
    temp_dir_write_text(dir, CGROUP "memory/a/memory.limit_in_bytes", "5000\n");
    temp_dir_write_text(dir, CGROUP "memory/a/memory.usage_in_bytes", "3000\n");
    temp_dir_write_text(dir, CGROUP "memory/a/memory.stat",
                        "inactive_file 10\ntotal_inactive_file 500\n");
    assert_int_equal(limits_memory_left(dir->path), 2500);
}

static void os_counts_of_this_machine_are_sensible(void **state) {
    (void)state;
    assert_true(os_core_count() >= 1);
    assert_true(os_core_count() <= sysconf(_SC_NPROCESSORS_CONF));
    assert_true(os_memory_available() > 1 << 20);
}

int main(void) {
#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)
    const struct CMUnitTest tests[] = {
        WITH_DIR(limits_hyper_threads_count_once),
        WITH_DIR(limits_cpu_without_topology_is_a_core),
        WITH_DIR(limits_v2_quota_is_rounded_up),
        WITH_DIR(limits_tightest_group_on_the_way_wins),
        WITH_DIR(limits_absent_group_falls_back_to_root),
        WITH_DIR(limits_v1_quota_is_read),
        WITH_DIR(limits_memory_is_the_lower_of_machine_and_group),
        WITH_DIR(limits_v1_memory_is_read),
        cmocka_unit_test(os_counts_of_this_machine_are_sensible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
