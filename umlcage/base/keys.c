// SPDX-License-Identifier: GPL-2.0-or-later
/* A sequence of keys in what is typed: see keys.h. */
#include "umlcage/base/keys.h"

#include <errno.h>
#include <string.h>

#include "umlcage/base/str.h"

/* One key of @text, @len characters; 0: it is none. */
static char parse_one(const char *text, size_t len)
{
	static const char prefix[] = "ctrl-", signs[] = "[\\]^_";
	char c = text[len - 1];
	const char *sign;

	if (len == 1)
		return c;
	if (len != strlen(prefix) + 1 || strncmp(text, prefix, strlen(prefix)) != 0)
		return 0;
	if (c >= 'a' && c <= 'z')
		return (char)(c - 'a' + 1);
	sign = c ? strchr(signs, c) : NULL;
	return sign ? (char)(27 + (sign - signs)) : 0;
}

int keys_parse(struct keys *k, const char *text, struct error *e)
{
	struct keys parsed = KEYS_INIT;
	const char *at = text;

	*k = parsed;
	if (!*text)
		return 0;
	for (;;) {
		size_t len = strcspn(at, ",");
		char key = len ? parse_one(at, len) : 0;

		if (!key)
			return err_usage(e, "'%s' is not a sequence of keys: single characters, or ctrl- and "
					 "a letter or one of [ \\ ] ^ _, with commas between", text);
		if (parsed.n == KEYS_MAX)
			return err_usage(e, "'%s' has more than %d keys", text, KEYS_MAX);
		parsed.seq[parsed.n++] = key;
		at += len;
		if (!*at)
			break;
		at++;
	}
	*k = parsed;
	return 0;
}

void keys_set(struct keys *k, const char *seq)
{
	size_t n = strlen(seq);

	*k = (struct keys)KEYS_INIT;
	if (n > KEYS_MAX)
		return;
	memcpy(k->seq, seq, n);
	k->n = n;
}

/* How much of the sequence the end of @held is, which is a part of it and one byte more. */
static size_t restart(const struct keys *k, const char *held, size_t n)
{
	for (size_t skip = 1; skip < n; skip++)
		if (memcmp(held + skip, k->seq, n - skip) == 0)
			return n - skip;
	return 0;
}

size_t keys_filter(struct keys *k, char *data, size_t n, bool *hit)
{
	char typed[KEYS_MAX + 1];
	size_t out = 0;

	*hit = false;
	if (!k->n)
		return n;
	/* room for what is held back may be needed before it has been read */
	memmove(data + KEYS_MAX, data, n);
	for (size_t i = 0; i < n && !*hit; i++) {
		size_t len = k->matched + 1, stays;

		memcpy(typed, k->seq, k->matched);
		typed[k->matched] = data[KEYS_MAX + i];
		if (typed[k->matched] == k->seq[k->matched]) {
			k->matched = len % k->n;
			*hit = len == k->n;
			continue;
		}
		stays = restart(k, typed, len);
		memcpy(data + out, typed, len - stays);
		out += len - stays;
		k->matched = stays;
	}
	return out;
}
