// SPDX-License-Identifier: GPL-2.0-or-later
/* Cages without booting one: protocol, launch, COW headers, ports, console reading. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/proc.h"
#include "umlcage/cage/cage.h"
#include "umlcage/cage/console.h"
#include "umlcage/cage/cow.h"
#include "umlcage/cage/forward.h"
#include "umlcage/cage/launch.h"
#include "umlcage/cage/place.h"
#include "umlcage/cage/proto.h"
#include "umlcage/cage/stats.h"

/* ---- protocol ---- */

START_TEST(proto_round_trip)
{
	struct proto_msg m = PROTO_MSG_INIT, got = PROTO_MSG_INIT;
	struct strbuf wire = STRBUF_INIT;
	struct proto_field f;
	size_t pos = 0;

	proto_begin(&m, MSG_EXEC);
	proto_number(&m, F_EXEC, 7);
	proto_string(&m, F_ARG, "echo");
	proto_string(&m, F_ARG, "");
	proto_string(&m, F_ARG, "\xff\n x");
	proto_number(&m, F_STATUS, UINT64_MAX);
	ck_assert_int_eq(proto_encode(&m, &wire), 0);
	proto_begin(&m, MSG_SHUTDOWN);
	ck_assert_int_eq(proto_encode(&m, &wire), 0);

	ck_assert_int_eq(proto_decode(&wire, &got), 1);
	ck_assert_uint_eq(got.type, MSG_EXEC);
	ck_assert_uint_eq(proto_get_number(&got, F_EXEC, 0), 7);
	ck_assert_uint_eq(proto_get_number(&got, F_STATUS, 0), UINT64_MAX);
	ck_assert_uint_eq(proto_get_number(&got, F_TTY, 42), 42);
	ck_assert_ptr_null(proto_get_string(&got, F_CWD));
	ck_assert(proto_next(&got, &pos, &f) && f.id == F_EXEC);
	ck_assert(proto_next(&got, &pos, &f) && f.id == F_ARG && f.len == 4);
	ck_assert(proto_next(&got, &pos, &f) && f.id == F_ARG && f.len == 0);
	ck_assert(proto_next(&got, &pos, &f) && f.len == 4 && memcmp(f.data, "\xff\n x", 4) == 0);
	ck_assert(proto_next(&got, &pos, &f) && f.id == F_STATUS);
	ck_assert(!proto_next(&got, &pos, &f));
	ck_assert_int_eq(proto_decode(&wire, &got), 1);
	ck_assert_uint_eq(got.type, MSG_SHUTDOWN);
	ck_assert_int_eq(proto_decode(&wire, &got), 0);
	proto_release(&m);
	proto_release(&got);
	sb_release(&wire);
}
END_TEST

START_TEST(proto_waits_for_the_whole_frame)
{
	struct proto_msg m = PROTO_MSG_INIT, got = PROTO_MSG_INIT;
	struct strbuf whole = STRBUF_INIT, part = STRBUF_INIT;

	proto_begin(&m, MSG_FAILED);
	proto_string(&m, F_TEXT, "no");
	ck_assert_int_eq(proto_encode(&m, &whole), 0);
	for (size_t i = 0; i + 1 < whole.len; i++) {
		sb_add(&part, whole.s + i, 1);
		ck_assert_int_eq(proto_decode(&part, &got), 0);
	}
	sb_add(&part, whole.s + whole.len - 1, 1);
	ck_assert_int_eq(proto_decode(&part, &got), 1);
	ck_assert_uint_eq(part.len, 0);
	proto_release(&m);
	proto_release(&got);
	sb_release(&whole);
	sb_release(&part);
}
END_TEST

