// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads a preinst script far enough to say that `preinst install` does nothing.  Most
 * do not: what debhelper puts there and most hand-written tests only concern upgrades.
 * Such a package can be unpacked without its script having run.
 *
 * Understood: if/elif/else, case "$1", functions (not looked into: a call is not
 * understood), tests of $1 and $2, set, exit, plain assignments, and
 * dpkg-maintscript-helper, of which every kind does nothing when there is no old version
 * (dpkg-maintscript-helper(1)).  Whatever else would be reached means "not idle".
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "rootfs/deb/private.h"

/* Splits the script into statements at newlines and ";"; "" never, ";;" by itself. */
static bool split(const char *s, struct strv *out)
{
	struct strbuf word = STRBUF_INIT;
	char quote = 0;
	bool ok = true;

	for (; ; s++) {
		bool end = !*s || (!quote && (*s == '\n' || *s == ';'));

		if (end) {
			char *text = sb_steal(&word);
			char *from = text + strspn(text, " \t");
			size_t len = strlen(from);

			while (len && isspace((unsigned char)from[len - 1]))
				from[--len] = '\0';
			/* "then X" and the like are two */
			while (*from) {
				static const char *const keys[] = { "then", "else", "do" };
				bool found = false;

				for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
					size_t n = strlen(keys[i]);

					if (!str_starts(from, keys[i]) ||
					    !isspace((unsigned char)from[n]))
						continue;
					strv_add(out, keys[i]);
					from += n;
					from += strspn(from, " \t");
					found = true;
				}
				if (!found)
					break;
			}
			if (*from)
				strv_add(out, from);
			free_ptr(&text);
			if (!*s)
				break;
			if (*s == ';' && s[1] == ';') {
				strv_add(out, ";;");
				s++;
			}
			continue;
		}
		if (*s == '\\' && s[1] == '\n' && quote != '\'') {
			s++;
			sb_addc(&word, ' ');
			continue;
		}
		if (*s == '\\' && s[1] && quote != '\'') {
			sb_add(&word, s++, 2);
			continue;
		}
		if (!quote && *s == '#' && (!word.len || isspace((unsigned char)word.s[word.len - 1]))) {
			s += strcspn(s, "\n") - 1;
			continue;
		}
		/* here-documents hide what looks like shell */
		if (!quote && *s == '<' && s[1] == '<')
			ok = false;
		if (quote ? *s == quote : (*s == '"' || *s == '\''))
			quote = quote ? 0 : *s;
		sb_addc(&word, *s);
	}
	sb_release(&word);
	return ok && !quote;
}

static bool first_word(const char *s, const char *word)
{
	size_t n = strlen(word);

	return strncmp(s, word, n) == 0 && (!s[n] || isspace((unsigned char)s[n]));
}

/* Without quotes, braces around a name, and with single blanks. */
static void simplify(const char *s, struct strbuf *out)
{
	sb_reset(out);
	sb_adds(out, "");
	for (; *s; s++) {
		if (strchr("\"'{}", *s))
			continue;
		if (isspace((unsigned char)*s) && (!out->len || out->s[out->len - 1] == ' '))
			continue;
		sb_addc(out, isspace((unsigned char)*s) ? ' ' : *s);
	}
	while (out->len && out->s[out->len - 1] == ' ')
		out->s[--out->len] = '\0';
}

/* One test, simplified: "[ $1 = upgrade ]".  -1 unknown, 0 false, 1 true. */
static int single_test(const char *s)
{
	char arg[64];
	int end = 0;

	if (strcmp(s, "[ -n $2 ]") == 0 || strcmp(s, "test -n $2") == 0 || strcmp(s, "[ $2 ]") == 0)
		return 0;
	if (strcmp(s, "[ -z $2 ]") == 0 || strcmp(s, "test -z $2") == 0)
		return 1;
	if ((sscanf(s, "[ $1 = %63s ]%n", arg, &end) == 1 && end && !s[end]) ||
	    (sscanf(s, "[ $1 == %63s ]%n", arg, &end) == 1 && end && !s[end]) ||
	    (sscanf(s, "test $1 = %63s%n", arg, &end) == 1 && end && !s[end]))
		return arg[0] == '$' ? -1 : strcmp(arg, "install") == 0;
	if (sscanf(s, "[ $1 != %63s ]%n", arg, &end) == 1 && end && !s[end])
		return arg[0] == '$' ? -1 : strcmp(arg, "install") != 0;
	return -1;
}

