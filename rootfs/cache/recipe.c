// SPDX-License-Identifier: GPL-2.0-or-later
/* A fabrication's recipe: see recipe.h. */
#include "rootfs/cache/cache.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/hash.h"

/* The id that the linker gave this program, after all that went into it. */
static int find_build(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct strbuf *id = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		const char *p = (const char *)(info->dlpi_addr + ph->p_vaddr);
		const char *end = p + ph->p_memsz;

		while (ph->p_type == PT_NOTE && p + sizeof(ElfW(Nhdr)) <= end) {
			const ElfW(Nhdr) *note = (const void *)p;
			const char *name = p + sizeof(*note);
			const char *desc = name + ((note->n_namesz + 3) & ~3u);

			if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
			    memcmp(name, "GNU", 4) == 0) {
				sb_add(id, desc, note->n_descsz);
				return 1;
			}
			p = desc + ((note->n_descsz + 3) & ~3u);
		}
	}
	return 1;	/* the first object is the program; libraries do not count */
}

void cache_program_id(struct strbuf *id)
{
	dl_iterate_phdr(find_build, id);
}

struct cook {
	struct hash hash;
	bool unknown;	/* something is not told by the hash */
};

/* Every item with its length, so that no two lists look alike. */
static void add(struct cook *c, const char *name, const void *data, size_t len)
{
	char head[64];
	int n = snprintf(head, sizeof(head), "%s %zu:", name, len);

	hash_add(&c->hash, head, (size_t)n);
	hash_add(&c->hash, data, len);
}

static void add_str(struct cook *c, const char *name, const char *s)
{
	if (s)
		add(c, name, s, strlen(s));
	else
		add(c, name, "", 0);
}

static void add_num(struct cook *c, const char *name, long long v)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", v);
	add_str(c, name, text);
}

static void add_fd(struct cook *c, const char *name, int fd)
{
	cleanup_free unsigned char *buf = xmalloc(1 << 16);
	unsigned long long total = 0;
	ssize_t n;

	add_str(c, name, "file");
	while ((n = read_full(fd, buf, 1 << 16)) > 0) {
		hash_add(&c->hash, buf, (size_t)n);
		total += (unsigned long long)n;
	}
	add_num(c, "size", (long long)total);
	c->unknown |= n < 0;
}

/* A file or a directory with all below it. */
static void add_path(struct cook *c, int dirfd, const char *path, int depth)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
				      (depth ? O_NOFOLLOW : 0));
	const struct dirent *de;
	struct stat st;
	DIR *d;
	int ret;

	add_str(c, "path", path);
	if (fd < 0 || fstat(fd, &st) < 0) {
		char target[4096];
		ssize_t n = readlinkat(dirfd, path, target, sizeof(target));

		c->unknown |= n < 0;
		add(c, "link", target, n < 0 ? 0 : (size_t)n);
		return;
	}
	add_num(c, "mode", st.st_mode);
	add_num(c, "mtime", st.st_mtim.tv_sec);
	if (S_ISREG(st.st_mode)) {
		add_fd(c, "content", fd);
		return;
	}
	c->unknown |= !S_ISDIR(st.st_mode) || depth > 200;
	d = c->unknown ? NULL : fdopendir(dup(fd));
	if (!d) {
		c->unknown = true;
		return;
	}
	while ((de = dir_next(d, &ret)))
		strv_add(&names, de->d_name);
	closedir(d);
	c->unknown |= ret < 0;
	strv_sort(&names);
	add_num(c, "entries", (long long)names.n);
	for (size_t i = 0; i < names.n; i++)
		add_path(c, fd, names.v[i], depth + 1);
}

static void add_list(struct cook *c, const char *name, const struct strv *v, bool files)
{
	add_num(c, name, (long long)v->n);
	for (size_t i = 0; i < v->n; i++) {
		add_str(c, name, v->v[i]);
		/* an option may be the name of a file */
		if (files && access(v->v[i], R_OK) == 0)
			add_path(c, AT_FDCWD, v->v[i], 0);
	}
}

