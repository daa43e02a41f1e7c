// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory, strings, string vectors and strict number parsing: see str.h. */
#include "umlcage/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static int exit_status = 1;
static void (*last_act)(void);

void memory_status(int status)
{
	exit_status = status;
}

void memory_last_act(void (*fn)(void))
{
	last_act = fn;
}

void memory_end(const char *words)
{
	void (*fn)(void) = last_act;

	/* only once: it may itself run out of it */
	last_act = NULL;
	if (write(STDERR_FILENO, words, strlen(words)) < 0)
		exit_status = exit_status ? exit_status : 1;
	if (fn)
		fn();
	_exit(exit_status);
}

static void __attribute__((noreturn)) out_of_memory(void)
{
	memory_end("umlcage: out of memory\n");
}

static void *checked(void *p)
{
	if (!p)
		out_of_memory();
	return p;
}

void *xmalloc(size_t size)
{
	return checked(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return checked(calloc(count ? count : 1, size ? size : 1));
}

void *xreallocarray(void *p, size_t count, size_t size)
{
	return checked(reallocarray(p, count ? count : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return checked(strdup(s));
}

char *xstrndup(const char *s, size_t len)
{
	return checked(strndup(s, len));
}

void *xmemdup(const void *p, size_t len)
{
	void *copy = xmalloc(len);

	if (len)
		memcpy(copy, p, len);
	return copy;
}

char *xvasprintf(const char *fmt, va_list ap)
{
	char *s;

	if (vasprintf(&s, fmt, ap) < 0)
		out_of_memory();
	return s;
}

char *utc_text(int64_t when, const char *format)
{
	time_t t = (time_t)when;
	char text[64] = "";
	struct tm tm;

	if (gmtime_r(&t, &tm) && strftime(text, sizeof(text), format, &tm) == 0)
		text[0] = '\0';
	return xstrdup(text);
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *s = xvasprintf(fmt, ap);
	va_end(ap);
	return s;
}

void free_ptr(void *pp)
{
	void **p = pp;

	free(*p);
	*p = NULL;
}

char *sb_reserve(struct strbuf *sb, size_t len)
{
	size_t need = sb->len + len + 1;

	if (need < len)
		out_of_memory();
	if (need > sb->cap) {
		size_t cap = sb->cap ? sb->cap : 64;

		while (cap < need)
			cap = cap > SIZE_MAX / 2 ? need : cap * 2;
		sb->s = xreallocarray(sb->s, cap, 1);
		sb->cap = cap;
		/* perhaps nothing will come */
		sb->s[sb->len] = '\0';
	}
	return sb->s + sb->len;
}

void sb_add(struct strbuf *sb, const void *data, size_t len)
{
	char *to = sb_reserve(sb, len);

	if (len)
		memcpy(to, data, len);
	sb->len += len;
	sb->s[sb->len] = '\0';
}

void sb_adds(struct strbuf *sb, const char *s)
{
	sb_add(sb, s, strlen(s));
}

void sb_addc(struct strbuf *sb, char c)
{
	sb_add(sb, &c, 1);
}

void sb_addf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cleanup_free char *s = xvasprintf(fmt, ap);
	va_end(ap);
	sb_adds(sb, s);
}

void sb_reset(struct strbuf *sb)
{
	sb->len = 0;
	if (sb->s)
		sb->s[0] = '\0';
}

const char *sb_str(const struct strbuf *sb)
{
	return sb->s ? sb->s : "";
}

char *sb_steal(struct strbuf *sb)
{
	char *s = sb->s ? sb->s : xstrdup("");

	*sb = (struct strbuf)STRBUF_INIT;
	return s;
}

void sb_release(struct strbuf *sb)
{
	free(sb->s);
	*sb = (struct strbuf)STRBUF_INIT;
}

void strv_take(struct strv *sv, char *s)
{
	if (sv->n + 2 > sv->cap) {
		sv->cap = sv->cap ? sv->cap * 2 : 8;
		sv->v = xreallocarray(sv->v, sv->cap, sizeof(*sv->v));
	}
	sv->v[sv->n++] = s;
	sv->v[sv->n] = NULL;
}

void strv_add(struct strv *sv, const char *s)
{
	strv_take(sv, xstrdup(s));
}

void strv_addf(struct strv *sv, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strv_take(sv, xvasprintf(fmt, ap));
	va_end(ap);
}

void strv_addv(struct strv *sv, const char *const *v)
{
	for (; v && *v; v++)
		strv_add(sv, *v);
}

void strv_split(struct strv *sv, const char *s, const char *delims)
{
	for (s += strspn(s, delims); *s; s += strspn(s, delims)) {
		size_t len = strcspn(s, delims);

		strv_take(sv, xstrndup(s, len));
		s += len;
	}
}

bool strv_has(const struct strv *sv, const char *s)
{
	for (size_t i = 0; i < sv->n; i++)
		if (strcmp(sv->v[i], s) == 0)
			return true;
	return false;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *sv)
{
	if (sv->n > 1)
		qsort(sv->v, sv->n, sizeof(*sv->v), compare);
}

char *strv_join(const struct strv *sv, const char *sep)
{
	struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < sv->n; i++) {
		if (i)
			sb_adds(&sb, sep);
		sb_adds(&sb, sv->v[i]);
	}
	return sb_steal(&sb);
}

const char *env_get(char *const *env, const char *name)
{
	size_t len = strcspn(name, "=");

	for (; *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

char *const *strv_argv(const struct strv *sv)
{
	static char *const none[] = { NULL };

	return sv->v ? sv->v : none;
}

void strv_release(struct strv *sv)
{
	for (size_t i = 0; i < sv->n; i++)
		free(sv->v[i]);
	free(sv->v);
	*sv = (struct strv)STRV_INIT;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t len = strlen(s), tail = strlen(suffix);

	return len >= tail && memcmp(s + len - tail, suffix, tail) == 0;
}

bool str_is_hostname(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";

	return *s && strlen(s) <= 64 && s[0] != '-' && s[0] != '.' && !s[strspn(s, allowed)];
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return 36;
}

int parse_u64(const char *s, int base, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		int digit = digit_of(*s);

		if (digit >= base)
			return -EINVAL;
		if (value > (max - (uint64_t)digit) / (uint64_t)base ||
		    (uint64_t)digit > max)
			return -ERANGE;
		value = value * (uint64_t)base + (uint64_t)digit;
	}
	*out = value;
	return 0;
}

int parse_size(const char *s, uint64_t *out)
{
	size_t digits = strspn(s, "0123456789");
	cleanup_free char *number = xstrndup(s, digits);
	const char *unit = s + digits;
	unsigned int shift = 0;
	int ret = parse_u64(number, 10, UINT64_MAX, out);

	if (ret < 0)
		return ret;
	switch (*unit) {
	case 'k': case 'K': shift = 10; break;
	case 'm': case 'M': shift = 20; break;
	case 'g': case 'G': shift = 30; break;
	case 't': case 'T': shift = 40; break;
	case 'B': case '\0': break;
	default: return -EINVAL;
	}
	if (shift)
		unit++;
	if (*unit && strcmp(unit, "B") != 0 && !(shift && strcmp(unit, "iB") == 0))
		return -EINVAL;
	if (*out > UINT64_MAX >> shift)
		return -ERANGE;
	*out <<= shift;
	return 0;
}

int parse_duration(const char *s, uint64_t *ms)
{
	static const struct { const char *unit; uint64_t ms; } units[] = {
		{ "", 1000 }, { "s", 1000 }, { "ms", 1 }, { "m", 60 * 1000 },
		{ "h", 3600 * 1000 }, { "d", 86400 * 1000ULL },
	};
	size_t whole_len = strspn(s, "0123456789");
	const char *rest = s + whole_len;
	cleanup_free char *whole_text = xstrndup(s, whole_len);
	uint64_t whole, frac = 0, scale = 1;
	int ret = parse_u64(whole_text, 10, UINT64_MAX / (2 * 86400 * 1000ULL), &whole);

	if (ret < 0)
		return ret;
	if (*rest == '.') {
		rest++;
		if (digit_of(*rest) > 9)
			return -EINVAL;
		for (; digit_of(*rest) < 10; rest++) {
			if (scale >= 1000000)
				continue;
			frac = frac * 10 + (uint64_t)digit_of(*rest);
			scale *= 10;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(rest, units[i].unit) == 0) {
			*ms = whole * units[i].ms + frac * units[i].ms / scale;
			return 0;
		}
	}
	return -EINVAL;
}

char *format_size(uint64_t bytes)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB" };
	double value = (double)bytes;
	size_t i = 0;

	if (bytes < 1000)
		return xasprintf("%u bytes", (unsigned int)bytes);
	for (value /= 1000; value >= 999.5 && i + 1 < ARRAY_SIZE(units); i++)
		value /= 1000;
	return xasprintf(value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[i]);
}

char *path_join(const char *dir, const char *name)
{
	size_t len = strlen(dir);

	while (*name == '/' && len)
		name++;
	return xasprintf("%s%s%s", dir, len && dir[len - 1] != '/' ? "/" : "", name);
}

void hex_encode(const void *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

/* Length of the valid UTF-8 sequence at @s (1 to 4), or 0. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	size_t need = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 :
		      s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	if (!need || need > left)
		return 0;
	for (size_t i = 1; i < need; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return need;
}

void sb_json_str(struct strbuf *sb, const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;

	sb_addc(sb, '"');
	while (len) {
		size_t n = utf8_length(p, len);

		if (!n) {
			sb_adds(sb, "\xef\xbf\xbd");
			n = 1;
		} else if (*p == '"' || *p == '\\') {
			sb_addc(sb, '\\');
			sb_addc(sb, (char)*p);
		} else if (*p < 0x20 || *p == 0x7f) {
			sb_addf(sb, "\\u%04x", *p);
		} else {
			sb_add(sb, p, n);
		}
		p += n;
		len -= n;
	}
	sb_addc(sb, '"');
}

char *str_utf8(const char *s)
{
	struct strbuf sb = STRBUF_INIT;

	for (size_t left = strlen(s), n; left; left -= n, s += n) {
		size_t valid = utf8_length((const unsigned char *)s, left);

		n = valid ? valid : 1;
		if (valid)
			sb_add(&sb, s, n);
		else
			sb_adds(&sb, "\xef\xbf\xbd");
	}
	return sb_steal(&sb);
}

uint64_t random_u64(void)
{
	struct timespec now;
	uint64_t r;

	/* eight bytes are never cut short; only a filter of a container could refuse the call */
	if (getrandom(&r, sizeof(r), 0) == sizeof(r))
		return r;
	clock_gettime(CLOCK_REALTIME, &now);
	return ((uint64_t)getpid() << 32) ^ (uint64_t)now.tv_sec ^ ((uint64_t)now.tv_nsec << 16);
}

/* Letters to change, add, leave out or swap (optimal string alignment) to get from @a to @b. */
static size_t distance(const char *a, const char *b)
{
	enum { MAX = 64 };
	size_t n = strlen(a), m = strlen(b), rows[3][MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	if (n > MAX || m > MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		before[j] = last[j] = j;
	for (size_t i = 1; i <= n; i++) {
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			row[j] = best;
		}

		size_t *free_row = before;

		before = last;
		last = row;
		row = free_row;
	}
	return last[m];
}

const char *str_closest(const char *word, const char *const *list)
{
	size_t least = strlen(word) / 3 + 1;
	const char *best = NULL;

	for (; *list; list++) {
		size_t d = distance(word, *list);

		if (d < least || (d == least && !best && strlen(word) > 2)) {
			least = d;
			best = *list;
		}
	}
	return best;
}

void str_make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
}