static const struct {
	const char *what;
	unsigned char bytes[40];
	size_t len;
} malformed[] = {
	{ "type 0", { 0, 0, 0, 0, 0, 0, 0, 0 }, 8 },
	{ "unknown type", { 99, 0, 0, 0, 0, 0, 0, 0 }, 8 },
	{ "too long", { 1, 0, 0, 0, 1, 0, 16, 0 }, 8 },
	{ "half a field", { 1, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0 }, 12 },
	{ "field beyond the frame", { 1, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0 }, 16 },
	{ "field 0", { 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 16 },
	{ "short number", { 1, 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4 }, 20 },
	{ "NUL in a string", { 1, 0, 0, 0, 10, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 'a', 0 }, 18 },
};

START_TEST(proto_refuses)
{
	struct proto_msg got = PROTO_MSG_INIT;
	struct strbuf wire = STRBUF_INIT;

	sb_add(&wire, malformed[_i].bytes, malformed[_i].len);
	ck_assert_msg(proto_decode(&wire, &got) == -EPROTO, "%s", malformed[_i].what);
	proto_release(&got);
	sb_release(&wire);
}
END_TEST

START_TEST(proto_hello)
{
	struct proto_hello h = { PROTO_HELLO_MAGIC, CHAN_STDERR, 9, PROTO_VERSION }, got;
	unsigned char bytes[PROTO_HELLO_SIZE];

	proto_hello_encode(&h, bytes);
	ck_assert_int_eq(proto_hello_decode(bytes, &got), 0);
	ck_assert_uint_eq(got.exec, 9);
	ck_assert_uint_eq(got.channel, CHAN_STDERR);
	bytes[4] = CHAN_LAST + 1;
	ck_assert_int_eq(proto_hello_decode(bytes, &got), -EPROTO);
	bytes[4] = 0;
	bytes[0] ^= 1;
	ck_assert_int_eq(proto_hello_decode(bytes, &got), -EPROTO);
}
END_TEST

/* ---- launch ---- */

static char *launch_text(const struct cage_config *cfg, const struct launch_fds *fds)
{
	struct strbuf out = STRBUF_INIT;
	struct launch l;

	launch_plan(&l, cfg, fds);
	for (size_t i = 0; i < l.argv.n; i++)
		sb_addf(&out, "%s\n", l.argv.v[i]);
	for (size_t i = 0; i < l.nfds; i++)
		sb_addf(&out, "%d=%d ", l.fds[i].theirs, l.fds[i].ours);
	launch_release(&l);
	return sb_steal(&out);
}

START_TEST(launch_share_with_mounts)
{
	struct cage_mount mounts[] = { { .fd = 60, .where = "/a" }, { .fd = 61, .where = "/b" } };
	struct cage_config cfg = CAGE_CONFIG_INIT;
	char spare[] = "0,2-3";
	struct launch_fds fds = { .console = 50, .control = 51, .net = 52, .initramfs = 53,
				  .root = 54, .upper = 55, .limit = 1 << 20, .cpus = spare };

	cfg.memory = 512 << 20;
	cfg.root.kind = CAGE_ROOT_SHARE;
	cfg.root.upper = CAGE_UPPER_SHARE;
	cfg.mounts = mounts;
	cfg.nmounts = 2;

	cleanup_free char *text = launch_text(&cfg, &fds);

	ck_assert_str_eq(text,
		"linux\nmem=512M\nseccomp=on\ntrampoline=24\nspare=0,2-3\numl_dir=/proc/self/\numid=umlcage\ncon0=null,fd:1\n"
		"con=null\nconsole=tty0\ndummy.numdummies=0\nbonding.max_bonds=0\nifb.numifbs=0\n"
		"fb_tunnels=initns\nnbd.nbds_max=4\nbrd.rd_nr=4\nf2fs.num_compress_pages=64\nlpj=50000000\n"
		"sysctl.vm.percpu_pagelist_high_fraction=512\n"
		"quiet\ninitrd=/proc/self/fd/3\n"
		"vec1:transport=fd,fd=4,depth=32,mtu=16000\nvec0:transport=fd,fd=5,depth=32,mtu=16000\n"
		"humfs=root:6\nhumfs=upper:7\nhumfs=m0:8\nhumfs=m1:9\n"
		"1=50 2=50 3=53 4=51 5=52 6=54 7=55 8=60 9=61 ");
}
END_TEST

START_TEST(launch_image_without_network)
{
	struct cage_config cfg = CAGE_CONFIG_INIT;
	struct launch_fds fds = { .console = 50, .control = 51, .net = -1, .initramfs = 53,
				  .root = 54, .upper = 55, .limit = 4000 };

	cfg.cpus = 2;
	cfg.no_fast_calls = true;
	cfg.net = CAGE_NET_NONE;
	cfg.console_fd = 2;
	cfg.root.kind = CAGE_ROOT_IMAGE;
	cfg.root.upper = CAGE_UPPER_COW;

	cleanup_free char *text = launch_text(&cfg, &fds);

	ck_assert_str_eq(text,
		"linux\nmem=1024M\nncpus=2\nplace=auto\nseccomp=on\numl_dir=/proc/self/\numid=umlcage\n"
		"con0=null,fd:1\ncon=null\nconsole=tty0\ndummy.numdummies=0\nbonding.max_bonds=0\nifb.numifbs=0\n"
		"fb_tunnels=initns\nnbd.nbds_max=4\nbrd.rd_nr=4\nf2fs.num_compress_pages=64\nlpj=50000000\n"
		"sysctl.vm.percpu_pagelist_high_fraction=512\n"
		"sysctl.kernel.threads-max=2432\nloglevel=7\ninitrd=/proc/self/fd/3\n"
		"vec1:transport=fd,fd=4,depth=32,mtu=16000\n"
		"ubd0=/proc/self/fd/5,/proc/self/fd/6\n"
		"1=50 2=50 3=53 4=51 5=55 6=54 ");
}
END_TEST

START_TEST(list_of_processors)
{
	struct place p = { .cpu = -1 };

	ck_assert_ptr_null(place_list(&p));
	CPU_SET(5, &p.allowed);
	ck_assert_ptr_null(place_list(&p));
	CPU_SET(0, &p.allowed);
	CPU_SET(6, &p.allowed);
	CPU_SET(7, &p.allowed);
	CPU_SET(CPU_SETSIZE - 1, &p.allowed);

	cleanup_free char *list = place_list(&p);

	ck_assert_str_eq(list, "0,5-7,1023");
}
END_TEST

START_TEST(peers_leave_one_processor_each)
{
	struct place p = { .cpu = -1 };
	struct proc_fd fd;

	for (size_t cpu = 0; cpu < 5; cpu++)
		CPU_SET(cpu, &p.allowed);
	ck_assert(!cage_peers_pass(&fd));
	cage_peers_set(8);
	ck_assert_uint_eq(peers_number(), 1);
	ck_assert_int_eq(cage_peers_begin(NULL), 0);
	ck_assert_uint_eq(peers_number(), 1);
	cage_peers_set(2);

	cleanup_free char *two = place_list(&p);

	ck_assert_str_eq(two, "0-4");
	cage_peers_set(3);
	ck_assert_ptr_null(place_list(&p));
	cage_peers_set(0);
	ck_assert_uint_eq(peers_number(), 1);
}
END_TEST

/* As in a program that was executed: it only has the variable and the descriptor. */
START_TEST(peers_of_who_executed_this)
{
	const unsigned int seven = 7;
	cleanup_close int file = memfd_with("peers", &seven, sizeof(seven), NULL);
	cleanup_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cleanup_free char *here = xasprintf("%d", file), *other = xasprintf("%d", null);
	const char *const wrong[] = { other, "", "x", "-1", "1000", "99999999999" };
	struct proc_fd fd;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		setenv("UMLCAGE_PEERS", wrong[i], 1);
		cage_peers_join();
		ck_assert_uint_eq(peers_number(), 1);
		ck_assert_ptr_null(getenv("UMLCAGE_PEERS"));
	}
	setenv("UMLCAGE_PEERS", here, 1);
	cage_peers_join();
	ck_assert_uint_eq(peers_number(), 7);
	ck_assert_ptr_null(getenv("UMLCAGE_PEERS"));
	/* the same for one that it executes itself */
	ck_assert(cage_peers_pass(&fd));
	ck_assert_str_eq(getenv("UMLCAGE_PEERS"), "3");
	ck_assert_int_eq(fd.theirs, 3);
	ck_assert_int_eq(ftruncate(fd.ours, 0), 0);
	ck_assert_uint_eq(peers_number(), 1);
}
END_TEST