/* A condition: only a chain of "&&" (or -a within one test) is looked into. */
static int condition(const char *text)
{
	struct strbuf s = STRBUF_INIT;
	int all = 1;

	simplify(text, &s);
	if (strstr(s.s, "||") || strstr(s.s, " -o ") || strchr(s.s, '!') != NULL) {
		int one = single_test(s.s);

		sb_release(&s);
		return one;
	}

	char *at = s.s;
	bool bracket = false, test = false;

	while (at) {
		char *and = strstr(at, " && "), *a = strstr(at, " -a ");
		bool dash = a && (!and || a < and);
		char *cut = dash ? a : and;
		struct strbuf one = STRBUF_INIT;

		if (cut)
			*cut = '\0';
		/* the parts of "[ x -a y ]" are made whole again */
		if (bracket)
			sb_adds(&one, "[ ");
		else if (test)
			sb_adds(&one, "test ");
		sb_adds(&one, at);
		if (dash && (str_starts(one.s, "[ ")))
			sb_adds(&one, " ]");

		bool in_bracket = str_starts(one.s, "[ "), in_test = str_starts(one.s, "test ");
		int value = single_test(one.s);

		sb_release(&one);
		bracket = dash && in_bracket;
		test = dash && in_test;
		if (value == 0) {
			all = 0;
			break;
		}
		if (value < 0)
			all = -1;
		at = cut ? cut + 4 : NULL;
	}
	sb_release(&s);
	return all;
}

struct reader {
	const struct strv *v;
	size_t at;
};

static const char *peek(const struct reader *r)
{
	return r->at < r->v->n ? r->v->v[r->at] : NULL;
}

enum verdict { BUSY, IDLE, ENDS };	/* ENDS: idle, and the script is over */

static enum verdict block(struct reader *r, bool live);

static enum verdict read_if(struct reader *r, bool live)
{
	enum verdict sum = IDLE;
	bool taken = false;	/* a branch before was certainly taken */

	for (;;) {
		const char *s = peek(r);
		int value = 1;

		if (!s)
			return BUSY;
		if (first_word(s, "fi")) {
			if (strcmp(s, "fi") != 0 && live)
				return BUSY;	/* "fi > file", "fi || x" */
			r->at++;
			return sum;
		}
		if (first_word(s, "if") || first_word(s, "elif")) {
			value = condition(strchr(s, ' ') ? strchr(s, ' ') + 1 : "");
			r->at++;
			/* a condition of several statements is not understood */
			if (!peek(r) || strcmp(peek(r), "then") != 0)
				return BUSY;
			r->at++;
		} else if (strcmp(s, "else") == 0) {
			r->at++;
		} else {
			return BUSY;
		}

		bool reached = live && !taken && value != 0;
		enum verdict v = block(r, reached);

		/* a condition of unknown value may itself do something */
		if (v == BUSY || (live && !taken && value < 0))
			return BUSY;
		if (reached && v == ENDS)
			sum = ENDS;
		if (value == 1)
			taken = true;
	}
}

static enum verdict read_case(struct reader *r, bool live)
{
	struct strbuf head = STRBUF_INIT;
	enum verdict sum = IDLE;
	bool known, taken = false;

	simplify(peek(r), &head);
	known = strcmp(head.s, "case $1 in") == 0;
	sb_release(&head);
	if (live && !known)
		return BUSY;
	r->at++;
	for (;;) {
		const char *s = peek(r);

		if (!s)
			return BUSY;
		if (first_word(s, "esac")) {
			if (strcmp(s, "esac") != 0 && live)
				return BUSY;
			r->at++;
			return sum;
		}
		if (strcmp(s, ";;") == 0) {
			r->at++;
			continue;
		}

		const char *close = strchr(s, ')');

		if (!close)
			return BUSY;

		struct strv patterns = STRV_INIT;
		struct strbuf text = STRBUF_INIT, plain = STRBUF_INIT;
		bool match = false, odd = false;

		sb_add(&text, s, (size_t)(close - s));
		simplify(text.s, &plain);
		strv_split(&patterns, plain.s, "|( ");
		for (size_t i = 0; i < patterns.n; i++) {
			const char *p = patterns.v[i];

			if (strcmp(p, "*") == 0 || strcmp(p, "install") == 0)
				match = true;
			else if (strpbrk(p, "*?[$"))
				odd = true;
		}
		strv_release(&patterns);
		sb_release(&text);
		sb_release(&plain);
		if (live && odd && !match)
			return BUSY;

		/* what follows the ")" on its line is a statement of the arm */
		close += 1 + strspn(close + 1, " \t");
		if (*close) {
			char *rest = r->v->v[r->at];

			memmove(rest, close, strlen(close) + 1);
		} else {
			r->at++;
		}

		bool reached = live && match && !taken;
		enum verdict v = block(r, reached);

		if (v == BUSY)
			return BUSY;
		if (reached && v == ENDS)
			sum = ENDS;
		taken |= match;
	}
}

