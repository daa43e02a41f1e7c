/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of build/. */
#ifndef ROOTFS_BUILD_PRIVATE_H
#define ROOTFS_BUILD_PRIVATE_H

#include <json-c/json.h>
#include <sys/types.h>

#include "hostfs-bridge/target/target.h"
#include "rootfs/build/build.h"
#include "rootfs/fabricate/fabricate.h"
#include "umlcage/base/hash.h"
#include "umlcage/base/ini.h"
#include "umlcage/machine/machine.h"
#include "umlcage/places/places.h"

/* ---- sections, keys.c of the options: sections.c ---- */

/* A step, a check, or the source that a tool makes: a script in a cage. */
struct build_step {
	char *name;
	/* what it runs in, if that is not the tree: one of these */
	const char *tool_name, *packages, *root;
	const struct fabricate_tool *tool;
	const char *tools_suite;
	uint64_t renew;		/* milliseconds; BUILD_RENEW_UNSET: as the network says */
	const char *script;
	const char *files;	/* a folder that is copied into the root first; NULL */
	const char *user, *workdir;
	struct machine machine;
	struct places_options places;	/* binds and shares */
	struct strv given;	/* "key=value" as written, for its hash */
};

#define BUILD_RENEW_UNSET UINT64_MAX
/* Where a tool fills the tree, and where its checks find the outputs; in the cage. */
#define BUILD_TARGET	"/target"
#define BUILD_OUTPUTS	"/outputs"

struct build_output {
	char *name;		/* of the file */
	const char *file;	/* of the tree, which is taken as it is; NULL: it is made */
	const char *format, *level;
	unsigned int jobs;
	bool sparse;
	struct target_details details;
	struct strv given;
};

struct build_publish {
	const char *directory;	/* NULL: output/ beside the build file */
	const char *sign;	/* a command for sh, which signs SHA256SUMS; NULL */
	const char *notify;	/* a command for sh, which gets the summary on standard input */
	unsigned int keep;	/* folders of former nights, beside the latest; */
};

struct build_limits {
	uint64_t timeout;	/* milliseconds of each step; 0: none */
	uint64_t command_timeout;	/* of sign and notify */
};

struct build {
	char *name;		/* of the file, without ".build" */
	char *file, *dir;
	const char *description;
	/* the source: one of these */
	const char *suite, *root, *base;
	struct build_step *run;	/* NULL, or the one of [Run] */
	struct strv mirrors;
	struct strv options;	/* of fabricate, "--key=value" */
	struct strv values;	/* what options point to */
	struct strv matrix;	/* "variable=word", its own of [Matrix] */
	struct build_step *steps, *checks;
	size_t nsteps, nchecks;
	struct build_output *outputs;
	size_t noutputs;
	struct build_publish publish;
	struct build_limits limits;
	/* in the making */
	struct build *on;	/* what it builds on */
	bool wanted, visited, under_way, done;
	enum build_result result;
	pid_t pid;
	int pipe;		/* its report comes from there, and a turn for it goes there */
	bool waits, making;	/* for a turn, in it */
	struct strbuf heard;
	int64_t started;
	/* known once it is done, for those that build on it */
	char tree_key[SHA256_HEX + 1];
	int64_t epoch;
	char *tools;		/* the root that its tool ran in just now; NULL */
};

extern const struct opt_spec build_step_spec, build_output_spec, build_source_spec, build_run_spec,
	build_check_spec, build_publish_spec, build_limits_spec, build_build_spec;

/* ---- file.c ---- */

struct build *builds_find(const struct builds *b, const char *name);

/* ---- matrix.c ---- */

/* What a file's [Matrix] makes of it: a build for each combination of "variable=word". */
struct build_matrix {
	struct strv *v;
	size_t n;		/* 1, of nothing, where it has none */
};

int build_matrix_read(const char *path, int dirfd, struct build_matrix *m, struct error *e);
void build_matrix_release(struct build_matrix *m);
/* NULL: it has no such variable. */
const char *build_matrix_value(const struct strv *combination, const char *name);
/* "file-word-word"; malloc'ed. */
char *build_matrix_name(const char *file, const struct strv *combination);

/* ---- keys.c ---- */

/* What one part depends on; for telling which of them changed. */
struct build_part {
	char *name;		/* "source", "step NAME", "output NAME", "checks" */
	char key[SHA256_HEX + 1];
};

struct build_keys {
	struct build_part *parts;
	size_t n;
	char (*trees)[SHA256_HEX + 1];	/* of the source and after each step: nsteps + 1 */
	char all[SHA256_HEX + 1];
	int64_t epoch;		/* -1: not known before the source is made */
	struct strv sources;	/* "URL ... SHA256", "ROOT SHA256", "SHARE ID", "build NAME TREE" */
	bool never;		/* something in it cannot be told: the keys are of this run alone */
};