/* ---- COW headers ---- */

START_TEST(cow_round_trip)
{
	struct cow_header h = { .mtime = 0x5f5e1000, .size = 5000000001ULL, .sector_size = 512,
				.alignment = 4096, .backing_file = "/a/b",
				.exact = true, .mtime_nsec = 999999999 }, got;
	unsigned char bytes[COW_EXACT_SIZE];
	uint64_t bitmap, data, total;

	cow_encode(&h, bytes);
	/* as the kernel writes it: "OOOM" big endian, version 3 */
	ck_assert_mem_eq(bytes, "OOOM\0\0\0\3", 8);
	ck_assert_int_eq(cow_decode(bytes, sizeof(bytes), &got), 0);
	ck_assert_uint_eq(got.mtime, h.mtime);
	ck_assert(got.exact);
	ck_assert_uint_eq(got.mtime_nsec, h.mtime_nsec);
	ck_assert_uint_eq(got.size, h.size);
	ck_assert_str_eq(got.backing_file, "/a/b");
	cow_layout(&got, &bitmap, &data, &total);
	ck_assert_uint_eq(bitmap, 8192);
	/* 9765626 sectors: 1220704 bytes of bitmap */
	ck_assert_uint_eq(data, (8192 + 1220704 + 4095) / 4096 * 4096);
	ck_assert_uint_eq(total, data + h.size);
	/* somebody else's: seconds only, or no room before the bitmap for more */
	ck_assert_int_eq(cow_decode(bytes, COW_HEADER_SIZE, &got), 0);
	ck_assert(!got.exact);
	h.alignment = 4;
	cow_encode(&h, bytes);
	ck_assert_int_eq(cow_decode(bytes, sizeof(bytes), &got), 0);
	ck_assert(!got.exact);
}
END_TEST

