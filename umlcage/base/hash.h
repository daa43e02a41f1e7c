/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sha256, and where others name it sha512 (FIPS 180-4), through OpenSSL's EVP; it can fail only
 * for want of memory, and ends the process then.  Which of the two a sum is, its length says.
 */
#ifndef UMLCAGE_BASE_HASH_H
#define UMLCAGE_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evp_md_ctx_st;
#define SHA256_HEX 64
#define SUM_HEX 128	/* digits of the longest sum */

/* A running sha256, zeroed at first; hash_start() may be called again to begin anew. */
struct hash {
	struct evp_md_ctx_st *ctx;
};
void hash_start(struct hash *h);
/* A running hash of the kind that @sum is of. */
void hash_start_like(struct hash *h, const char *sum);
void hash_add(struct hash *h, const void *data, size_t len);
/* @s with its NUL, so that no two lists of strings are the same. */
void hash_add_field(struct hash *h, const char *s);
/* Lower-case hexadecimal: 64 digits, or 128 of a sha512. */
void hash_end(struct hash *h, char *hex);
void hash_release(struct hash *h);
/* Adds [0, @len) of @fd: 0, -EIO if it is shorter, -errno. */
int hash_add_fd(struct hash *h, int fd, uint64_t len);
/* All of the file @fd from its beginning, whose position stays: 0 or -errno. */
int hash_fd(int fd, char hex[SHA256_HEX + 1]);
/* Whether @fd has @size bytes with this sum: 1, 0, -errno. */
int hash_matches(int fd, uint64_t size, const char *hex);
/*
 * The same, but once it did match, a note in an extended attribute of the file (of its inode,
 * size and time of modification) is believed from then on: for large files of one's own cache.
 * Without extended attributes it is hashed each time.
 */
int hash_matches_noted(int fd, uint64_t size, const char *hex);
/* Leaves that note: the caller has just hashed all of @fd, or written what it hashed. */
void hash_note(int fd, const char *hex);
/* Whether @s is 64 lower-case hexadecimal digits. */
bool hash_valid(const char *s);
/* The same for 64 or 128 of them: a sum of either kind. */
bool hash_valid_sum(const char *s);

#endif