struct build_env {
	const struct build_how *how;
	struct builds *builds;
	struct progress *progress;
	int log;		/* where commands and tools write; -1 */
	int turn;		/* who gives turns to make something is there */
	char run[17];		/* this run's own: what cannot be compared is another thing in each */
	char *kernel, *kernel_key;
};

int build_keys(const struct build_env *env, struct build *b, struct build_keys *k,
	       struct error *e);
void build_keys_release(struct build_keys *k);

/* ---- again.c ---- */

/* What is made once more is made of nothing that is kept, of one time, and is nobody's night. */
struct build_again {
	char *stages;		/* where its trees are, instead of the cache */
	int64_t epoch;
	int64_t began;		/* when it was made first */
};

/* ---- stage.c ---- */

/*
 * The finished tree, made as far as it is not kept; *@path is malloc'ed.  *@what is what was
 * under way, "step NAME", when it fails; malloc'ed.
 */
int build_tree(const struct build_env *env, struct build *b, const struct build_keys *k,
	       char **path, char **what, struct error *e);
/*
 * Makes the folder @part below @top, hidden, and locked by the descriptor that it returns: others remove
 * such folders that nobody has locked any more.
 */
int build_begin_part(const char *top, const char *part, struct error *e);
/* Where the list of .debs of a stage's tree is, whether there is one or not; malloc'ed. */
char *build_debs_path(const char *tree);
/* Adds what all cages have in common to the arguments of a command that fabricates. */
void build_add_machine(const struct build_env *env, struct strv *argv);

/* The same for a cage that is not a step's. */
void build_machine(const struct build_env *env, struct machine *m);
/* umlcage-make with @argv, its output to the log; its exit status, or -errno. */
int build_program(const struct build_env *env, const struct build *b, struct strv *argv,
		  int64_t epoch, struct strbuf *out, struct error *e);

/* ---- step.c ---- */

/*
 * The script in a cage on a copy of the share @root, which becomes the share @into.  The one of [Run]
 * is in a cage on @root itself, whose changes are thrown away, and fills @into at BUILD_TARGET.
 */
int build_step(const struct build_env *env, const struct build *b, const struct build_step *s,
	       const char *root, const char *into, int64_t epoch, struct error *e);
/*
 * A check, on something that is thrown away: on @root, a share or an image, or, if it has a tool, on
 * the root of that, with the folder @outputs at BUILD_OUTPUTS.
 */
int build_check(const struct build_env *env, const struct build *b, const struct build_step *s,
		const char *root, const char *outputs, int64_t epoch, struct error *e);

/* ---- tool.c ---- */

bool build_has_tool(const struct build_step *s);
/* Finds the row of tool =; usage errors, without the name of the section. */
int build_tool_check(struct build_step *s, struct error *e);
/* What it depends on beside its keys. */
void build_tool_key(const struct build_env *env, const struct build_step *s, struct strv *out);
/* Its variables, of the source or of a check: where things are, and the mirror, if there is one. */
void build_tool_environment(const struct build_step *s, bool source, struct strv *out);
/* The root that it runs in, made if need be; *@path is malloc'ed. */
int build_tool_root(const struct build_env *env, const struct build_step *s, char **path, struct error *e);
/* The kernel that a script asks for, or the one of all; *@path is @k's or @env's. */
int build_kernel(const struct build_env *env, const struct build_step *s, struct kernel_info *k,
		 const char **path, struct error *e);

/* ---- publish.c ---- */

#define BUILD_MANIFEST	"manifest.json"
#define BUILD_SUMS	"SHA256SUMS"
#define BUILD_BOM	"bom.cdx.json"
#define BUILD_SPDX	"bom.spdx.json"
#define BUILD_PROVENANCE "provenance.json"

/* One run that makes something, and the hidden folder for it. */
struct night {
	struct build_env *env;
	struct build *b;
	const struct build_keys *k;
	char *folder, *part, *log_path;
	struct json_object *former;	/* manifest of the latest; NULL */
	struct json_object *outputs, *tools, *packages;	/* of the manifest */
	char *what;			/* is under way */
	char *tree;			/* the finished one */
	int lock;
	uint64_t bytes;
	int64_t started;
};

/* The folder of a build's outputs; malloc'ed. */
char *build_folder(const struct build_how *how, const struct build *b);
/* Removes what killed runs left in it, unless one is at work. */
void build_sweep(const char *folder);
/* The manifest that `latest` leads to; NULL: there is none, or not all of what it names. */
struct json_object *build_latest(const char *folder);
/* NULL, with the error: there is none, or it is none. */
struct json_object *build_manifest_read(const char *path, struct error *e);
/* What it says its part @name was made of; "" if there was none. */
const char *build_part(struct json_object *manifest, const char *name);
/* What is otherwise than in the manifest, a line each; NULL: nothing. malloc'ed. */
char *build_difference(const struct build *b, const struct build_keys *k,
		       struct json_object *manifest);