START_TEST(cow_refuses)
{
	struct cow_header h = { .size = 1 << 20, .sector_size = 512, .alignment = 4096,
				.backing_file = "x" }, got;
	unsigned char good[COW_EXACT_SIZE], bad[COW_EXACT_SIZE];

	cow_encode(&h, good);
	ck_assert_int_eq(cow_decode(good, 100, &got), -EBADMSG);
	ck_assert_int_eq(cow_decode(good, 0, &got), -EINVAL);
	memcpy(bad, good, sizeof(bad));
	bad[7] = 2;
	ck_assert_int_eq(cow_decode(bad, sizeof(bad), &got), -ENOTSUP);
	memcpy(bad, good, sizeof(bad));
	bad[22] = 3;	/* sector size 768 */
	ck_assert_int_eq(cow_decode(bad, sizeof(bad), &got), -EBADMSG);
	memcpy(bad, good, sizeof(bad));
	bad[12] = 0xff;	/* size */
	ck_assert_int_eq(cow_decode(bad, sizeof(bad), &got), -EBADMSG);
	memcpy(bad, good, sizeof(bad));
	memset(bad + 32, 'a', COW_PATH_MAX);
	ck_assert_int_eq(cow_decode(bad, sizeof(bad), &got), -EBADMSG);
}
END_TEST

START_TEST(cow_files)
{
	cleanup_error struct error e = ERROR_INIT;
	cleanup_close int cow = memfd_create("cow", 0), image = memfd_create("image", 0);
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 1000, .tv_nsec = 5 } };
	struct stat st;

	ck_assert_int_eq(ftruncate(image, 10 << 20), 0);
	ck_assert_int_eq(futimens(image, times), 0);
	ck_assert_int_eq(cow_create(cow, image, "/i", &e), 0);
	ck_assert_int_eq(fstat(cow, &st), 0);
	ck_assert_int_eq(st.st_size, 8192 + 4096 + (10 << 20));
	ck_assert_int_eq(cow_check(cow, image, "c", &e), 0);
	times[1].tv_nsec = 6;	/* written again within the second */
	ck_assert_int_eq(futimens(image, times), 0);
	ck_assert_int_eq(cow_check(cow, image, "c", &e), -ESTALE);
	err_release(&e);
	times[1].tv_nsec = 5;
	ck_assert_int_eq(futimens(image, times), 0);
	ck_assert_int_eq(cow_check(cow, image, "c", &e), 0);
	ck_assert_int_eq(ftruncate(image, 11 << 20), 0);
	ck_assert_int_eq(cow_check(cow, image, "c", &e), -ESTALE);
	ck_assert_ptr_nonnull(strstr(err_text(&e), "'/i' changed"));
	ck_assert_int_eq(cow_check(image, image, "c", &e), -EINVAL);
}
END_TEST

