/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sequence of keys that is not passed on, in what somebody types: that which leaves a terminal,
 * written as for docker's --detach-keys.
 */
#ifndef UMLCAGE_BASE_KEYS_H
#define UMLCAGE_BASE_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "umlcage/base/error.h"

enum { KEYS_MAX = 16 };

struct keys {
	char seq[KEYS_MAX + 1];	/* NUL after the last one; none of them is NUL */
	size_t n;		/* 0: there is no sequence */
	size_t matched;		/* of it typed so far, and held back */
};

#define KEYS_INIT { "", 0, 0 }

/* "ctrl-p,ctrl-q": single characters, or ctrl- and a letter or one of [ \ ] ^ _; "" is none. */
int keys_parse(struct keys *k, const char *text, struct error *e);
/* The same from the characters themselves, as in k->seq; what is too long is none. */
void keys_set(struct keys *k, const char *seq);

/*
 * Goes through @n typed bytes at @data, which has room for KEYS_MAX more: returns how many of
 * them, with those that were held back before, are to be passed on, in place.  *@hit: the sequence
 * is complete; what was typed after it is dropped.
 */
size_t keys_filter(struct keys *k, char *data, size_t n, bool *hit);

#endif
