// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Signatures of Release files, by gpgv run as a process: what apt and debootstrap
 * trust.  gpgv decides; its status lines (GnuPG's doc/DETAILS) say who signed, and the text that
 * is believed is the one gpgv wrote out, never the file that came in.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rootfs/fetch/fetch.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/proc.h"

enum { MAX_KEYRING = 16 * 1024 * 1024, MAX_KEYRINGS = 12, MAX_OUTPUT = 64 * 1024 * 1024,
       FIRST_FD = 3 };

static const char begin_signed[] = "-----BEGIN PGP SIGNED MESSAGE-----";
static const char begin_signature[] = "-----BEGIN PGP SIGNATURE-----";
static const char end_signature[] = "-----END PGP SIGNATURE-----";

/* The keys for one check, as descriptors for gpgv. */
struct keys {
	int fd[MAX_KEYRINGS];
	size_t n;
	struct strv names;	/* for messages */
};

static void keys_release(struct keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		close_fd(&k->fd[i]);
	strv_release(&k->names);
}

/* ASCII armour (RFC 9580, 6.2) to binary, in place of gpg --dearmor; several blocks join. */
static int dearmor(const char *text, struct strbuf *out)
{
	const char *at = text;

	while ((at = strstr(at, "-----BEGIN PGP PUBLIC KEY BLOCK-----"))) {
		const char *body = strstr(at, "\n\n"), *dos = strstr(at, "\n\r\n");
		const char *end = strstr(at, "-----END");
		EVP_ENCODE_CTX *ctx;
		int len = 0, tail = 0, ret;

		if (dos && (!body || dos < body))
			body = dos;
		if (!end || !body || body > end)
			return -EINVAL;

		/* the checksum line begins with '=' */
		const char *sum = strstr(body, "\n=");
		size_t n = (size_t)((sum && sum < end ? sum + 1 : end) - body);
		unsigned char *to = (unsigned char *)sb_reserve(out, n + 64);

		ctx = EVP_ENCODE_CTX_new();
		if (!ctx)
			return -ENOMEM;
		EVP_DecodeInit(ctx);
		ret = EVP_DecodeUpdate(ctx, to, &len, (const unsigned char *)body, (int)n);
		if (ret >= 0)
			ret = EVP_DecodeFinal(ctx, to + len, &tail);
		EVP_ENCODE_CTX_free(ctx);
		if (ret < 0)
			return -EINVAL;
		out->len += (size_t)(len + tail);
		at = end;
	}
	return out->len ? 0 : -EINVAL;
}

static int add_data(struct keys *k, const void *data, size_t len, const char *name,
		    struct error *e)
{
	int fd;

	if (k->n == MAX_KEYRINGS)
		return err_set(e, E2BIG, "too many keyrings, at most %d", MAX_KEYRINGS);
	fd = memfd_with("keyring", data, len, e);
	if (fd < 0)
		return fd;
	k->fd[k->n++] = fd;
	strv_add(&k->names, name);
	return 0;
}

static int add_armoured(struct keys *k, const char *text, const char *name, struct error *e)
{
	cleanup_strbuf struct strbuf binary = STRBUF_INIT;

	if (dearmor(text, &binary) < 0)
		return err_set(e, EBADMSG, "'%s' is not a keyring: its armour is damaged", name);
	return add_data(k, binary.s, binary.len, name, e);
}

static int add_file(struct keys *k, const char *path, struct error *e)
{
	cleanup_strbuf struct strbuf data = STRBUF_INIT;
	int ret = file_read(AT_FDCWD, path, MAX_KEYRING, &data, e);

	if (ret < 0)
		return err_wrap(e, "keyring");
	if (strstr(sb_str(&data), "-----BEGIN PGP"))
		return add_armoured(k, data.s, path, e);
	return add_data(k, sb_str(&data), data.len, path, e);
}

/* All keyrings in a folder; one that cannot be read is passed over unless @all_of_it. */
static int add_folder(struct keys *k, const char *path, bool all_of_it, struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_strbuf struct strbuf all = STRBUF_INIT;
	DIR *dir = opendir(path);
	int ret = 0;

	if (!dir)
		return err_sys(e, errno, "cannot open keyring folder '%s'", path);
	for (const struct dirent *d; (d = dir_next(dir, &ret));)
		if (d->d_name[0] != '.' && (str_ends(d->d_name, ".gpg") ||
		    str_ends(d->d_name, ".pgp") || str_ends(d->d_name, ".asc")))
			strv_take(&names, path_join(path, d->d_name));
	closedir(dir);
	if (ret < 0)
		return err_sys(e, -ret, "cannot read keyring folder '%s'", path);
	strv_sort(&names);
	/* one after the other they are one keyring (unless in GnuPG's keybox form) */
	for (size_t i = 0; i < names.n && ret == 0; i++) {
		cleanup_strbuf struct strbuf data = STRBUF_INIT;

		ret = file_read(AT_FDCWD, names.v[i], MAX_KEYRING, &data, e);
		if (ret == 0 && !all_of_it && data.len > 12 && memcmp(data.s + 8, "KBXf", 4) == 0)
			continue;	/* GnuPG's keybox: no keyring to apt */
		if (ret == 0 && !strstr(sb_str(&data), "-----BEGIN PGP"))
			sb_add(&all, sb_str(&data), data.len);
		else if (ret == 0 && dearmor(data.s, &all) < 0)
			ret = err_set(e, EBADMSG, "'%s' is not a keyring: its armour is damaged",
				      names.v[i]);
		if (!all_of_it)
			ret = 0;
	}
	if (ret == 0 && all.len)
		ret = add_data(k, all.s, all.len, path, e);
	return ret;
}

static int add_path(struct keys *k, const char *path, struct error *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, errno, "cannot use keyring '%s'", path);
	return S_ISDIR(st.st_mode) ? add_folder(k, path, true, e) : add_file(k, path, e);
}