/* ---- published ports ---- */

static const struct {
	const char *text, *address;
	uint16_t host, guest;
	bool udp;
} ports[] = {
	{ "8080:80", "127.0.0.1", 8080, 80, false },
	{ "0.0.0.0:53:5353/udp", "0.0.0.0", 53, 5353, true },
	{ "[::1]:1:65535/tcp", "::1", 1, 65535, false },
};

START_TEST(ports_accepted)
{
	struct cage_forward f;
	char text[INET6_ADDRSTRLEN];
	const struct sockaddr_in *sin = (const void *)&f.host;
	const struct sockaddr_in6 *sin6 = (const void *)&f.host;

	ck_assert_int_eq(forward_parse(ports[_i].text, &f, NULL), 0);
	ck_assert_uint_eq(f.guest_port, ports[_i].guest);
	ck_assert_int_eq(f.udp, ports[_i].udp);
	if (f.host.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &sin6->sin6_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET, &sin->sin_addr, text, sizeof(text));
	ck_assert_str_eq(text, ports[_i].address);
	ck_assert_uint_eq(ntohs(sin->sin_port), ports[_i].host);
}
END_TEST

static const char *const bad_ports[] = { "", "80", "a:80", "80:b", "0:80", "80:0", "65536:80",
	"8080:80/sctp", "localhost:8080:80", "::1:80:80", "[::1:80:80", ":80", "80:", "-1:80" };

START_TEST(ports_refused)
{
	cleanup_error struct error e = ERROR_INIT;
	struct cage_forward f;

	ck_assert_int_eq(forward_parse(bad_ports[_i], &f, &e), -EINVAL);
	ck_assert(e.kind == ERR_USAGE);
}
END_TEST

/* ---- the console ---- */

START_TEST(console_reading)
{
	cleanup_free char *panic = console_diagnose(
		"boot\nKernel panic - not syncing: VFS: no root\nmore\n");
	cleanup_free char *agent = console_diagnose("x\nagent: cannot reach it\n");
	cleanup_free char *tail = console_tail("a\nb\nc\n\n", 2);
	cleanup_free char *all = console_tail("a\nb", 9);
	cleanup_free char *none = console_tail("", 3);
	cleanup_free char *quiet = console_tail(
		"x\n[ 0.1] epollctl add err fd 10, Operation not permitted\ny\n", 2);

	ck_assert_str_eq(panic, "kernel panic: VFS: no root");
	ck_assert_str_eq(agent, "the agent in the cage gave up: cannot reach it");
	ck_assert_ptr_null(console_diagnose("all is well\n"));
	ck_assert_str_eq(tail, "  b\n  c");
	ck_assert_str_eq(all, "  a\n  b");
	ck_assert_str_eq(none, "");
	ck_assert_str_eq(quiet, "  x\n  y");
}
END_TEST

START_TEST(console_keeps_the_newest)
{
	struct console c = { .copy_fd = -1 };
	int pipes[2];

	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	c.fd = pipes[0];
	ck_assert_int_eq(fd_set_nonblock(c.fd, true), 0);
	for (int i = 0; i < 20000; i++) {
		char line[16];
		int n = snprintf(line, sizeof(line), "line %d\r\n", i);

		ck_assert_int_eq(write_full(pipes[1], line, (size_t)n), 0);
		if (i % 100 == 0)
			console_read(&c);
	}
	close(pipes[1]);
	console_read(&c);
	ck_assert_int_eq(c.fd, -1);
	ck_assert_uint_le(c.text.len, 2 * CONSOLE_KEEP);
	ck_assert_uint_ge(c.text.len, CONSOLE_KEEP / 2);
	ck_assert_str_eq(c.text.s + c.text.len - 11, "line 19999\n");
	ck_assert_ptr_null(strchr(c.text.s, '\r'));
	console_release(&c);
}
END_TEST

