/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What fuzz targets share. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* A target: @size foreign bytes; returns 0.  See libFuzzer's documentation. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold whatever the bytes are; the fuzzer keeps those for which it does not. */
static inline void check(bool ok)
{
	if (!ok)
		abort();
}

#endif
