// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The files beside an image with --verity, by the names under which systemd looks for them
 * (RootVerity= and RootHash= of systemd.exec(5)).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "hostfs-bridge/target/private.h"

const char *const target_beside[TARGET_BESIDE + 1] = {
	[TARGET_HASHES] = ".verity", [TARGET_ROOT_HASH] = ".roothash",
};

int beside_check(const struct target *t, struct error *e)
{
	if (!t->details->verity)
		return 0;
	if (t->is_stdout || t->is_device)
		return err_usage(e, "--verity: the hashes are files beside the image, and '%s' has no place "
				 "beside it; name a file", t->label);
	for (size_t i = 0; i < TARGET_BESIDE; i++) {
		cleanup_free char *path = xasprintf("%s%s", t->name, target_beside[i]);
		struct stat st;

		if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
			return err_set(e, EEXIST, "cannot write '%s': something is there that is not a file",
				       path);
	}
	return 0;
}

int beside_begin(struct target *t, struct error *e)
{
	int ret = 0;

	for (size_t i = 0; i < TARGET_BESIDE && t->details->verity && ret == 0; i++) {
		cleanup_free char *path = xasprintf("%s%s", t->name, target_beside[i]);

		ret = outfile_open(&t->beside[i], AT_FDCWD, path, 0666, e);
	}
	return ret;
}

int beside_commit(struct target *t, struct error *e)
{
	int ret = 0;

	for (size_t i = 0; i < TARGET_BESIDE && ret == 0; i++)
		if (t->beside[i].fd >= 0)
			ret = outfile_commit(&t->beside[i], e);
	return ret;
}

void beside_abort(struct target *t)
{
	for (size_t i = 0; i < TARGET_BESIDE; i++)
		outfile_abort(&t->beside[i]);
}
