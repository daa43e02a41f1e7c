// SPDX-License-Identifier: GPL-2.0-or-later
/* Loading libraries when they are needed: see lazy.h. */
#include "umlcage/base/lazy.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Where a stand-in goes the first time, with its symbol in r11: resolves it, and calls it with
 * the arguments of the stand-in's caller.  None of the functions takes floating-point numbers.
 */
__asm__(".text\n"
	".globl	lazy_enter\n"
	".hidden	lazy_enter\n"
	".type	lazy_enter, @function\n"
	"lazy_enter:\n"
	"	push %rbp; mov %rsp, %rbp\n"
	"	push %rax; push %rdi; push %rsi; push %rdx\n"
	"	push %rcx; push %r8; push %r9; push %r10\n"
	"	mov %r11, %rdi\n"
	"	call lazy_resolve\n"
	"	mov %rax, %r11\n"
	"	pop %r10; pop %r9; pop %r8; pop %rcx\n"
	"	pop %rdx; pop %rsi; pop %rdi; pop %rax\n"
	"	pop %rbp\n"
	"	jmp *%r11\n"
	".size	lazy_enter, . - lazy_enter\n");

void *lazy_resolve(struct lazy_symbol *s)
{
	struct lazy_library *l = s->library;
	void *found = NULL;

	if (!l->handle)
		l->handle = dlopen(l->soname, RTLD_NOW | RTLD_LOCAL);
	if (l->handle)
		found = dlsym(l->handle, s->name);
	if (!found) {
		fprintf(stderr, "umlcage: cannot load '%s': %s; install the library, or build umlcage "
			"for the one that is there\n", l->soname, dlerror());
		exit(125);
	}
	s->entry = found;
	return found;
}
