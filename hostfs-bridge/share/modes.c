// SPDX-License-Identifier: GPL-2.0-or-later
/* Texts of modes and owners: see modes.h. */
#include "hostfs-bridge/share/share.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "umlcage/base/str.h"

/* The letters "ugoa" as a mask of all bits they govern. */
static uint32_t who_mask(const char **s)
{
	uint32_t mask = 0;

	for (;; (*s)++) {
		switch (**s) {
		case 'u':
			mask |= 04700;
			break;
		case 'g':
			mask |= 02070;
			break;
		case 'o':
			mask |= 01007;
			break;
		case 'a':
			mask |= 07777;
			break;
		default:
			return mask ? mask : 07777;
		}
	}
}

/* The letters after the operator as bits, for everybody. */
static uint32_t what_bits(const char **s, uint32_t mode)
{
	uint32_t bits = 0;

	for (;; (*s)++) {
		switch (**s) {
		case 'r':
			bits |= 0444;
			break;
		case 'w':
			bits |= 0222;
			break;
		case 'x':
			bits |= 0111;
			break;
		case 'X':
			if (S_ISDIR(mode) || (mode & 0111))
				bits |= 0111;
			break;
		case 's':
			bits |= 06000;
			break;
		case 't':
			bits |= 01000;
			break;
		default:
			return bits;
		}
	}
}

/* "u", "g" or "o" after the operator: their bits as they are, for everybody. */
static bool copy_bits(const char **s, uint32_t mode, uint32_t *bits)
{
	unsigned int shift = **s == 'u' ? 6 : **s == 'g' ? 3 : 0;
	uint32_t from = mode >> shift & 7;

	if (!**s || !strchr("ugo", **s))
		return false;
	(*s)++;
	*bits = from | from << 3 | from << 6;
	return true;
}

int share_mode_apply(const char *text, uint32_t mode, uint32_t *out, struct error *e)
{
	const char *s = text;
	uint64_t octal;

	if (parse_u64(text, 8, 07777, &octal) == 0) {
		*out = (uint32_t)octal;
		return 0;
	}
	for (;;) {
		uint32_t mask = who_mask(&s), bits;

		if (!*s || !strchr("+-=", *s))
			return err_usage(e, "bad mode '%s': octal, or like 'u+s,go-w'", text);
		while (*s && strchr("+-=", *s)) {
			char op = *s++;

			if (!copy_bits(&s, mode, &bits))
				bits = what_bits(&s, mode);
			bits &= mask;
			/* as chmod(1) does, '=' leaves a directory's set-id bits alone */
			if (op == '=')
				mode &= ~(mask & (S_ISDIR(mode) ? ~06000u : ~0u));
			mode = op == '-' ? mode & ~bits : mode | bits;
		}
		if (!*s)
			break;
		if (*s++ != ',')
			return err_usage(e, "bad mode '%s': octal, or like 'u+s,go-w'", text);
	}
	*out = mode & 07777;
	return 0;
}

int share_owner_parse(const char *text, uint32_t *uid, uint32_t *gid, struct error *e)
{
	cleanup_free char *copy = xstrdup(text);
	char *colon = strchr(copy, ':');
	uint64_t value;

	if (colon)
		*colon = '\0';
	if (!*copy && !(colon && colon[1]))
		return err_usage(e, "bad owner '%s': it is UID, UID:GID or :GID", text);
	if (*copy) {
		if (parse_u64(copy, 10, UINT32_MAX - 1, &value) < 0)
			return err_usage(e, "bad owner '%s': '%s' is not a user number", text, copy);
		*uid = (uint32_t)value;
	}
	if (colon && colon[1]) {
		if (parse_u64(colon + 1, 10, UINT32_MAX - 1, &value) < 0)
			return err_usage(e, "bad owner '%s': '%s' is not a group number", text,
					 colon + 1);
		*gid = (uint32_t)value;
	}
	return 0;
}

void share_mode_text(uint32_t mode, char out[11])
{
	static const struct {
		uint32_t type;
		char letter;
	} types[] = {
		{ S_IFREG, '-' }, { S_IFDIR, 'd' }, { S_IFLNK, 'l' }, { S_IFCHR, 'c' },
		{ S_IFBLK, 'b' }, { S_IFIFO, 'p' }, { S_IFSOCK, 's' },
	};

	strcpy(out, "?rwxrwxrwx");
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if ((mode & S_IFMT) == types[i].type)
			out[0] = types[i].letter;
	for (int i = 0; i < 9; i++)
		if (!(mode & (0400u >> i)))
			out[1 + i] = '-';
	if (mode & 04000)
		out[3] = mode & 0100 ? 's' : 'S';
	if (mode & 02000)
		out[6] = mode & 0010 ? 's' : 'S';
	if (mode & 01000)
		out[9] = mode & 0001 ? 't' : 'T';
}
