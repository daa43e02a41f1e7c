/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of fabricate*.c, configure.c and hooks.c. */
#ifndef ROOTFS_FABRICATE_PRIVATE_H
#define ROOTFS_FABRICATE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "hostfs-bridge/share/share.h"
#include "rootfs/emulate/emulate.h"
#include "rootfs/fabricate/fabricate.h"
#include "rootfs/options/options.h"
#include "rootfs/unpack/unpack.h"
#include "umlcage/base/error.h"

struct replan;

struct fabricate {
	const struct fab_options *o;
	const struct plan *plan;
	struct debian_archive *archive;
	const struct machine *machine;
	const char *kernel;
	struct progress *progress;
	struct share *share;		/* the tree in the making */
	const struct share *stage;	/* where the second stage's packages wait for it */
	struct unpack *unpack;		/* the first stage */
	struct unpack *rest;		/* the second, staged; indexes from plan->nbase on */
	struct crew *crew;		/* at work; NULL: none */
	struct strv dirs;		/* made by the setup */
	struct strv links;		/* the top's links into usr/ */
	bool usrmerge;			/* those that usrmerge would have made */
	bool late_links;		/* setup hooks come first, and find none */
	bool hooks;			/* some run in the cage */
	bool reinstall;			/* extract hooks: dpkg itself installs the first stage */
	struct emulators emulators;	/* for programs of other architectures than this machine's */
	struct work tools;		/* what hooks run on that do not run in the tree */
	struct guest *guest;		/* NULL: no cage runs */
	bool online;			/* it has the network */
	struct guest *next;		/* one that boots already; NULL: none */
	bool next_online;
	bool held;			/* a hook left something in it that would be lost */
	int64_t booting;		/* milliseconds, of all of them */
	size_t configured;		/* packages, for the progress */
	struct replan *replan;		/* what o, plan and archive are after setup hooks, or NULL */
	bool replanned;			/* they are */
};

/* ---- fabricate-setup.c: the tree before and after, natively ---- */

/* Configuration of apt for hooks that call it, in the new root; the first where that is /target. */
#define FABRICATE_ASIDE_APT_CONFIG "tmp/mmdebstrap.apt.conf.target"
#define FABRICATE_APT_CONFIG "tmp/mmdebstrap.apt.conf"

/* The part of the setup that depends on the packages. */
int fabricate_setup_for_plan(struct fabricate *f, struct share_tree *t, struct error *e);
/* The names in the directory @dir but "." and ".."; none where there is none. */
int fabricate_list_dir(struct share_tree *t, const char *dir, struct strv *names,
		       struct error *e);

/* ---- replan.c ---- */

/* Chooses packages again if the sources in the tree are not those of the request. */
int fabricate_replan(struct fabricate *f, struct share_tree *t, struct error *e);
void fabricate_replan_end(struct fabricate *f);
/* -EINVAL if packages are asked for, and no source has been found for them. */
int fabricate_need_sources(const struct fab_options *o, struct error *e);

/* mmdebstrap's run_setup(): directories, apt's configuration, devices. */
int fabricate_setup(struct fabricate *f, struct error *e);
/*
 * After the setup hooks: what apt would heed from now on, but the plan, which is made
 * already, does not, is an error.
 */
int fabricate_check_setup(struct fabricate *f, struct error *e);
/* A package's file where apt keeps it, for dpkg in the cage. */
int fabricate_put_deb(struct fabricate *f, size_t index, struct error *e);
/* What the cage needs once the base is unpacked: policy-rc.d, apt's lists and states. */
int fabricate_prepare(struct fabricate *f, struct error *e);
/* Takes away what was there for the cage alone. */
int fabricate_unprepare(struct fabricate *f, struct error *e);
/* mmdebstrap's run_cleanup(), as far as --skip allows. */
int fabricate_cleanup(struct fabricate *f, struct error *e);
/* The options of dpkg.cfg.d/99mmdebstrap that filter paths. */
int fabricate_filters(const struct fab_options *o, struct strv *filters, struct error *e);

/* ---- fabricate-apt.c ---- */

/* Indexes as apt-get update leaves them. */
int fabricate_put_lists(struct fabricate *f, struct share_tree *t, struct error *e);
/* Adds to apt's note of what was installed for others only. */
int fabricate_put_states(struct fabricate *f, struct error *e);

/* ---- crew.c: fetching and unpacking ---- */

/*
 * Starts threads that fetch and unpack all packages, the first stage into the tree, the
 * second into the stage.  @plain: only contents.
 */
int crew_begin(struct fabricate *f, bool plain, struct error *e);
/* Waits for the first stage, which then is complete with its database. */
int crew_base(struct fabricate *f, struct error *e);
/* Waits for everything; the stage is complete then. */
int crew_end(struct fabricate *f, struct error *e);
/* Stops whatever is at work.  No harm if nothing is. */
void crew_stop(struct fabricate *f);
/* A package as it was found, by its index in the plan. */
const struct unpacked *crew_package(const struct fabricate *f, size_t index);