/* Special hooks that take from the host, or give to it. */
static void add_special(struct cook *c, const char *script)
{
	static const char *const in[] = { "copy-in ", "tar-in ", "upload ", "sync-in " };
	static const char *const out[] = { "copy-out ", "tar-out ", "download ", "sync-out " };
	cleanup_strv struct strv words = STRV_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(out); i++)
		c->unknown |= str_starts(script, out[i]);
	for (size_t i = 0; i < ARRAY_SIZE(in); i++) {
		if (!str_starts(script, in[i]))
			continue;
		/* words in quotes are beyond this; then nothing is kept */
		c->unknown |= strpbrk(script, "'\"\\") != NULL;
		strv_split(&words, script, " \t\n");
		for (size_t k = 1; k < words.n && !c->unknown; k++)
			if (access(words.v[k], F_OK) == 0)
				add_path(c, AT_FDCWD, words.v[k], 0);
	}
}

static void add_hooks(struct cook *c, const struct fab_options *o)
{
	cleanup_strv struct strv env = STRV_INIT;
	size_t any = 0;

	for (int w = 0; w < FAB_HOOK_WHEN_MAX; w++)
		any += o->hooks[w].n;
	if (any)
		fab_hook_environment(&env);
	add_list(c, "environment", &env, false);
	for (int w = 0; w < FAB_HOOK_WHEN_MAX; w++) {
		const struct fab_hooks *h = &o->hooks[w];

		add_num(c, "hooks", (long long)h->n);
		for (size_t i = 0; i < h->n; i++) {
			add_str(c, "hook", h->v[i].script);
			add_num(c, "chrooted", h->v[i].chrooted);
			if (h->v[i].chrooted)
				continue;
			add_special(c, h->v[i].script);
			if (access(h->v[i].script, X_OK) == 0)
				add_path(c, AT_FDCWD, h->v[i].script, 0);
		}
	}
}

static void add_host_file(struct cook *c, const char *path)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct stat st;

	if (file_read(AT_FDCWD, path, 1 << 20, &text, NULL) == 0 && stat(path, &st) == 0) {
		add(c, path, sb_str(&text), text.len);
		add_num(c, "mode", st.st_mode);
	} else {
		add_str(c, path, NULL);
	}
}

int recipe_make(const struct fab_options *o, const struct debian_archive *a, const char *kernel,
		const char *network, struct recipe *recipe, struct error *e)
{
	struct cook c = { { NULL }, false };
	cleanup_strbuf struct strbuf build = STRBUF_INIT;
	const struct debian_index *v;
	size_t n = debian_indexes(a, &v);

	(void)e;
	hash_start(&c.hash);
	cache_program_id(&build);
	/* a program that does not know itself may have changed since */
	c.unknown |= !build.len;
	add(&c, "build", sb_str(&build), build.len);
	for (size_t i = 0; i < n; i++) {
		add_str(&c, "index", v[i].base);
		add_str(&c, "sha256", v[i].sum);
	}
	for (size_t i = 0; i < o->nsources; i++) {
		add_str(&c, "sources", o->sources[i].path);
		add_str(&c, "content", o->sources[i].content);
	}
	add_str(&c, "suite", o->suite);
	add_num(&c, "variant", o->variant);
	add_num(&c, "epoch", o->source_date_epoch);
	add_list(&c, "include", &o->include, true);
	add_list(&c, "architectures", &o->architectures, false);
	add_str(&c, "aptopt", o->apt_text);
	add_str(&c, "dpkgopt", o->dpkg_text);
	add_list(&c, "skip", &o->skip, false);
	add_num(&c, "net", o->net);
	add_str(&c, "network", network);
	add_hooks(&c, o);
	add_num(&c, "cache-keys", o->cache_keys);
	/* a directory has these in any case */
	if (fab_skips(o, "output/dev") || fab_skips(o, "output/mknod"))
		add_num(&c, "kind", o->out.format->kind);
	add_host_file(&c, "/etc/resolv.conf");
	add_host_file(&c, "/etc/hostname");
	add_str(&c, "kernel", kernel);
	hash_end(&c.hash, recipe->key);
	hash_release(&c.hash);
	if (c.unknown || o->out.is_stdout || o->out.format->kind == TARGET_NOTHING)
		recipe->key[0] = '\0';
	return 0;
}
