// SPDX-License-Identifier: GPL-2.0-or-later
/* Errors as values: see error.h for the contract. */
#define ERROR_IMPLEMENTATION
#include "umlcage/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "umlcage/base/str.h"

static void replace(struct error *e, int errnum, char *text)
{
	free(e->text);
	str_hide_passwords(text);
	e->text = text;
	e->errnum = errnum ? errnum : EIO;
}

int err_set(struct error *e, int errnum, const char *fmt, ...)
{
	if (e) {
		va_list ap;

		va_start(ap, fmt);
		char *text = xvasprintf(fmt, ap);
		va_end(ap);
		replace(e, errnum, text);
		e->kind = ERR_BY_ERRNUM;
	}
	return errnum ? -errnum : -EIO;
}

int err_sys(struct error *e, int errnum, const char *fmt, ...)
{
	if (e) {
		va_list ap;

		va_start(ap, fmt);
		char *what = xvasprintf(fmt, ap);
		va_end(ap);
		replace(e, errnum, xasprintf("%s: %s", what, strerror(errnum)));
		e->kind = ERR_BY_ERRNUM;
		free(what);
	}
	return errnum ? -errnum : -EIO;
}

int err_usage(struct error *e, const char *fmt, ...)
{
	if (e) {
		va_list ap;

		va_start(ap, fmt);
		char *text = xvasprintf(fmt, ap);
		va_end(ap);
		replace(e, EINVAL, text);
		e->kind = ERR_USAGE;
	}
	return -EINVAL;
}

int err_wrap(struct error *e, const char *fmt, ...)
{
	if (!e)
		return -EIO;

	va_list ap;

	va_start(ap, fmt);
	char *what = xvasprintf(fmt, ap);
	va_end(ap);
	replace(e, e->errnum, xasprintf("%s: %s", what, err_text(e)));
	free(what);
	return -e->errnum;
}

int err_hint(struct error *e, const char *fmt, ...)
{
	if (!e)
		return -EIO;

	va_list ap;

	va_start(ap, fmt);
	char *what = xvasprintf(fmt, ap);
	va_end(ap);
	replace(e, e->errnum, xasprintf("%s; %s", err_text(e), what));
	free(what);
	return -e->errnum;
}

int err_mark(struct error *e, enum error_kind kind)
{
	if (!e)
		return -EIO;
	if (e->kind != ERR_USAGE)
		e->kind = kind;
	return -e->errnum;
}

enum error_kind err_kind(const struct error *e)
{
	if (e->kind != ERR_BY_ERRNUM)
		return e->kind;
	switch (e->errnum) {
	case ENOENT:
		return ERR_ABSENT;
	case ENOSPC:
	case EDQUOT:
	case EROFS:
	case EFBIG:
	case EIO:
		return ERR_DISK;
	case ETIMEDOUT:
	case ECONNREFUSED:
	case ECONNRESET:
	case ECONNABORTED:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENETDOWN:
		return ERR_NETWORK;
	default:
		return ERR_OTHER;
	}
}

int err_move(struct error *to, struct error *from)
{
	int ret = from->errnum ? -from->errnum : -EIO;

	if (to) {
		free(to->text);
		*to = *from;
	} else {
		free(from->text);
	}
	*from = (struct error)ERROR_INIT;
	return ret;
}

const char *err_text(const struct error *e)
{
	return e && e->text ? e->text : "unknown error";
}

void err_release(struct error *e)
{
	if (!e)
		return;
	free(e->text);
	*e = (struct error)ERROR_INIT;
}
