// SPDX-License-Identifier: GPL-2.0-or-later
/* Emulators of the cache, and the roots that need them: see emulate.h. */
#include "rootfs/emulate/emulate.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/xdg.h"

/* e_ident up to the ABI's version, e_type, e_machine. */
#define LE64(machine) \
	"\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00" machine
#define LE32(machine) \
	"\\x7fELF\\x01\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00" machine
#define BE64(machine) \
	"\\x7fELF\\x02\\x02\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02" machine
/* Any ABI; programs and, with their e_type of 3, those that may lie anywhere. */
#define LE_MASK \
	"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff"
#define BE_MASK \
	"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff"

/*
 * Debian's programs for arm64 sign each return address, with a cipher that takes most of their
 * time where it is emulated step by step.  The architecture leaves the cipher to the maker, and
 * qemu has one that is quick.
 */
#define PAUTH "QEMU_CPU=max,pauth-impdef=on"

static const struct emulate_kind kinds[] = {
	{ "amd64", "x86_64", LE64("\\x3e\\x00"), LE_MASK, NULL, ELFCLASS64, ELFDATA2LSB, EM_X86_64 },
	{ "arm64", "aarch64", LE64("\\xb7\\x00"), LE_MASK, PAUTH, ELFCLASS64, ELFDATA2LSB, EM_AARCH64 },
	{ "armhf", "arm", LE32("\\x28\\x00"), LE_MASK, NULL, ELFCLASS32, ELFDATA2LSB, EM_ARM },
	{ "armel", "arm", LE32("\\x28\\x00"), LE_MASK, NULL, ELFCLASS32, ELFDATA2LSB, EM_ARM },
	{ "i386", "i386", LE32("\\x03\\x00"), LE_MASK, NULL, ELFCLASS32, ELFDATA2LSB, EM_386 },
	{ "mips64el", "mips64el", LE64("\\x08\\x00"), LE_MASK, NULL, ELFCLASS64, ELFDATA2LSB, EM_MIPS },
	{ "ppc64el", "ppc64le", LE64("\\x15\\x00"), LE_MASK, NULL, ELFCLASS64, ELFDATA2LSB, EM_PPC64 },
	{ "riscv64", "riscv64", LE64("\\xf3\\x00"), LE_MASK, NULL, ELFCLASS64, ELFDATA2LSB, EM_RISCV },
	{ "s390x", "s390x", BE64("\\x00\\x16"), BE_MASK, NULL, ELFCLASS64, ELFDATA2MSB, EM_S390 },
};

/* The cage's kernel runs these itself: it is a 64-bit one, without 32-bit system calls. */
static bool is_own(const struct emulate_kind *k)
{
#ifdef __aarch64__
	return k->machine == EM_AARCH64;
#else
	return k->machine == EM_X86_64;
#endif
}

const struct emulate_kind *emulate_kind(const char *arch)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (str_eq(kinds[i].arch, arch))
			return is_own(&kinds[i]) ? NULL : &kinds[i];
	return NULL;
}

int emulate_check(const char *arch, struct error *e)
{
	cleanup_strv struct strv all = STRV_INIT;
	cleanup_free char *text = NULL;
	const char *meant;

	if (emulate_kind(arch))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!is_own(&kinds[i]))
			strv_add(&all, kinds[i].arch);
	meant = str_closest(arch, (const char *const *)strv_argv(&all));
	text = strv_join(&all, ", ");
	if (meant)
		return err_usage(e, "cannot run programs of architecture '%s'; did you mean '%s'?", arch,
				 meant);
	return err_usage(e, "cannot run programs of architecture '%s'; there are emulators for %s", arch,
			 text);
}

/* ---- the kept ones ---- */

static bool is_open(const struct emulators *em, const struct emulate_kind *k)
{
	for (size_t i = 0; i < em->n; i++)
		if (str_eq(em->v[i].name, k->qemu))
			return true;
	return false;
}

int emulate_open(struct emulators *em, const char *arch, bool renew, struct error *e)
{
	cleanup_free char *dir = NULL, *path = NULL;
	const struct emulate_kind *k = emulate_kind(arch);
	cleanup_close int fd = -1;
	struct stat st;
	int ret = emulate_check(arch, e);

	if (ret < 0 || is_open(em, k))
		return ret;
	ret = xdg_dir(XDG_CACHE, "emulators", &dir, e);
	if (ret < 0)
		return ret;
	path = xasprintf("%s/qemu-%s", dir, k->qemu);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot open '%s'", path);
	if (fd < 0 || fstat(fd, &st) < 0 || (renew && time(NULL) - st.st_mtime > EMULATE_AGE))
		return 1;
	em->v = xreallocarray(em->v, em->n + 1, sizeof(*em->v));
	em->v[em->n++] = (struct cage_emulator){
		.fd = steal_fd(&fd), .name = k->qemu, .magic = k->magic, .mask = k->mask,
		.variable = k->variable,
	};
	return 0;
}

void emulate_close(struct emulators *em)
{
	for (size_t i = 0; i < em->n; i++)
		close_fd(&em->v[i].fd);
	free(em->v);
	*em = (struct emulators)EMULATORS_INIT;
}

/* ---- what a root has ---- */

static int open_in(int rootfd, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, rootfd, path, &how, sizeof(how));
}

static const struct emulate_kind *kind_of(int fd)
{
	unsigned char h[20];
	unsigned int machine;

	if (pread_full(fd, h, sizeof(h), 0) != (ssize_t)sizeof(h) || memcmp(h, ELFMAG, SELFMAG) != 0)
		return NULL;
	machine = h[EI_DATA] == ELFDATA2MSB ? h[18] << 8 | h[19] : h[19] << 8 | h[18];
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].class == h[EI_CLASS] && kinds[i].data == h[EI_DATA] &&
		    kinds[i].machine == machine)
			return &kinds[i];
	return NULL;
}

void emulate_detect(int rootfd, struct strv *needed, struct strv *useful)
{
	static const char *const programs[] = { "usr/bin/sh", "bin/sh", "usr/bin/dpkg", "sbin/init" };
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	const struct emulate_kind *k = NULL;
	cleanup_close int list = -1;

	for (size_t i = 0; i < ARRAY_SIZE(programs) && !k; i++) {
		cleanup_close int fd = open_in(rootfd, programs[i]);

		k = fd < 0 ? NULL : kind_of(fd);
	}
	if (k && !is_own(k))
		strv_add(needed, k->arch);
	list = open_in(rootfd, "var/lib/dpkg/arch");
	if (list < 0 || fd_read_all(list, 1 << 12, &text) < 0)
		return;
	strv_split(&lines, sb_str(&text), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		const struct emulate_kind *other = emulate_kind(lines.v[i]);

		if (other && !(k && str_eq(k->qemu, other->qemu)) && !strv_has(useful, other->arch))
			strv_add(useful, other->arch);
	}
}