/* apt's own keys, as far as they can be read: what the host itself installs from. */
static void add_apts(struct keys *k)
{
	static const char parts[] = "/etc/apt/trusted.gpg.d", one[] = "/etc/apt/trusted.gpg";
	struct stat st;

	(void)add_folder(k, parts, false, NULL);
	if (access(one, R_OK) == 0 && stat(one, &st) == 0 && st.st_size)
		(void)add_file(k, one, NULL);
}

/* What the host trusts for Debian: the package debian-archive-keyring brings it; and what its
 * apt trusts. */
static int add_hosts(struct keys *k, struct error *e)
{
	static const char *const files[] = {
		"/usr/share/keyrings/debian-archive-keyring.pgp",
		"/usr/share/keyrings/debian-archive-keyring.gpg",
	};

	for (size_t i = 0; i < ARRAY_SIZE(files) && !k->n; i++)
		if (access(files[i], R_OK) == 0) {
			int ret = add_file(k, files[i], e);

			if (ret < 0)
				return ret;
		}
	add_apts(k);
	if (k->n)
		return 0;
	return err_set(e, ENOKEY, "this host has no keyring to verify the archive with: there is "
		       "no '%s'; install debian-archive-keyring or name a keyring with --keyring",
		       files[1]);
}

static int collect_keys(const struct fetch_keys *wanted, struct keys *k, struct error *e)
{
	int ret = 0;

	if (wanted->key)
		return add_armoured(k, wanted->key, "Signed-By", e);
	for (size_t i = 0; i < wanted->keyrings->n && ret == 0; i++)
		ret = add_path(k, wanted->keyrings->v[i], e);
	return ret < 0 || k->n ? ret : add_hosts(k, e);
}

/* ---- the form of a clear-signed file ---- */

static bool is_line(const char *line, const char *text)
{
	size_t len = strlen(text);

	if (strncmp(line, text, len) != 0)
		return false;
	line += len;
	return strspn(line, " \t\r") == strcspn(line, "\n");
}

/*
 * One signed message, one signature block, nothing around them: what is not signed
 * has no business in the file (apt refuses such files, too).
 */
