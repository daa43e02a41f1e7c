// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the control files of a package say: read where nothing can be lost, passed on as a few
 * checked strings.  deb_facts_take() is on the border between a reader and the user's rights,
 * and parses nothing of Debian's.  The order of the fields is that of dpkg's parse.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rootfs/deb/private.h"
#include "rootfs/deb822/deb822.h"

static const char *const fields[] = {
	"Package", "Essential", "Protected", "Status", "Priority", "Section", "Installed-Size",
	"Origin", "Maintainer", "Bugs", "Architecture", "Multi-Arch", "Source", "Version",
	"Replaces", "Provides", "Depends", "Pre-Depends", "Recommends", "Suggests", "Breaks",
	"Conflicts", "Enhances", "Conffiles", "Description",
};

/* What dpkg knows by name but does not keep in status. */
static const char *const dropped[] = { "Filename", "Size", "MD5sum", "MSDOS-Filename",
				       "Config-Version", "Triggers-Pending", "Triggers-Awaited",
				       "Recommended", "Optional", "Class", "Revision",
				       "Package-Revision", "Package_Revision" };

/* ---- what may be said ---- */

static bool is_word(const char *s)
{
	for (const char *c = s; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return false;
	return *s && strlen(s) < DEB_NAME_MAX;
}

/* They become names of files. */
static bool is_name(const char *s)
{
	return is_word(s) && s[0] != '.' && !strchr(s, '/');
}

static bool is_conffile(const char *s)
{
	return s[0] == '/' && strlen(s) < DEB_NAME_MAX;
}

/* A path, or a name, which becomes that of a file. */
static bool is_trigger(const char *s)
{
	return is_word(s) && (s[0] == '/' || is_name(s));
}

/* Lines of one stanza and nothing else. */
static bool is_stanza_part(const char *s)
{
	size_t len = strlen(s);

	return !len || (s[0] != '\n' && s[len - 1] == '\n' && !strstr(s, "\n\n"));
}

static bool is_stanza_of(const char *s, const char *name)
{
	cleanup_free char *first = xasprintf("Package: %s\n", name);

	return str_starts(s, first);
}

/* ---- reading ---- */

static bool in_list(const char *const *v, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(v[i]) == len && strncasecmp(v[i], name, len) == 0)
			return true;
	return false;
}

/* As dpkg writes it, but for the field "Conffiles", which is made of what was unpacked. */
static void split_stanza(struct deb_facts *f, const struct deb822 *d)
{
	struct strbuf parts[2] = { STRBUF_INIT, STRBUF_INIT }, *out = &parts[0];

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const char *value = deb822_get(d, fields[i]);

		if (strcmp(fields[i], "Status") == 0)
			sb_adds(out, "Status: install ok unpacked\n");
		else if (strcmp(fields[i], "Conffiles") == 0)
			out = &parts[1];
		else if (value && !((i == 1 || i == 2) && strcmp(value, "no") == 0))
			sb_addf(out, "%s: %s\n", fields[i], value);
	}
	for (size_t i = 0; i < d->n; i++) {
		const struct deb822_field *field = &d->fields[i];
		const char *base = d->buf.s + d->start;

		if (in_list(fields, ARRAY_SIZE(fields), base + field->name, field->name_len) ||
		    in_list(dropped, ARRAY_SIZE(dropped), base + field->name, field->name_len))
			continue;
		sb_add(out, base + field->name, field->name_len);
		sb_adds(out, ": ");
		sb_add(out, base + field->value, field->value_len);
		sb_addc(out, '\n');
	}
	f->before = xstrdup(sb_str(&parts[0]));
	f->behind = xstrdup(sb_str(&parts[1]));
	sb_release(&parts[0]);
	sb_release(&parts[1]);
}

static enum deb_relation relation_of(const char *op)
{
	return strcmp(op, "<<") == 0 ? DEB_EARLIER : strcmp(op, ">>") == 0 ? DEB_LATER :
	       strcmp(op, "=") == 0 ? DEB_SAME : op[0] == '<' ? DEB_NOT_LATER : DEB_NOT_EARLIER;
}

static void read_replaces(struct deb_facts *f, const char *field)
{
	cleanup_strv struct strv entries = STRV_INIT;

	strv_split(&entries, field, ",\n");
	f->replaces = xcalloc(entries.n + 1, sizeof(*f->replaces));
	for (size_t i = 0; i < entries.n; i++) {
		char name[256], op[4], version[256] = "";
		const char *open = strchr(entries.v[i], '(');
		enum deb_relation relation = DEB_ANY;

		if (sscanf(entries.v[i], " %255[^ \t(:] %*[:a-z0-9] ", name) != 1 || !is_word(name))
			continue;
		if (open) {
			if (sscanf(open, "( %3[<>=] %255[^ )]", op, version) != 2 || !is_word(version))
				continue;
			relation = relation_of(op);
		}
		f->replaces[f->nreplaces++] = (struct deb_replaces){
			xstrdup(name), relation == DEB_ANY ? NULL : xstrdup(version), relation,
		};
	}
}

