/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors as values.
 *
 * The contract, everywhere in this project: a function that can fail takes a
 * `struct error *` last, returns 0 (or something positive) on success without
 * touching it, and returns -errno after filling it.  Libraries never print and
 * never exit.  Messages are lower case, name the thing in quotes, the cause and
 * what to do: "cannot open '%s': no such file; ...".  Passwords in addresses are
 * left out.  The error may be NULL where the caller only needs the number.
 */
#ifndef UMLCAGE_BASE_ERROR_H
#define UMLCAGE_BASE_ERROR_H

/* What a script would do about it; the exit status of a command follows from it (cmd.h). */
enum error_kind {
	ERR_BY_ERRNUM,	/* what the errno says, see err_kind() */
	ERR_USAGE,	/* bad input: not without another command line */
	ERR_ABSENT,	/* what was named is not there */
	ERR_NETWORK,	/* a mirror, or the way to it: worth another try later */
	ERR_PACKAGES,	/* a maintainer script, dpkg or a hook failed */
	ERR_DISK,	/* no space, a limit, a medium that cannot be read or written */
	ERR_BUILD,	/* what was to be built does not build */
	ERR_OTHER,
};

struct error {
	int errnum;	/* positive errno, 0 while unset */
	enum error_kind kind;
	char *text;	/* one line without a full stop; owned by the error */
};

#define ERROR_INIT { 0, ERR_BY_ERRNUM, (char *)0 }

/* Fills @e with the formatted text; returns -@errnum. */
int err_set(struct error *e, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with ": " and strerror(@errnum) appended. */
int err_sys(struct error *e, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Bad input: an error of kind ERR_USAGE.  -EINVAL. */
int err_usage(struct error *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Puts the formatted text and ": " before what is there; returns -e->errnum. */
int err_wrap(struct error *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Adds "; " and the formatted text after what is there; returns -e->errnum. */
int err_hint(struct error *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Makes it an error of @kind, unless it is one of bad input; returns -e->errnum. */
int err_mark(struct error *e, enum error_kind kind);
/* The kind; ENOENT is ERR_ABSENT, ENOSPC, EDQUOT, EROFS, EFBIG and EIO are ERR_DISK, what
 * sockets have is ERR_NETWORK.  Never ERR_BY_ERRNUM. */
enum error_kind err_kind(const struct error *e);
/* Moves @from into @to (releasing what was there); returns -errno of it. */
int err_move(struct error *to, struct error *from);
/* The text, never NULL. */
const char *err_text(const struct error *e);
void err_release(struct error *e);	/* NULL is fine */

#define cleanup_error __attribute__((cleanup(err_release)))

/* A static analyser sees one file at a time, and has to be told that these are negative. */
#if defined(__clang_analyzer__) && !defined(ERROR_IMPLEMENTATION)
#define err_negative(call) \
	({ int err_ret_ = (call); if (err_ret_ >= 0) __builtin_unreachable(); err_ret_; })
#define err_set(...) err_negative(err_set(__VA_ARGS__))
#define err_sys(...) err_negative(err_sys(__VA_ARGS__))
#define err_usage(...) err_negative(err_usage(__VA_ARGS__))
#define err_wrap(...) err_negative(err_wrap(__VA_ARGS__))
#define err_hint(...) err_negative(err_hint(__VA_ARGS__))
#define err_move(...) err_negative(err_move(__VA_ARGS__))
#endif

#endif