static bool well_formed(const struct strbuf *text)
{
	enum { BEFORE, MESSAGE, SIGNATURE, AFTER } state = BEFORE;
	const char *at = sb_str(text);

	if (strlen(at) != text->len)
		return false;
	while (*at) {
		if (state == BEFORE || state == AFTER) {
			if (state == BEFORE && is_line(at, begin_signed))
				state = MESSAGE;
			else if (strspn(at, " \t\r") != strcspn(at, "\n"))
				return false;
		} else if (state == MESSAGE && is_line(at, begin_signature)) {
			state = SIGNATURE;
		} else if (state == SIGNATURE && is_line(at, end_signature)) {
			state = AFTER;
		} else if (is_line(at, begin_signed) || is_line(at, begin_signature) ||
			   is_line(at, end_signature)) {
			return false;
		}
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
	return state == AFTER;
}

char *fetch_unsigned(const struct strbuf *text)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	const char *at = sb_str(text);

	if (!well_formed(text))
		return xstrdup(at);
	/* past the armour's own headers, up to the signature (RFC 9580, 7.1) */
	at = strstr(at, begin_signed);
	while (*at && !is_line(at, ""))
		at += strcspn(at, "\n") + 1;
	at += strcspn(at, "\n");
	at += *at == '\n';
	while (*at && !is_line(at, begin_signature)) {
		size_t len = strcspn(at, "\n");

		if (str_starts(at, "- "))
			sb_add(&out, at + 2, len - 2);
		else
			sb_add(&out, at, len);
		sb_addc(&out, '\n');
		at += len;
		at += *at == '\n';
	}
	return xstrdup(sb_str(&out));
}

/* ---- gpgv ---- */

/* What the status lines say. */
struct verdict {
	bool good, bad;		/* a good signature by a valid key; a wrong one */
	bool expired, revoked;	/* only such keys */
	char *signer;		/* fingerprint of the primary key */
	struct strv missing;	/* ids of keys that are not in the keyring */
};

static bool fingerprint_wanted(const struct fetch_keys *wanted, const struct strv *fields)
{
	/* VALIDSIG fpr date time expire version reserved pkalgo hash class primary-fpr */
	const char *sub = fields->v[2], *primary = fields->v[fields->n - 1];

	return !wanted->fingerprints->n || strv_has(wanted->fingerprints, sub) ||
	       strv_has(wanted->fingerprints, primary);
}

static void read_status(const struct fetch_keys *wanted, const char *status,
			struct verdict *v)
{
	cleanup_strv struct strv lines = STRV_INIT;
	bool good = false;	/* the last signature seen */

	strv_split(&lines, status, "\n");
	for (size_t i = 0; i < lines.n; i++) {
		cleanup_strv struct strv f = STRV_INIT;

		if (!str_starts(lines.v[i], "[GNUPG:] "))
			continue;
		strv_split(&f, lines.v[i], " ");
		if (f.n < 2)
			continue;

		const char *word = f.v[1];

		if (str_eq(word, "NEWSIG"))
			good = false;
		else if (str_eq(word, "GOODSIG"))
			good = true;
		else if (str_eq(word, "BADSIG"))
			v->bad = true;
		else if (str_eq(word, "EXPKEYSIG") || str_eq(word, "EXPSIG"))
			v->expired = true;
		else if (str_eq(word, "REVKEYSIG"))
			v->revoked = true;
		else if (str_eq(word, "NO_PUBKEY") && f.n > 2)
			strv_add(&v->missing, f.v[2]);
		else if (str_eq(word, "VALIDSIG") && good && f.n > 2 &&
			 fingerprint_wanted(wanted, &f)) {
			v->good = true;
			if (!v->signer)
				v->signer = xstrdup(f.v[f.n - 1]);
		}
	}
}

/* Splits gpgv's standard error into status lines and the rest, which is for people. */
static char *last_words(const char *err)
{
	cleanup_strv struct strv lines = STRV_INIT;
	const char *last = "";

	strv_split(&lines, err, "\n");
	for (size_t i = 0; i < lines.n; i++)
		if (!str_starts(lines.v[i], "[GNUPG:] "))
			last = lines.v[i];
	return xstrdup(str_starts(last, "gpgv: ") ? last + 6 : last);
}