/* A word of an assignment that runs nothing. */
static bool is_assignment(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	if (!n || s[n] != '=' || strchr(s, '`') || strstr(s, "$("))
		return false;

	char quote = 0;

	for (s += n + 1; *s; s++) {
		if (quote ? *s == quote : (*s == '"' || *s == '\''))
			quote = quote ? 0 : *s;
		else if (!quote && (isspace((unsigned char)*s) || strchr("|&<>", *s)))
			return false;
	}
	return true;
}

static bool is_harmless(const char *s)
{
	static const char *const helpers[] = { "rm_conffile", "mv_conffile", "symlink_to_dir",
					       "dir_to_symlink" };

	if ((str_starts(s, "set -") || str_starts(s, "set +")) && !strpbrk(s, "|&<>`$") && !strchr(s, 'x'))
		return true;
	if (strcmp(s, ":") == 0 || strcmp(s, "true") == 0 || is_assignment(s))
		return true;
	if (!first_word(s, "dpkg-maintscript-helper") || strpbrk(s, "|<>`&") || strstr(s, "$("))
		return false;
	s += strlen("dpkg-maintscript-helper");
	s += strspn(s, " \t");
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++)
		if (first_word(s, helpers[i]))
			return strstr(s, "-- \"$@\"") != NULL || strstr(s, "-- $@") != NULL;
	return false;
}

/* Skips "name() {" to its "}"; the braces stand alone or at the end of a line. */
static bool skip_function(struct reader *r)
{
	const char *s = peek(r);
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == '-')
		n++;
	if (!n || !str_starts(s + n + strspn(s + n, " \t"), "()"))
		return false;

	int depth = 0;

	do {
		s = peek(r);
		if (!s)
			return false;
		if (str_ends(s, "{"))
			depth++;
		if (s[0] == '}')
			depth--;
		r->at++;
	} while (depth > 0 || (peek(r) && strcmp(peek(r), "{") == 0));
	return true;
}

/* Statements up to the keyword that ends the block, which is left. */
static enum verdict block(struct reader *r, bool live)
{
	enum verdict sum = IDLE;

	for (;;) {
		const char *s = peek(r);

		if (!s || first_word(s, "fi") || first_word(s, "elif") || strcmp(s, "else") == 0 ||
		    strcmp(s, ";;") == 0 || first_word(s, "esac"))
			return sum;

		bool runs = live && sum != ENDS;

		if (first_word(s, "if")) {
			enum verdict v = read_if(r, runs);

			if (v == BUSY)
				return BUSY;
			if (runs && v == ENDS)
				sum = ENDS;
		} else if (first_word(s, "case")) {
			enum verdict v = read_case(r, runs);

			if (v == BUSY)
				return BUSY;
			if (runs && v == ENDS)
				sum = ENDS;
		} else if (skip_function(r)) {
			continue;
		} else if (strcmp(s, "exit") == 0 || strcmp(s, "exit 0") == 0) {
			if (runs)
				sum = ENDS;
			r->at++;
		} else if (!runs || is_harmless(s)) {
			r->at++;
		} else {
			return BUSY;
		}
	}
}

bool deb_preinst_is_idle(const char *script)
{
	struct strv v = STRV_INIT;
	struct reader r = { &v, 0 };
	const char *line = strchr(script, '\n');
	bool idle = false;

	/* another interpreter, or an ELF file */
	if (str_starts(script, "#!")) {
		const char *shell = script + 2 + strspn(script + 2, " \t");

		if (line && (str_starts(shell, "/bin/sh") || str_starts(shell, "/bin/bash") ||
			     str_starts(shell, "/bin/dash")) && split(line, &v)) {
			enum verdict verdict = block(&r, true);

			idle = verdict == ENDS || (verdict == IDLE && r.at == v.n);
		}
	}
	strv_release(&v);
	return idle;
}
