// SPDX-License-Identifier: GPL-2.0-or-later
/* Which CPU a cage runs on: see place.h. */
#include "umlcage/cage/place.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

enum { CHECK_MS = 1000, BUSY_PERCENT = 25 };

/* Field @n (from 1) of a /proc/PID/stat line, after the parenthesised name. */
static const char *stat_field(const char *stat, int n)
{
	const char *p = strrchr(stat, ')');

	for (n -= 2; p && n > 0; n--) {
		p = strchr(p + 1, ' ');
	}
	return p ? p + 1 : NULL;
}

static bool read_small(const char *path, char *buf, size_t size)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (n <= 0)
		return false;
	buf[n] = '\0';
	return true;
}

struct process {
	int pid;
	char state;
	pid_t group;
	long cpu;	/* it ran on last */
};

/* The next process of /proc, which may be NULL; false at its end. */
static bool next_process(DIR *proc, struct process *p)
{
	for (const struct dirent *d; proc && (d = readdir(proc)) != NULL;) {
		char path[300], stat[1024];
		const char *state, *pgrp, *cpu;

		if (!isdigit((unsigned char)d->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", d->d_name);
		if (!read_small(path, stat, sizeof(stat)))
			continue;
		state = stat_field(stat, 3);
		pgrp = stat_field(stat, 5);
		cpu = stat_field(stat, 39);
		if (!state || !pgrp || !cpu)
			continue;
		*p = (struct process){ atoi(d->d_name), *state, (pid_t)strtol(pgrp, NULL, 10),
				       strtol(cpu, NULL, 10) };
		return true;
	}
	return false;
}

/* Is every thread of the process stopped, or at its end? */
static bool process_stopped(int pid)
{
	char path[64];
	bool stopped = true;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	for (const struct dirent *t; stopped && tasks && (t = readdir(tasks)) != NULL;) {
		char file[300], stat[1024];
		const char *state;

		if (!isdigit((unsigned char)t->d_name[0]))
			continue;
		snprintf(file, sizeof(file), "%.32s/%.200s/stat", path, t->d_name);
		state = read_small(file, stat, sizeof(stat)) ? stat_field(stat, 3) : NULL;
		stopped = !state || strchr("TtZX", *state);
	}
	if (tasks)
		closedir(tasks);
	return stopped;
}

bool place_stopped(pid_t group)
{
	DIR *proc = opendir("/proc");
	bool stopped = true;

	for (struct process p; stopped && next_process(proc, &p);)
		stopped = p.group != group || process_stopped(p.pid);
	if (proc)
		closedir(proc);
	return stopped;
}

/* Counts runnable tasks by CPU, leaving out this process and those of @except's group. */
static void count_runnable(unsigned int load[CPU_SETSIZE], pid_t except)
{
	DIR *proc = opendir("/proc");

	memset(load, 0, sizeof(unsigned int) * CPU_SETSIZE);
	for (struct process p; next_process(proc, &p);)
		if (p.pid != getpid() && p.state == 'R' && !(except && p.group == except) &&
		    p.cpu >= 0 && p.cpu < CPU_SETSIZE)
			load[p.cpu]++;
	if (proc)
		closedir(proc);
}

/* The least loaded allowed CPU; among equals one that differs from process to process. */
static int least_busy(const cpu_set_t *allowed, const unsigned int *load)
{
	int count = CPU_COUNT(allowed), best = -1, index = 0;

	if (!count)
		return -1;

	int start = (int)((unsigned int)getpid() % (unsigned int)count);

	for (int round = 0; round < 2; round++) {
		index = 0;
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
			if (!CPU_ISSET(cpu, allowed))
				continue;
			/* first round from @start on, second round before it */
			if ((index++ >= start) != (round == 0))
				continue;
			if (best < 0 || load[cpu] < load[best])
				best = cpu;
		}
	}
	return best;
}

void place_init(struct place *p, unsigned int vcpus)
{
	unsigned int load[CPU_SETSIZE];

	*p = (struct place){ .cpu = -1 };
	if (sched_getaffinity(0, sizeof(p->allowed), &p->allowed) < 0 || vcpus != 1)
		return;
	count_runnable(load, 0);
	p->cpu = least_busy(&p->allowed, load);
}

char *place_list(const struct place *p)
{
	struct strbuf list = STRBUF_INIT;

	if (CPU_COUNT(&p->allowed) < 2 || (unsigned int)CPU_COUNT(&p->allowed) / peers_number() < 2)
		return NULL;
	for (int cpu = 0, last; cpu < CPU_SETSIZE; cpu = last + 1) {
		last = cpu;
		if (!CPU_ISSET(cpu, &p->allowed))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &p->allowed))
			last++;
		sb_addf(&list, last > cpu ? "%s%d-%d" : "%s%d", list.len ? "," : "", cpu, last);
	}
	return sb_steal(&list);
}

int place_apply(const struct place *p)
{
	cpu_set_t one;

	if (p->cpu < 0)
		return 0;
	CPU_ZERO(&one);
	CPU_SET(p->cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) < 0 ? -errno : 0;
}

static bool sched_times(pid_t pid, uint64_t *ran, uint64_t *waited)
{
	char path[64], text[128];
	unsigned long long a, b;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
	if (!read_small(path, text, sizeof(text)) || sscanf(text, "%llu %llu", &a, &b) != 2)
		return false;
	*ran = a;
	*waited = b;
	return true;
}

/* Every task whose process group is the cage's: the kernel, its threads, its stubs. */
static void move_all(pid_t group, int cpu)
{
	DIR *proc = opendir("/proc");
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	for (struct process p; next_process(proc, &p);) {
		char path[64];

		if (p.group != group)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task", p.pid);

		DIR *tasks = opendir(path);

		for (const struct dirent *t; tasks && (t = readdir(tasks)) != NULL;)
			if (isdigit((unsigned char)t->d_name[0]))
				(void)sched_setaffinity(atoi(t->d_name), sizeof(one), &one);
		if (tasks)
			closedir(tasks);
	}
	if (proc)
		closedir(proc);
}

int64_t place_check(struct place *p, int64_t now_ms)
{
	uint64_t ran, waited, elapsed;
	unsigned int load[CPU_SETSIZE];
	int best;

	if (p->cpu < 0 || p->pid <= 0 || CPU_COUNT(&p->allowed) < 2)
		return INT64_MAX;
	if (now_ms < p->checked_ms + CHECK_MS)
		return p->checked_ms + CHECK_MS;
	if (!sched_times(p->pid, &ran, &waited))
		return INT64_MAX;
	elapsed = (uint64_t)(now_ms - p->checked_ms) * 1000000;

	/* waiting while our own stub runs is short; waiting for strangers is long */
	bool first = p->checked_ms == 0;
	bool squeezed = (waited - p->waited_ns) * 100 > elapsed * BUSY_PERCENT;

	p->checked_ms = now_ms;
	p->ran_ns = ran;
	p->waited_ns = waited;
	if (first || !squeezed)
		return now_ms + CHECK_MS;
	count_runnable(load, p->pid);
	best = least_busy(&p->allowed, load);
	if (best >= 0 && best != p->cpu && load[best] + 1 <= load[p->cpu]) {
		move_all(p->pid, best);
		p->cpu = best;
	}
	return now_ms + CHECK_MS;
}
