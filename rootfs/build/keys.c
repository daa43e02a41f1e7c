// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a build depends on, as hashes: indexes and options of its source, scripts and files of
 * its steps, what is asked of its outputs, and this program.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/roots/roots.h"
#include "rootfs/build/private.h"
#include "rootfs/cache/cache.h"
#include "umlcage/base/fd.h"

/* A part in the making: it begins with what this program is. */
static void part_begin(struct hash *h)
{
	cleanup_strbuf struct strbuf id = STRBUF_INIT;

	cache_program_id(&id);
	hash_start(h);
	hash_add(h, sb_str(&id), id.len);
}

static void part_end(struct build_keys *k, struct hash *h, char *name)
{
	struct build_part *p;

	k->parts = xreallocarray(k->parts, k->n + 1, sizeof(*k->parts));
	p = &k->parts[k->n++];
	p->name = name;
	hash_end(h, p->key);
	hash_release(h);
}

static void add_number(struct hash *h, long long n)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", n);
	hash_add_field(h, text);
}

static void add_list(struct hash *h, const struct strv *v)
{
	add_number(h, (long long)v->n);
	for (size_t i = 0; i < v->n; i++)
		hash_add_field(h, v->v[i]);
}

/* Names, modes and contents of all there is; times are not looked at. */
static int add_path(struct hash *h, int dirfd, const char *path, int depth, struct error *e)
{
	cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
				      (depth ? O_NOFOLLOW : 0));
	cleanup_strv struct strv names = STRV_INIT;
	char target[4096], sum[SHA256_HEX + 1];
	struct stat st;
	ssize_t n;
	int ret = 0;

	hash_add_field(h, path);
	if (fd < 0 && errno == ELOOP) {
		n = readlinkat(dirfd, path, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		hash_add_field(h, target);
		return 0;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot read '%s'", path);
	add_number(h, st.st_mode);
	if (S_ISREG(st.st_mode)) {
		ret = hash_fd(fd, sum);
		hash_add_field(h, sum);
		return ret < 0 ? err_sys(e, -ret, "cannot read '%s'", path) : 0;
	}
	if (!S_ISDIR(st.st_mode) || depth > 200)
		return 0;
	ret = dir_names(fd, &names, e);
	strv_sort(&names);
	add_number(h, (long long)names.n);
	for (size_t i = 0; i < names.n && ret == 0; i++)
		ret = add_path(h, fd, names.v[i], depth + 1, e);
	return ret;
}

static int add_step(struct hash *h, const struct build_step *s, struct error *e)
{
	int ret = s->files ? add_path(h, AT_FDCWD, s->files, 0, e) : 0;

	add_list(h, &s->given);
	for (size_t i = 0; i < s->places.binds.n && ret == 0; i++) {
		const char *bind = s->places.binds.v[i];
		cleanup_free char *host = xstrndup(bind, strcspn(bind, ":"));

		ret = add_path(h, AT_FDCWD, host, 0, e);
	}
	return ret;
}

/* ---- the source ---- */

/* "key HEX", "date SECONDS", "source TEXT" of fabricate --print-recipe. */
static int take_recipe(struct build_keys *k, struct hash *h, const struct strbuf *out,
		       struct error *e)
{
	cleanup_strv struct strv lines = STRV_INIT;
	uint64_t date;
	bool found = false;

	strv_split(&lines, sb_str(out), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		if (str_starts(lines.v[i], "key ")) {
			found = true;
			k->never = str_eq(lines.v[i], "key -");
			hash_add_field(h, lines.v[i]);
		} else if (str_starts(lines.v[i], "date ") &&
			   parse_u64(lines.v[i] + 5, 10, INT64_MAX, &date) == 0) {
			k->epoch = (int64_t)date;
		} else if (str_starts(lines.v[i], "source ")) {
			strv_add(&k->sources, lines.v[i] + 7);
		}
	}
	return found ? 0 : err_set(e, EPROTO, "umlcage fabricate did not say what the root depends on");
}

static int suite_key(const struct build_env *env, struct build *b, struct build_keys *k,
		     struct hash *h, struct error *e)
{
	cleanup_strv struct strv argv = STRV_INIT;
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	const char *theirs = getenv("RES_OPTIONS");
	int ret;

	strv_add(&argv, "umlcage");
	strv_add(&argv, "fabricate");
	strv_add(&argv, "--print-recipe");
	strv_add(&argv, "--quiet");
	strv_add(&argv, "--format=directory");
	build_add_machine(env, &argv);
	strv_addv(&argv, (const char *const *)strv_argv(&b->options));
	strv_add(&argv, b->suite);
	strv_add(&argv, "tree");
	strv_addv(&argv, (const char *const *)strv_argv(&b->mirrors));
	/*
	 * Many ask name servers at once here, and who gets no answer waits: 5 seconds, if it is left
	 * to the C library (resolv.conf(5)).
	 */
	if (!theirs)
		setenv("RES_OPTIONS", "timeout:1 attempts:5", 1);
	ret = build_program(env, b, &argv, -1, &out, e);
	if (!theirs)
		unsetenv("RES_OPTIONS");
	return ret < 0 ? ret : take_recipe(k, h, &out, e);
}

static int root_key(const struct build *b, const char *section, const char *root, struct build_keys *k,
		    struct hash *h, struct error *e)
{
	cleanup_root_spec struct root_spec spec = ROOT_SPEC_INIT;
	cleanup_share struct share s = SHARE_INIT;
	char id[SHARE_ID_MAX + 1];
	int ret = root_find(&spec, root, false, NULL, e);

	if (ret < 0)
		return ret;
	if (spec.kind != ROOT_SHARE)
		return err_usage(e, "%s: %s: '%s' is a disk image; make a root of it first", b->file,
				 section, root);
	/* an archive is kept by its contents */
	if (spec.cached) {
		const char *sum = strrchr(spec.path, '/') + 1;

		strv_addf(&k->sources, "%s %s", root, sum);
		hash_add_field(h, sum);
		return 0;
	}
	ret = share_open(&s, spec.path, SHARE_PEEK, e);
	if (ret < 0)
		return ret;
	if (share_id(&s, id) < 0) {
		strv_add(&k->sources, root);
		k->never = true;
		return 0;
	}
	strv_addf(&k->sources, "%s %s", root, id);
	hash_add_field(h, id);
	return 0;
}

/* By contents, like any step; of its own root, if it has one that exists, too. */
static int run_key(const struct build_env *env, struct build *b, struct build_keys *k,
		   struct hash *h, struct error *e)
{
	struct build_step *s = b->run;
	cleanup_strv struct strv more = STRV_INIT;
	int ret = s->root ? root_key(b, "[Run]", s->root, k, h, e) : 0;

	if (s->tool_name)
		strv_addf(&k->sources, "tool %s", s->tool_name);
	build_tool_key(env, s, &more);
	add_list(h, &more);
	return ret < 0 ? ret : add_step(h, s, e);
}

static int source_key(const struct build_env *env, struct build *b, struct build_keys *k,
		      struct error *e)
{
	struct hash h = { NULL };
	int ret = 0;

	part_begin(&h);
	if (b->suite) {
		ret = suite_key(env, b, k, &h, e);
	} else if (b->root) {
		ret = root_key(b, "[Source]", b->root, k, &h, e);
	} else if (b->run) {
		ret = run_key(env, b, k, &h, e);
	} else {
		hash_add_field(&h, b->on->tree_key);
		strv_addf(&k->sources, "build %s %s", b->base, b->on->tree_key);
		k->epoch = b->on->epoch;
	}
	/* what cannot be told is another thing in each build, too */
	if (k->never) {
		hash_add_field(&h, env->run);
		hash_add_field(&h, b->name);
	}
	part_end(k, &h, xstrdup("source"));
	return ret;
}

/* ---- all of it ---- */

static void chain(char out[SHA256_HEX + 1], const char *before, const char *part)
{
	struct hash h = { NULL };

	hash_start(&h);
	hash_add_field(&h, before);
	hash_add_field(&h, part);
	hash_end(&h, out);
	hash_release(&h);
}

/* The time of everything, if it is set; otherwise that of the source. */
static void take_epoch(struct build_keys *k)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	uint64_t value;

	if (text && parse_u64(text, 10, INT64_MAX, &value) == 0)
		k->epoch = (int64_t)value;
}