static int judge(const struct keys *k, const char *what, const struct verdict *v, const char *err,
		 int status, struct error *e)
{
	cleanup_free char *rings = strv_join(&k->names, "', '");
	cleanup_free char *missing = strv_join(&v->missing, ", ");
	cleanup_free char *words = last_words(err);

	if (v->bad)
		return err_set(e, EBADMSG, "'%s' was changed after it was signed: its signature is "
			       "wrong; the mirror, or what is on the way to it, is not to be "
			       "trusted", what);
	if (v->good && WIFEXITED(status))
		return 0;
	if (v->revoked)
		return err_set(e, EBADMSG, "'%s' is signed by a key that was revoked", what);
	if (v->expired)
		return err_set(e, EBADMSG, "'%s' is signed by a key that has expired; a newer "
			       "keyring than '%s' may help", what, rings);
	if (v->missing.n)
		return err_set(e, ENOKEY, "'%s' is signed by %s, and keyring '%s' has no such "
			       "key; name one that has with --keyring", what, missing, rings);
	return err_set(e, EBADMSG, "cannot verify '%s': %s", what,
		       *words ? words : "it has no signature that counts");
}

static int run_gpgv(const struct keys *k, int text_fd, int signature_fd, struct strbuf *out,
		    struct strbuf *err, int *status, struct error *e)
{
	cleanup_strv struct strv argv = STRV_INIT;
	struct proc_fd fds[MAX_KEYRINGS + 2];
	size_t n = 0;

	strv_addv(&argv, (const char *const[]){ "gpgv", "--homedir", "/nonexistent",
						"--weak-digest", "SHA1", "--weak-digest",
						"RIPEMD160", "--status-fd", "2", NULL });
	for (size_t i = 0; i < k->n; i++) {
		fds[n] = (struct proc_fd){ k->fd[i], FIRST_FD + (int)n };
		strv_add(&argv, "--keyring");
		strv_addf(&argv, "/dev/fd/%d", fds[n++].theirs);
	}
	if (signature_fd >= 0) {
		fds[n] = (struct proc_fd){ signature_fd, FIRST_FD + (int)n };
		strv_addf(&argv, "/dev/fd/%d", fds[n++].theirs);
	} else {
		strv_addv(&argv, (const char *const[]){ "--output", "-", NULL });
	}
	fds[n] = (struct proc_fd){ text_fd, FIRST_FD + (int)n };
	strv_addf(&argv, "/dev/fd/%d", fds[n++].theirs);

	int ret = proc_capture_fds(strv_argv(&argv), fds, n, MAX_OUTPUT, out, err, status, e);

	if (ret == -ENOENT)
		err_hint(e, "signatures are verified by gpgv: install the package gpgv");
	return ret;
}

int fetch_verify(const struct fetch_keys *wanted, const char *what, const struct strbuf *text,
		     const struct strbuf *signature, char **signed_text, char **signer,
		     struct error *e)
{
	__attribute__((cleanup(keys_release))) struct keys keys = { .n = 0 };
	cleanup_strbuf struct strbuf out = STRBUF_INIT, err = STRBUF_INIT;
	cleanup_close int text_fd = -1, signature_fd = -1;
	struct verdict v = { .good = false };
	int status = 0, ret;

	if (!signature && !well_formed(text))
		return err_set(e, EBADMSG, "'%s' is not one clear-signed text and nothing else; is "
			       "this a login page instead of a mirror?", what);
	ret = collect_keys(wanted, &keys, e);
	if (ret < 0)
		return ret;
	text_fd = memfd_with("release", sb_str(text), text->len, e);
	if (text_fd < 0)
		return text_fd;
	if (signature) {
		signature_fd = memfd_with("signature", sb_str(signature), signature->len, e);
		if (signature_fd < 0)
			return signature_fd;
	}
	ret = run_gpgv(&keys, text_fd, signature_fd, &out, &err, &status, e);
	if (ret < 0)
		return ret;
	read_status(wanted, sb_str(&err), &v);
	ret = judge(&keys, what, &v, sb_str(&err), status, e);
	if (ret == 0) {
		*signed_text = signature ? xstrdup(sb_str(text)) : xstrdup(sb_str(&out));
		*signer = steal_ptr(&v.signer);
	}
	free(v.signer);
	strv_release(&v.missing);
	return ret;
}