/* Is the package of an architecture that is neither the first of the tree's nor "all"? */
bool fabricate_is_foreign(const struct fabricate *f, size_t index);
/* Its name for dpkg. */
const char *fabricate_spec(const struct fabricate *f, size_t index);

/* ---- fabricate.c ---- */

/* f->tools, if it is not there yet: the essential packages, only unpacked, in a share. */
int fabricate_tools(struct fabricate *f, struct error *e);

/*
 * What runs in the cage of a fabrication: preinst scripts, dpkg, hooks.  Output goes to
 * the log file; when a command fails its last lines are shown.
 */

struct guest;
struct fabricate;
struct share;

#define GUEST_TARGET "/target"
/* Boots one on the share @tools, which it does not change, with the other at GUEST_TARGET. */
int guest_start_tools(struct guest **g, struct fabricate *f, const struct share *tools,
		      struct error *e);
/*
 * Runs @argv with @env added to the usual variables (may be NULL) and @stdin_fd (-1: none).
 * Fails, after showing the end of the output, if it ends with other than 0; @what says in
 * the text what could not be done.
 */
int guest_run(struct guest *g, const char *what, char *const *argv, char *const *env,
	      int stdin_fd, struct error *e);
/* The same, standard output to @stdout_fd instead of the log. */
int guest_run_to(struct guest *g, const char *what, char *const *argv, int stdout_fd,
		 struct error *e);
/* "sh -c SCRIPT NAME". */
int guest_script(struct guest *g, const char *what, const char *script, struct error *e);
/* Clean end: everything written is in the share. */
int guest_stop(struct guest *g, struct error *e);
void guest_free(struct guest **g);

/*
 * The cage on the tree: boots one if none runs, or another one where the one that runs is not
 * @online as wanted.  What hooks left running or mounted keeps the cage that it is in.
 */
int cage_enter(struct fabricate *f, bool online, struct error *e);
/*
 * One like that will be entered next: its kernel boots meanwhile, and looks at the tree only
 * when it is entered.  What goes wrong is found then.
 */
void cage_foresee(struct fabricate *f, bool online);
/* Ends it, if one runs: the tree may be changed from outside then. */
int cage_leave(struct fabricate *f, struct error *e);
/* After hooks: have they left something in the cage? */
int cage_look(struct fabricate *f, struct error *e);

/* Packages of the second stage that are put in place natively at once, if they are so many:
 * a boot costs as much as dpkg takes for a package or two. */
#define WORTH_A_BOOT 3

/*
 * Which packages of the second stage, by their number in it, dpkg is to configure when all others are
 * and have had their triggers: kernels and what wants them, where somebody makes initramfs.
 */
void later_find(const struct fabricate *f, bool *held);

/* The first stage: dpkg --install of what is unpacked; the second: what apt would do. */
int configure_base(struct fabricate *f, struct error *e);
int configure_rest(struct fabricate *f, struct error *e);

/*
 * Hooks: commands of the user at four moments, and mmdebstrap's special ones that carry
 * files in and out (copy-in, copy-out, sync-in, sync-out, tar-in, tar-out, upload,
 * download).
 */

struct fabricate;

/* All hooks of that moment, in order; stops at the first that fails. */
int hooks_run(struct fabricate *f, enum fab_hook_when when, struct error *e);
/* Splits as a shell would at blanks, with quotes and backslashes; -EINVAL if one stays open. */
int hooks_words(const char *text, struct strv *words);
/* Is it one of the special ones?  Then its name's length, else 0. */
size_t hooks_special(const char *script);
/* Does it need a shell, or is it the name of a program alone? */
bool hooks_need_shell(const char *script);
/* Is it the name of a program of the host? */
bool hooks_is_program(const char *script);
/* Do any of them, as text or as a program of the host with those beside it that it names, call
 * a program of @names, up to NULL?  Goes by their words alone. */
bool hooks_call_any(const struct fab_hooks *hooks, const char *const *names);
#define HOOK_SCRIPT_MAX ((size_t)1 << 20)
/*
 * Folders beside the one of the program @path that its text names, as
 * "$(dirname "$0")/../NAME/...": their names to @names; returns the folder that they are in,
 * malloc'ed.
 */
char *hooks_neighbours(const char *path, const char *text, struct strv *names);

/* Files of the host into a tar file and out of one, for copy-in, copy-out and their kin. */

/*
 * Writes @path to @fd as a tar file, owners as numbers, and goes back to its beginning.
 * Entries are named after the last component, or with @contents from the directory on.
 */
int hooks_pack(const char *path, bool contents, int fd, struct error *e);
/* Unpacks the tar file @fd in the directory @dir, made if it is not there. */
int hooks_unpack(int fd, const char *dir, struct error *e);
/* Makes the directories that lead to @path. */
int hooks_parents(const char *path, struct error *e);

#endif