static int read_stanza(struct deb_facts *f, const struct deb *d, struct error *e)
{
	const struct deb_member *control = deb_member(d, "control");
	cleanup_deb822 struct deb822 stanza = DEB822_INIT;
	const char *name, *version, *arch, *replaces;
	int ret;

	deb822_init_mem(&stanza, sb_str(&control->data), control->data.len, d->label);
	ret = deb822_next(&stanza, e);
	if (ret < 0)
		return ret;
	name = ret ? deb822_get(&stanza, "Package") : NULL;
	version = ret ? deb822_get(&stanza, "Version") : NULL;
	arch = ret ? deb822_get(&stanza, "Architecture") : NULL;
	if (!name || !version || !arch)
		return err_set(e, EBADMSG, "bad package '%s': no Package, Version or Architecture",
			       d->label);
	if (!is_name(name) || !is_name(arch) || !is_word(version))
		return err_set(e, EBADMSG, "bad package '%s': bad name", d->label);
	f->name = xstrdup(name);
	f->version = xstrdup(version);
	f->arch = xstrdup(arch);
	f->same = str_eq(deb822_get(&stanza, "Multi-Arch"), "same");
	replaces = deb822_get(&stanza, "Replaces");
	if (replaces)
		read_replaces(f, replaces);
	split_stanza(f, &stanza);
	return 0;
}

static int read_conffiles(struct deb_facts *f, const struct deb *d, struct error *e)
{
	const struct deb_member *m = deb_member(d, "conffiles");
	cleanup_strv struct strv lines = STRV_INIT;

	if (!m)
		return 0;
	strv_split(&lines, sb_str(&m->data), "\n");
	f->conffiles = xcalloc(lines.n + 1, sizeof(*f->conffiles));
	for (size_t i = 0; i < lines.n; i++) {
		char *line = lines.v[i];
		size_t len = strlen(line);
		bool remove;

		while (len && strchr(" \t\r", line[len - 1]))
			line[--len] = '\0';
		if (!len)
			continue;
		remove = str_starts(line, "remove-on-upgrade ");
		if (remove)
			line += strlen("remove-on-upgrade ");
		if (!is_conffile(line))
			return err_set(e, EBADMSG, "bad package '%s': conffile '%s' is not an absolute path",
				       d->label, line);
		f->conffiles[f->nconffiles++] = (struct deb_conffile){ xstrdup(line), remove };
	}
	return 0;
}

/* Of a file "triggers" the lines that say an interest. */
static void read_interests(struct deb_facts *f, const struct deb *d)
{
	const struct deb_member *m = deb_member(d, "triggers");
	cleanup_strv struct strv lines = STRV_INIT;

	if (!m)
		return;
	strv_split(&lines, sb_str(&m->data), "\n");
	f->interests = xcalloc(lines.n + 1, sizeof(*f->interests));
	for (size_t i = 0; i < lines.n; i++) {
		char word[32], name[256];
		bool noawait;

		if (sscanf(lines.v[i], " %31s %255s", word, name) != 2)
			continue;
		noawait = strcmp(word, "interest-noawait") == 0;
		if ((noawait || strcmp(word, "interest") == 0 || strcmp(word, "interest-await") == 0) &&
		    is_trigger(name))
			f->interests[f->ninterests++] = (struct deb_interest){ xstrdup(name), noawait };
	}
}

int deb_facts_read(struct deb_facts *f, const struct deb *d, struct error *e)
{
	const struct deb_member *preinst = deb_member(d, "preinst");
	int ret = read_stanza(f, d, e);

	if (ret == 0)
		ret = read_conffiles(f, d, e);
	if (ret < 0)
		return ret;
	read_interests(f, d);
	f->preinst = preinst && !deb_preinst_is_idle(sb_str(&preinst->data));
	return 0;
}