/* Makes all there is to make of it, in the process of the build. */
int build_make(struct build_env *env, struct build *b, const struct build_keys *k,
	       struct build_report *r, struct error *e);

/* ---- manifest.c ---- */

/*
 * Writes manifest.json, the bills of materials, the provenance and SHA256SUMS of the finished
 * night, whose log ends here.  *@changes, malloc'ed, says which packages changed since the last
 * success.
 */
int build_manifest(struct night *n, char **changes, struct error *e);
/* Notes the packages of the tools at @root, which made @output; */
void build_note_tools(struct night *n, const char *output, const char *root);
/* and that @output is still the one that the former night's tools made. */
void build_keep_tools(struct night *n, const char *output);
/* Takes passwords out of the addresses in a file, see str_hide_passwords(). */
int build_hide_passwords(const char *path, struct error *e);

/* ---- sums.c ---- */

/* SHA256SUMS itself, or a signature of it? */
bool build_is_sums(const char *name);
/* Writes it for the night that is not yet public. */
int build_sums_write(const struct night *n, struct error *e);
/* -EBADMSG if the folder is not what it says, or has more. */
int build_sums_check(int dirfd, struct error *e);

/* ---- sign.c ---- */

/* Has SHA256SUMS signed, as [Publish] says. */
int build_sign(const struct night *n, struct error *e);

/* ---- record.c: status.json ---- */

/* Notes that it ran, and with @run what came of it. */
void build_record(const char *folder, const char *name, const struct build_run *run);
struct json_object *build_records(const char *folder);

/* ---- json.c: json-c's, but they do not fail; values become the object's or list's ---- */

struct json_object *json_new(void);
struct json_object *json_new_list(void);
void json_add(struct json_object *o, const char *key, struct json_object *value);
void json_push(struct json_object *list, struct json_object *value);
const char *json_print(struct json_object *o, int flags);
/* Texts as UTF-8, whatever they are. */
struct json_object *json_of_text(const char *value);
void json_add_text(struct json_object *o, const char *key, const char *value);
struct json_object *json_of_list(const struct strv *v);
/* An array of an object, NULL if it has none; and how many there are in it. */
struct json_object *json_list(struct json_object *o, const char *key);
size_t json_length(struct json_object *list);
/* A string of an object, "" if it has none. */
const char *json_text(struct json_object *o, const char *key);
int64_t json_number(struct json_object *o, const char *key);

/* ---- packages.c ---- */

/* A file of the tree at @root, which is not trusted: see share_read(). */
int build_read(const char *root, const char *path, size_t max, struct strbuf *text);

/*
 * The packages that dpkg knows in the share at @path, as an array of objects: name, version,
 * architecture, and where dpkg has them source, built_using, static_built_using.
 */
struct json_object *build_packages(const char *path);
/*
 * Adds what is known of the .debs of a stage's @tree: sha256 or sha512, size, url.  If dpkg knows
 * of no package, those are the packages.
 */
void build_note_debs(struct json_object *packages, const char *tree);
/* An array of objects: name, architecture, and "before" and "after", the versions. */
struct json_object *build_package_changes(struct json_object *before, struct json_object *after);
/* "+ name version", "- name version", "~ name old -> new" of them, a line each; malloc'ed. */
char *build_changes_text(struct json_object *changes);

/* ---- licences.c ---- */

/* Adds "license", an SPDX expression, where a package's machine-readable copyright file tells. */
void build_note_licences(struct json_object *packages, const char *tree);
/* The same of what "License:" has there, appended to @out. */
void build_licence(const char *text, struct strbuf *out);

/* ---- bom.c, spdx.c, provenance.c ---- */

/* ID= of the tree's os-release, "debian" if it has none; malloc'ed. */
char *build_vendor(const char *tree);
/* "pkg:deb/debian/bash@5.2?arch=amd64" (purl-spec); malloc'ed. */
char *build_purl(const char *vendor, const char *name, const char *version, const char *arch);
/*
 * The source packages that a package is made of: its own first, then those of Built-Using and
 * Static-Built-Using.
 */
struct build_source {
	char *name, *version;
	const char *how;	/* "source", "built-using", "static-built-using" */
};
struct build_sources {
	struct build_source *v;
	size_t n;
};
void build_sources(struct json_object *package, struct build_sources *s);
void build_sources_release(struct build_sources *s);

/* The bills of materials of @tree with those packages: CycloneDX, SPDX. */
struct json_object *build_bom(const struct build *b, const char *tree,
			      struct json_object *packages);
struct json_object *build_spdx(const struct build *b, const char *tree,
			       struct json_object *packages);
/* How the outputs were made of what: an in-toto statement with SLSA's predicate. */
struct json_object *build_provenance(const struct night *n, int64_t ended);

#endif
