// SPDX-License-Identifier: GPL-2.0-or-later
/* In the place of an emulator: says what it was asked to run, and how. */
#include <stdio.h>
#include <sys/auxv.h>

int main(int argc, char **argv)
{
	/* AT_FLAGS_PRESERVE_ARGV0: what follows the program is its own argv */
	printf("flags %lu", getauxval(AT_FLAGS));
	for (int i = 1; i < argc; i++)
		printf(" %s", argv[i]);
	putchar('\n');
	return 7;
}
