// SPDX-License-Identifier: GPL-2.0-or-later
/* sha256 through OpenSSL's EVP: see hash.h. */
#include "umlcage/base/hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

enum { CHUNK = 256 * 1024, END_SECONDS = 5 };
#define NOTE_XATTR "user.umlcage.sha256"

/* These fail only for want of memory. */
static void must(int ok)
{
	if (ok != 1)
		memory_end("umlcage: out of memory: a hash cannot be made\n");
}

static void crashed(int sig)
{
	(void)sig;
	/* what is cleaned up may wait for something that is held for ever now */
	(void)alarm(END_SECONDS);
	must(0);
}

/* Where an allocation of its own fails while it begins, libcrypto (3.0) follows a null pointer. */
static void begin(void)
{
	const struct sigaction sa = { .sa_handler = crashed };
	struct sigaction old;
	EVP_MD_CTX *ctx;

	(void)sigaction(SIGSEGV, &sa, &old);
	ctx = EVP_MD_CTX_new();
	must(ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1);
	EVP_MD_CTX_free(ctx);
	(void)sigaction(SIGSEGV, &old, NULL);
}

static void start(struct hash *h, const EVP_MD *md)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, begin);
	if (!h->ctx)
		h->ctx = EVP_MD_CTX_new();
	must(h->ctx && EVP_DigestInit_ex(h->ctx, md, NULL) == 1);
}

void hash_start(struct hash *h)
{
	start(h, EVP_sha256());
}

void hash_start_like(struct hash *h, const char *sum)
{
	start(h, strlen(sum) == SUM_HEX ? EVP_sha512() : EVP_sha256());
}

void hash_add(struct hash *h, const void *data, size_t len)
{
	must(EVP_DigestUpdate(h->ctx, data, len));
}

void hash_add_field(struct hash *h, const char *s)
{
	hash_add(h, s, strlen(s) + 1);
}

void hash_end(struct hash *h, char *hex)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	must(EVP_DigestFinal_ex(h->ctx, md, &len));
	hex_encode(md, len, hex);
}

void hash_release(struct hash *h)
{
	EVP_MD_CTX_free(h->ctx);
	h->ctx = NULL;
}

int hash_add_fd(struct hash *h, int fd, uint64_t len)
{
	cleanup_free char *buf = xmalloc(CHUNK);

	for (uint64_t at = 0; at < len;) {
		size_t want = len - at < CHUNK ? (size_t)(len - at) : CHUNK;
		ssize_t got = pread_full(fd, buf, want, (off_t)at);

		if (got < 0)
			return (int)got;
		if ((size_t)got < want)
			return -EIO;
		hash_add(h, buf, want);
		at += want;
	}
	return 0;
}

int hash_fd(int fd, char hex[SHA256_HEX + 1])
{
	cleanup_free char *buf = xmalloc(CHUNK);
	struct hash h = { NULL };
	off_t at = 0;
	ssize_t got;

	hash_start(&h);
	while ((got = pread_full(fd, buf, CHUNK, at)) > 0) {
		hash_add(&h, buf, (size_t)got);
		at += got;
	}
	hash_end(&h, hex);
	hash_release(&h);
	return got < 0 ? (int)got : 0;
}

int hash_matches(int fd, uint64_t size, const char *hex)
{
	struct hash h = { NULL };
	char found[SUM_HEX + 1];
	struct stat st;
	int ret;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		return 0;
	hash_start_like(&h, hex);
	ret = hash_add_fd(&h, fd, size);
	hash_end(&h, found);
	hash_release(&h);
	return ret < 0 ? ret : strcmp(found, hex) == 0;
}

/* What the note of a file as it is now has to say; malloc'ed, NULL if it cannot be looked at. */
static char *note_text(int fd, const char *hex)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	return xasprintf("%s %llu %lld %lld.%09ld", hex, (unsigned long long)st.st_ino,
			 (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

void hash_note(int fd, const char *hex)
{
	cleanup_free char *text = note_text(fd, hex);

	if (text)
		(void)fsetxattr(fd, NOTE_XATTR, text, strlen(text), 0);
}

int hash_matches_noted(int fd, uint64_t size, const char *hex)
{
	cleanup_free char *text = note_text(fd, hex);
	char note[256];
	struct stat st;
	ssize_t len = fgetxattr(fd, NOTE_XATTR, note, sizeof(note));
	int ret;

	if (text && len == (ssize_t)strlen(text) && memcmp(text, note, (size_t)len) == 0 &&
	    fstat(fd, &st) == 0 && (uint64_t)st.st_size == size)
		return 1;
	ret = hash_matches(fd, size, hex);
	if (ret == 1)
		hash_note(fd, hex);
	return ret;
}

static bool is_hex(const char *s, size_t digits)
{
	return strlen(s) == digits && strspn(s, "0123456789abcdef") == digits;
}

bool hash_valid(const char *s)
{
	return is_hex(s, SHA256_HEX);
}

bool hash_valid_sum(const char *s)
{
	return is_hex(s, SHA256_HEX) || is_hex(s, SUM_HEX);
}