static int steps_keys(struct build *b, struct build_keys *k, struct error *e)
{
	int ret = 0;

	k->trees = xcalloc(b->nsteps + 1, sizeof(*k->trees));
	chain(k->trees[0], getenv("SOURCE_DATE_EPOCH") ? getenv("SOURCE_DATE_EPOCH") : "",
	      k->parts[0].key);
	if (b->base)
		memcpy(k->trees[0], b->on->tree_key, sizeof(k->trees[0]));
	for (size_t i = 0; i < b->nsteps && ret == 0; i++) {
		struct hash h = { NULL };

		part_begin(&h);
		ret = add_step(&h, &b->steps[i], e);
		part_end(k, &h, xasprintf("step %s", b->steps[i].name));
		chain(k->trees[i + 1], k->trees[i], k->parts[k->n - 1].key);
	}
	return ret;
}

static int rest_keys(struct build *b, struct build_keys *k, struct error *e)
{
	struct hash h = { NULL };
	int ret = 0;

	for (size_t i = 0; i < b->noutputs; i++) {
		part_begin(&h);
		hash_add_field(&h, b->outputs[i].name);
		add_list(&h, &b->outputs[i].given);
		part_end(k, &h, xasprintf("output %s", b->outputs[i].name));
	}
	part_begin(&h);
	for (size_t i = 0; i < b->nchecks && ret == 0; i++)
		ret = add_step(&h, &b->checks[i], e);
	part_end(k, &h, xstrdup("checks"));
	if (b->publish.sign) {
		part_begin(&h);
		hash_add_field(&h, b->publish.sign);
		part_end(k, &h, xstrdup("signature"));
	}
	return ret;
}

int build_keys(const struct build_env *env, struct build *b, struct build_keys *k, struct error *e)
{
	int ret;

	*k = (struct build_keys){ .epoch = -1 };
	ret = source_key(env, b, k, e);
	if (ret == 0)
		ret = steps_keys(b, k, e);
	if (ret == 0)
		ret = rest_keys(b, k, e);
	if (ret < 0)
		return ret;
	take_epoch(k);
	if (env->how->again)
		k->epoch = env->how->again->epoch;
	memcpy(k->all, k->trees[b->nsteps], sizeof(k->all));
	for (size_t i = 1 + b->nsteps; i < k->n; i++) {
		char before[SHA256_HEX + 1];

		memcpy(before, k->all, sizeof(before));
		chain(k->all, before, k->parts[i].key);
	}
	return 0;
}

void build_keys_release(struct build_keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		free(k->parts[i].name);
	free(k->parts);
	free(k->trees);
	strv_release(&k->sources);
}
