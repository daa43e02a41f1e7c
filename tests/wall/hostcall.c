// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel that has been taken over: /dev/hostcall makes any system call on the host that a guest
 * process asks for.  For the tests of the wall around a cage alone; see tests/wall/build-kernel.
 *
 * mmap() gives a page run of this kernel's own memory; HOSTCALL_BASE says where that is for the
 * host, so that a guest process can write structures with addresses in them that hold there.
 * HOSTCALL_HERE makes the call in the kernel's own process, HOSTCALL_CHILD in a child
 * of it that ends afterwards: for whatever would change the process itself, or replace it.
 */
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include "hostcall.h"

static void *arena;

static noinline long host_call(struct hostcall *c)
{
	register unsigned long a3 asm("r10") = c->args[3];
	register unsigned long a4 asm("r8") = c->args[4];
	register unsigned long a5 asm("r9") = c->args[5];
	long ret;

	/*
	 * What a clone() makes would go on here in its copy of a kernel: it ends at once.  It has
	 * nothing of its own but registers, as the kernel's memory is a file that both have mapped:
	 * when it comes to run, *c and this stack may long be of another call.
	 */
	asm volatile("syscall\n\t"
		     "test %%rax, %%rax\n\t"
		     "jnz 1f\n\t"
		     "test %[forks], %[forks]\n\t"
		     "je 1f\n\t"
		     "mov $231, %%eax\n\t"
		     "xor %%edi, %%edi\n\t"
		     "syscall\n"
		     "1:"
		     : "=a" (ret)
		     : "a" (c->nr), "D" (c->args[0]), "S" (c->args[1]), "d" (c->args[2]),
		       "r" (a3), "r" (a4), "r" (a5), [forks] "r" (c->forks)
		     : "rcx", "r11", "memory");
	return ret;
}

/*
 * In a child that shares this memory, while this process waits for it to end (CLONE_VM,
 * CLONE_VFORK): it touches no stack and leaves its answer in *@c.
 */
static noinline long host_call_in_child(struct hostcall *c)
{
	enum { VM_VFORK = 0x4100 };
	register unsigned long zero asm("r10") = 0;
	register unsigned long tls asm("r8") = 0;
	register struct hostcall *call asm("r12") = c;
	long pid;

	asm volatile("syscall\n\t"
		     "test %%rax, %%rax\n\t"
		     "jnz 1f\n\t"
		     "mov 8(%%r12), %%rdi\n\t"
		     "mov 16(%%r12), %%rsi\n\t"
		     "mov 24(%%r12), %%rdx\n\t"
		     "mov 32(%%r12), %%r10\n\t"
		     "mov 40(%%r12), %%r8\n\t"
		     "mov 48(%%r12), %%r9\n\t"
		     "mov (%%r12), %%rax\n\t"
		     "syscall\n\t"
		     "mov %%rax, 56(%%r12)\n\t"
		     "mov $231, %%eax\n\t"
		     "mov $99, %%edi\n\t"
		     "syscall\n"
		     "1:"
		     : "=a" (pid)
		     : "a" (56L), "D" ((long)VM_VFORK), "S" (0L), "d" (0L), "r" (zero), "r" (tls),
		       "r" (call)
		     : "rcx", "r11", "r9", "memory");
	return pid;
}

static long in_child(struct hostcall *c)
{
	static int status;
	struct hostcall wait = { .nr = 61, .args = { 0, (unsigned long)&status, 0x40000000 } };
	long pid;

	c->ret = 0;
	pid = host_call_in_child(c);
	if (pid < 0)
		return pid;
	wait.args[0] = pid;
	host_call(&wait);
	/* 99: it is still the kernel's program; anything else is that of an execve() */
	return (status >> 8) == 99 ? c->ret : 0;
}

static long hostcall_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct hostcall *c = arena + HOSTCALL_ARENA - sizeof(*c);
	unsigned long base = (unsigned long)arena;

	if (cmd == HOSTCALL_BASE)
		return copy_to_user((void __user *)arg, &base, sizeof(base)) ? -EFAULT : 0;
	if (cmd != HOSTCALL_HERE && cmd != HOSTCALL_CHILD)
		return -ENOTTY;
	if (copy_from_user(c, (void __user *)arg, sizeof(*c)))
		return -EFAULT;
	c->ret = cmd == HOSTCALL_CHILD ? in_child(c) : host_call(c);
	return copy_to_user((void __user *)arg, c, sizeof(*c)) ? -EFAULT : 0;
}

static int hostcall_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (vma->vm_end - vma->vm_start > HOSTCALL_ARENA)
		return -EINVAL;
	return remap_pfn_range(vma, vma->vm_start, __pa(arena) >> PAGE_SHIFT,
			       vma->vm_end - vma->vm_start, vma->vm_page_prot);
}

static const struct file_operations hostcall_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = hostcall_ioctl,
	.mmap = hostcall_mmap,
};

static struct miscdevice hostcall_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hostcall",
	.mode = 0666,
	.fops = &hostcall_fops,
};

static int __init hostcall_init(void)
{
	arena = alloc_pages_exact(HOSTCALL_ARENA, GFP_KERNEL | __GFP_ZERO);
	return arena ? misc_register(&hostcall_device) : -ENOMEM;
}
device_initcall(hostcall_init);