void deb_facts_free(struct deb_facts **facts)
{
	struct deb_facts *f = *facts;

	*facts = NULL;
	if (!f)
		return;
	for (size_t i = 0; i < f->nconffiles; i++)
		free(f->conffiles[i].path);
	for (size_t i = 0; i < f->ninterests; i++)
		free(f->interests[i].trigger);
	for (size_t i = 0; i < f->nreplaces; i++) {
		free(f->replaces[i].name);
		free(f->replaces[i].version);
	}
	free(f->conffiles);
	free(f->interests);
	free(f->replaces);
	free(f->name);
	free(f->version);
	free(f->arch);
	free(f->before);
	free(f->behind);
	free(f);
}

/* ---- passing them on ---- */

/* Of several lines. */
static void put_text(struct strbuf *out, const char *s)
{
	put_u64(out, strlen(s));
	sb_adds(out, s);
}

void deb_facts_put(const struct deb_facts *f, struct strbuf *out)
{
	put_str(out, f->name);
	put_str(out, f->version);
	put_str(out, f->arch);
	put_u64(out, f->same);
	put_u64(out, f->preinst);
	put_text(out, f->before);
	put_text(out, f->behind);
	put_u64(out, f->nconffiles);
	for (size_t i = 0; i < f->nconffiles; i++) {
		put_str(out, f->conffiles[i].path);
		put_u64(out, f->conffiles[i].remove_on_upgrade);
	}
	put_u64(out, f->ninterests);
	for (size_t i = 0; i < f->ninterests; i++) {
		put_str(out, f->interests[i].trigger);
		put_u64(out, f->interests[i].noawait);
	}
	put_u64(out, f->nreplaces);
	for (size_t i = 0; i < f->nreplaces; i++) {
		put_str(out, f->replaces[i].name);
		put_u64(out, f->replaces[i].relation);
		put_str(out, f->replaces[i].version);
	}
}

/* ---- believing nothing ---- */

static void take_checked(struct taker *t, bool (*good)(const char *), char **s)
{
	if (take_str(t, DEB_NAME_MAX, true, s) && !good(*s))
		t->bad = true;
}

static void take_text(struct taker *t, char **s)
{
	uint64_t len;

	if (!take_u64(t, (uint64_t)(t->end - t->at), &len))
		return;
	if (len > (uint64_t)(t->end - t->at) || memchr(t->at, '\0', len)) {
		t->bad = true;
		return;
	}
	*s = xstrndup(t->at, len);
	t->at += len;
	t->bad = !is_stanza_part(*s);
}

static bool take_flag(struct taker *t)
{
	uint64_t v;

	return take_u64(t, 1, &v) && v;
}

/* How many are to follow, each of 16 bytes at least. */
static size_t take_count(struct taker *t)
{
	uint64_t n;

	return take_u64(t, (uint64_t)(t->end - t->at) / 16, &n) ? (size_t)n : 0;
}

static void take_lists(struct taker *t, struct deb_facts *f)
{
	size_t n = take_count(t);

	f->conffiles = xcalloc(n + 1, sizeof(*f->conffiles));
	for (; f->nconffiles < n && !t->bad; f->nconffiles++) {
		struct deb_conffile *c = &f->conffiles[f->nconffiles];

		take_checked(t, is_conffile, &c->path);
		c->remove_on_upgrade = take_flag(t);
	}
	n = take_count(t);
	f->interests = xcalloc(n + 1, sizeof(*f->interests));
	for (; f->ninterests < n && !t->bad; f->ninterests++) {
		struct deb_interest *i = &f->interests[f->ninterests];

		take_checked(t, is_trigger, &i->trigger);
		i->noawait = take_flag(t);
	}
	n = take_count(t);
	f->replaces = xcalloc(n + 1, sizeof(*f->replaces));
	for (; f->nreplaces < n && !t->bad; f->nreplaces++) {
		struct deb_replaces *r = &f->replaces[f->nreplaces];
		uint64_t relation;

		take_checked(t, is_word, &r->name);
		if (take_u64(t, DEB_LATER, &relation))
			r->relation = (enum deb_relation)relation;
		if (take_str(t, DEB_NAME_MAX, r->relation != DEB_ANY, &r->version) && r->version &&
		    !is_word(r->version))
			t->bad = true;
	}
}

struct deb_facts *deb_facts_take(const char *said, size_t len)
{
	struct taker t = { said, said + len, false };
	struct deb_facts *f = xcalloc(1, sizeof(*f));

	take_checked(&t, is_name, &f->name);
	take_checked(&t, is_word, &f->version);
	take_checked(&t, is_name, &f->arch);
	f->same = take_flag(&t);
	f->preinst = take_flag(&t);
	take_text(&t, &f->before);
	take_text(&t, &f->behind);
	take_lists(&t, f);
	if (t.bad || t.at != t.end || !is_stanza_of(f->before, f->name))
		deb_facts_free(&f);
	return f;
}
