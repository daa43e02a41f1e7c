// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a hook is, and what its text says: one of mmdebstrap's special ones, a program of the
 * host, or lines of shell; which programs it calls, and which folders it has beside its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/fabricate/private.h"
#include "umlcage/base/fd.h"

int hooks_words(const char *text, struct strv *words)
{
	struct strbuf word = STRBUF_INIT;
	bool open = false;
	char quote = 0;

	for (; *text; text++) {
		if (!quote && strchr(" \t\n", *text)) {
			if (open)
				strv_take(words, sb_steal(&word));
			open = false;
			continue;
		}
		open = true;
		if (quote ? *text == quote : (*text == '"' || *text == '\'')) {
			quote = quote ? 0 : *text;
		} else if (*text == '\\' && quote != '\'' && text[1]) {
			/* in double quotes only what they would take is escaped */
			if (quote && !strchr("\"\\$`", text[1]))
				sb_addc(&word, '\\');
			sb_addc(&word, *++text);
		} else {
			sb_addc(&word, *text);
		}
	}
	if (open)
		strv_take(words, sb_steal(&word));
	sb_release(&word);
	return quote ? -EINVAL : 0;
}

size_t hooks_special(const char *script)
{
	static const char *const names[] = { "copy-in", "copy-out", "tar-in", "tar-out", "upload",
					     "download", "sync-in", "sync-out" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len = strlen(names[i]);

		if (strncmp(script, names[i], len) == 0 && script[len] == ' ')
			return len;
	}
	return 0;
}

bool hooks_need_shell(const char *script)
{
	for (; *script; script++)
		if (!strchr("@%+=:,./-_", *script) && !(*script >= '0' && *script <= '9') &&
		    !(*script >= 'a' && *script <= 'z') && !(*script >= 'A' && *script <= 'Z'))
			return true;
	return false;
}

bool hooks_is_program(const char *script)
{
	struct stat st;

	return access(script, X_OK) == 0 && stat(script, &st) == 0 && S_ISREG(st.st_mode);
}

char *hooks_neighbours(const char *path, const char *text, struct strv *names)
{
	cleanup_free char *copy = xstrdup(path), *up = NULL;
	char *slash = strrchr(copy, '/');
	cleanup_strv struct strv all = STRV_INIT;
	cleanup_close int dir = -1;

	if (slash)
		*slash = '\0';
	up = path_join(slash ? copy : ".", "..");
	dir = strstr(text, "$0") ? open(up, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (dir >= 0)
		(void)dir_names(dir, &all, NULL);
	for (size_t i = 0; i < all.n; i++) {
		cleanup_free char *named = xasprintf("/%s/", all.v[i]);
		struct stat st;

		if (strstr(text, named) && fstatat(dir, all.v[i], &st, 0) == 0 && S_ISDIR(st.st_mode))
			strv_add(names, all.v[i]);
	}
	return steal_ptr(&up);
}

/* Adds what a folder's files say that @text names as "/FOLDER/FILE". */
static void read_neighbour(const char *folder, const char *text, struct strbuf *out)
{
	cleanup_strv struct strv files = STRV_INIT;
	cleanup_close int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || dir_names(dir, &files, NULL) < 0)
		return;
	for (size_t i = 0; i < files.n; i++) {
		cleanup_free char *named = xasprintf("%s/%s", strrchr(folder, '/'), files.v[i]);
		cleanup_strbuf struct strbuf one = STRBUF_INIT;

		if (strstr(text, named) && file_read(dir, files.v[i], HOOK_SCRIPT_MAX, &one, NULL) == 0)
			sb_add(out, sb_str(&one), one.len);
	}
}

/* A program of the host, with those of its neighbours that it names. */
static void read_program(const char *path, struct strbuf *out)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *up = NULL;

	if (file_read(AT_FDCWD, path, HOOK_SCRIPT_MAX, &text, NULL) < 0)
		return;
	up = hooks_neighbours(path, sb_str(&text), &names);
	sb_add(out, sb_str(&text), text.len);
	for (size_t i = 0; i < names.n; i++) {
		cleanup_free char *folder = path_join(up, names.v[i]);

		read_neighbour(folder, sb_str(&text), out);
	}
}

bool hooks_call_any(const struct fab_hooks *hooks, const char *const *names)
{
	for (size_t i = 0; i < hooks->n; i++) {
		cleanup_strbuf struct strbuf text = STRBUF_INIT;
		const char *script = hooks->v[i].script;

		if (hooks->v[i].chrooted || hooks_special(script))
			continue;
		if (hooks_is_program(script))
			read_program(script, &text);
		for (const char *const *name = names; *name; name++)
			if (strstr(text.len ? sb_str(&text) : script, *name))
				return true;
	}
	return false;
}