/* Writes @n records as the kernel does; a name that is longer has no end. */
static int counted(const char *const *names, size_t n)
{
	int fd = stats_open(NULL);

	ck_assert_int_ge(fd, 0);
	for (size_t i = 0; i < n; i++) {
		struct { char name[24]; uint64_t value; } r = { .value = i + 7 };

		memcpy(r.name, names[i], strnlen(names[i], sizeof(r.name)));
		ck_assert_int_eq(pwrite(fd, &r, sizeof(r), (off_t)(i * sizeof(r))), sizeof(r));
	}
	return fd;
}

static const struct {
	const char *names[3];
	const char *json;
} countings[] = {
	{ { "call_signals", "host_maps", "ns_idle" },
	  "{\"call_signals\":7,\"host_maps\":8,\"ns_idle\":9}\n" },
	{ { "a", "", "b" }, "{\"a\":7}\n" },
	{ { "a", "quote\"", "b" }, "{\"a\":7}\n" },
	{ { "a", "b\033[2J", "c" }, "{\"a\":7}\n" },
	{ { "a", "abcdefghijklmnopqrstuvwxyz", "c" }, "{\"a\":7}\n" },
	{ { "" , "b", "c" }, "{}\n" },
};

START_TEST(stats_are_not_trusted)
{
	cleanup_close int fd = counted(countings[_i].names, 3);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	stats_text(fd, true, &text);
	ck_assert_str_eq(sb_str(&text), countings[_i].json);

	/* a file that was cut is none, and a full one ends */
	sb_reset(&text);
	ck_assert_int_eq(ftruncate(fd, 100), 0);
	stats_text(fd, true, &text);
	ck_assert_str_eq(sb_str(&text), "{}\n");
}
END_TEST

START_TEST(stats_to_read)
{
	static const char *const names[] = { "call_signals", "b" };
	cleanup_close int fd = counted(names, 2);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	stats_text(fd, false, &text);
	ck_assert_str_eq(sb_str(&text), "call_signals                       7\n"
					"b                                  8\n");
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	sb_reset(&text);
	stats_text(fd, false, &text);
	ck_assert_ptr_nonnull(strstr(sb_str(&text), "nothing"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cage");
	TCase *tc = tcase_create("protocol");

	tcase_add_test(tc, proto_round_trip);
	tcase_add_test(tc, proto_waits_for_the_whole_frame);
	tcase_add_loop_test(tc, proto_refuses, 0, ARRAY_SIZE(malformed));
	tcase_add_test(tc, proto_hello);
	suite_add_tcase(s, tc);

	tc = tcase_create("launch");
	tcase_add_test(tc, launch_share_with_mounts);
	tcase_add_test(tc, launch_image_without_network);
	tcase_add_test(tc, list_of_processors);
	tcase_add_test(tc, peers_leave_one_processor_each);
	tcase_add_test(tc, peers_of_who_executed_this);
	suite_add_tcase(s, tc);

	tc = tcase_create("cow");
	tcase_add_test(tc, cow_round_trip);
	tcase_add_test(tc, cow_refuses);
	tcase_add_test(tc, cow_files);
	suite_add_tcase(s, tc);

	tc = tcase_create("ports");
	tcase_add_loop_test(tc, ports_accepted, 0, ARRAY_SIZE(ports));
	tcase_add_loop_test(tc, ports_refused, 0, ARRAY_SIZE(bad_ports));
	suite_add_tcase(s, tc);

	tc = tcase_create("console");
	tcase_add_test(tc, console_reading);
	tcase_add_test(tc, console_keeps_the_newest);
	suite_add_tcase(s, tc);

	tc = tcase_create("stats");
	tcase_add_loop_test(tc, stats_are_not_trusted, 0, ARRAY_SIZE(countings));
	tcase_add_test(tc, stats_to_read);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
