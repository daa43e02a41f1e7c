/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory and strings.  Allocation failure ends the process, here and nowhere
 * else, so callers never check: with status 1, or memory_status(), and after a last
 * act (see remains.h).
 */
#ifndef UMLCAGE_BASE_STR_H
#define UMLCAGE_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "umlcage/base/error.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

void memory_status(int status);
/* That end, with a line for standard error. */
void memory_end(const char *words) __attribute__((noreturn));
void memory_last_act(void (*fn)(void));

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
/* Grows or shrinks; checks count * size for overflow. */
void *xreallocarray(void *p, size_t count, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);
void *xmemdup(const void *p, size_t len);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/*
 * A time in UTC, in seconds since 1970, as strftime() writes it in up to 63 bytes; "" if it has no
 * year.  malloc'ed.
 */
char *utc_text(int64_t when, const char *format) __attribute__((format(strftime, 2, 0)));
#define UTC_RFC_3339 "%Y-%m-%dT%H:%M:%SZ"
#define UTC_RFC_5322 "%a, %d %b %Y %H:%M:%S +0000"

/* free() and set NULL through the address of any pointer variable. */
void free_ptr(void *pp);
#define cleanup_free __attribute__((cleanup(free_ptr)))
#define steal_ptr(pp) \
	({ __typeof__(*(pp)) stolen_ = *(pp); *(pp) = NULL; stolen_; })

/* A growing byte string, always NUL-terminated once something was added. */
struct strbuf {
	char *s;	/* NULL while nothing was ever added */
	size_t len;	/* bytes, without the NUL */
	size_t cap;
};

#define STRBUF_INIT { NULL, 0, 0 }

void sb_add(struct strbuf *sb, const void *data, size_t len);
void sb_adds(struct strbuf *sb, const char *s);
void sb_addc(struct strbuf *sb, char c);
void sb_addf(struct strbuf *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Room for @len more bytes; returns where they go, sb->len is the caller's. */
char *sb_reserve(struct strbuf *sb, size_t len);
/* Empty, memory kept. */
void sb_reset(struct strbuf *sb);
/* The string, "" when empty; valid until the next change. */
const char *sb_str(const struct strbuf *sb);
/* Hands the malloc'ed string to the caller, never NULL; @sb is empty after. */
char *sb_steal(struct strbuf *sb);
void sb_release(struct strbuf *sb);
#define cleanup_strbuf __attribute__((cleanup(sb_release)))

/* A growing vector of owned strings, always NULL-terminated once used. */
struct strv {
	char **v;	/* NULL while empty and never used */
	size_t n;
	size_t cap;
};

#define STRV_INIT { NULL, 0, 0 }

void strv_add(struct strv *sv, const char *s);		/* copies */
void strv_take(struct strv *sv, char *s);		/* takes ownership */
void strv_addf(struct strv *sv, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strv_addv(struct strv *sv, const char *const *v);	/* copies up to NULL */
/* Splits @s at any byte of @delims, leaving out empty fields. */
void strv_split(struct strv *sv, const char *s, const char *delims);
bool strv_has(const struct strv *sv, const char *s);
void strv_sort(struct strv *sv);			/* bytewise */
char *strv_join(const struct strv *sv, const char *sep);	/* malloc'ed */
/* The array for execv: never NULL. */
char *const *strv_argv(const struct strv *sv);
/* The value of the variable of an environment, by "NAME" or a setting "NAME=..."; NULL: it has none. */
const char *env_get(char *const *env, const char *name);
void strv_release(struct strv *sv);
#define cleanup_strv __attribute__((cleanup(strv_release)))

bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* A name for a machine, as sethostname(2) and hostname(7) have it. */
bool str_is_hostname(const char *s);
static inline bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && __builtin_strcmp(a, b) == 0);
}

/*
 * The word of the NULL-terminated @list that @word was probably meant to be: fewest letters
 * changed, added, left out or swapped, and not more than a third of them.  NULL: none.
 */
const char *str_closest(const char *word, const char *const *list);

/*
 * Takes who logs in, and by which password, out of every address in @text, in place:
 * "https://me:secret@host/" becomes "https://host/", as apt prints it, and so does
 * "https://me:sec/ret@host/".  Errors and progress go through it; so does what is published.
 */
void str_hide_passwords(char *text);

/*
 * Strict numbers: the whole string, no sign, no blanks.
 * 0, or -EINVAL and -ERANGE (without an error text; the caller knows the name).
 */
int parse_u64(const char *s, int base, uint64_t max, uint64_t *out);
/* Bytes with an optional K, M, G or T (powers of 1024), optionally iB or B. */
int parse_size(const char *s, uint64_t *out);
/* Milliseconds from "90", "90s", "1.5m", "2h", "250ms", "1d" (default: seconds). */
int parse_duration(const char *s, uint64_t *ms);
/* "1.4 GB", in powers of 1000 as the field prints sizes; malloc'ed. */
char *format_size(uint64_t bytes);

/* "a/b" from "a" and "b", one slash between; malloc'ed. */
char *path_join(const char *dir, const char *name);

/* Lower-case hexadecimal; @out has room for 2 * len + 1. */
void hex_encode(const void *data, size_t len, char *out);

/* For names of files that nobody else should have taken or can guess; never fails. */
uint64_t random_u64(void);

/* Appends @s (@len bytes) as a quoted JSON string; invalid UTF-8 as U+FFFD. */
void sb_json_str(struct strbuf *sb, const char *s, size_t len);
/* A copy of @s that is UTF-8: what is not becomes U+FFFD; malloc'ed. */
char *str_utf8(const char *s);

/* Control characters become '?': nothing that a terminal would obey. */
void str_make_printable(char *s);

#endif
