// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bill of materials as SPDX 2.3 (ISO/IEC 5962) has it, in JSON: the image, the binary packages
 * that it contains, and the source packages that each of them was generated from.
 */
#include <ctype.h>
#include <string.h>

#include "rootfs/build/private.h"

#define IMAGE	"SPDXRef-Image"
#define NOBODY	"NOASSERTION"

struct document {
	const char *vendor;
	struct json_object *packages, *relations, *licences;
	struct strv sources, refs;	/* identifiers that are in there already */
};

/* Letters, digits, "." and "-": anything else becomes ".XX" in capitals, which names have not. */
static void add_id(struct strbuf *out, const char *text)
{
	for (; *text; text++)
		if (isalnum((unsigned char)*text) || *text == '-' || *text == '.')
			sb_addc(out, *text);
		else
			sb_addf(out, ".%02X", (unsigned char)*text);
}

static char *id_of(const char *kind, const char *name, const char *more)
{
	struct strbuf id = STRBUF_INIT;

	sb_addf(&id, "SPDXRef-%s-", kind);
	add_id(&id, name);
	sb_addc(&id, '-');
	add_id(&id, more);
	return sb_steal(&id);
}

static void relate(struct document *d, const char *from, const char *how, const char *to,
		   const char *comment)
{
	struct json_object *o = json_new();

	json_add_text(o, "spdxElementId", from);
	json_add_text(o, "relationshipType", how);
	json_add_text(o, "relatedSpdxElement", to);
	if (comment)
		json_add_text(o, "comment", comment);
	json_push(d->relations, o);
}

static struct json_object *add_package(struct document *d, const char *id, const char *name,
				       const char *version, const char *purl)
{
	struct json_object *o = json_new();
	struct json_object *refs = json_new_list(), *ref = json_new();

	json_add_text(o, "SPDXID", id);
	json_add_text(o, "name", name);
	json_add_text(o, "versionInfo", version);
	json_add(o, "filesAnalyzed", json_object_new_boolean(false));
	if (purl) {
		json_add_text(ref, "referenceCategory", "PACKAGE-MANAGER");
		json_add_text(ref, "referenceType", "purl");
		json_add_text(ref, "referenceLocator", purl);
		json_push(refs, ref);
		json_add(o, "externalRefs", refs);
	} else {
		json_object_put(ref);
		json_object_put(refs);
	}
	json_push(d->packages, o);
	return o;
}

static void add_legal(struct json_object *o, const char *license, const char *url)
{
	json_add_text(o, "downloadLocation", *url ? url : NOBODY);
	json_add_text(o, "licenseConcluded", NOBODY);
	json_add_text(o, "licenseDeclared", *license ? license : NOBODY);
	json_add_text(o, "copyrightText", NOBODY);
}

/* What is no licence of SPDX's list has to be explained. */
static void add_licence_refs(struct document *d, const char *name, const char *license)
{
	for (const char *at = strstr(license, "LicenseRef-"); at; at = strstr(at + 1, "LicenseRef-")) {
		cleanup_free char *ref = xstrndup(at, strcspn(at, " ()"));
		cleanup_free char *text = xasprintf("called so in /usr/share/doc/%s/copyright", name);
		struct json_object *o;

		if (strv_has(&d->refs, ref))
			continue;
		strv_add(&d->refs, ref);
		o = json_new();
		json_add_text(o, "licenseId", ref);
		json_add_text(o, "name", ref + strlen("LicenseRef-"));
		json_add_text(o, "extractedText", text);
		json_push(d->licences, o);
	}
}

static void add_sources(struct document *d, struct json_object *package, const char *id)
{
	struct build_sources sources;

	build_sources(package, &sources);
	for (size_t i = 0; i < sources.n; i++) {
		const struct build_source *s = &sources.v[i];
		cleanup_free char *source = id_of("Source", s->name, s->version);
		cleanup_free char *purl = build_purl(d->vendor, s->name, s->version, "source");

		if (!strv_has(&d->sources, source)) {
			struct json_object *o = add_package(d, source, s->name, s->version, purl);

			strv_add(&d->sources, source);
			add_legal(o, "", "");
			json_add_text(o, "primaryPackagePurpose", "SOURCE");
		}
		relate(d, id, "GENERATED_FROM", source, i ? s->how : NULL);
	}
	build_sources_release(&sources);
}

static void add_binary(struct document *d, struct json_object *package)
{
	const char *name = json_text(package, "name"), *version = json_text(package, "version");
	const char *arch = json_text(package, "architecture"), *license = json_text(package, "license");
	const char *sha256 = json_text(package, "sha256"), *sha512 = json_text(package, "sha512");
	cleanup_free char *id = id_of("Package", name, arch);
	cleanup_free char *purl = build_purl(d->vendor, name, version, arch);
	struct json_object *o = add_package(d, id, name, version, purl);

	add_legal(o, license, json_text(package, "url"));
	if (*sha256 || *sha512) {
		struct json_object *sums = json_new_list(), *sum = json_new();

		json_add_text(sum, "algorithm", *sha256 ? "SHA256" : "SHA512");
		json_add_text(sum, "checksumValue", *sha256 ? sha256 : sha512);
		json_push(sums, sum);
		json_add(o, "checksums", sums);
	}
	if (*json_text(package, "url")) {
		cleanup_free char *supplier = xasprintf("Organization: %s", d->vendor);

		json_add_text(o, "supplier", supplier);
	}
	add_licence_refs(d, name, license);
	relate(d, IMAGE, "CONTAINS", id, NULL);
	add_sources(d, package, id);
}

static struct json_object *creation(const struct build *b)
{
	struct json_object *o = json_new(), *creators = json_new_list();
	cleanup_free char *stamp = utc_text(b->epoch >= 0 ? b->epoch : 0, UTC_RFC_3339);

	json_add_text(o, "created", stamp);
	json_push(creators, json_object_new_string("Tool: umlcage-" UMLCAGE_VERSION));
	json_add(o, "creators", creators);
	return o;
}

struct json_object *build_spdx(const struct build *b, const char *tree, struct json_object *packages)
{
	struct json_object *spdx = json_new(), *image;
	cleanup_free char *vendor = build_vendor(tree);
	/* as annex F of SPDX has it for who has no place of his own */
	cleanup_free char *name = id_of("Image", b->name, b->tree_key);
	cleanup_free char *space = xasprintf("https://spdx.org/spdxdocs/%s", name);
	struct document d = { .vendor = vendor, .packages = json_new_list(),
			      .relations = json_new_list(), .licences = json_new_list() };

	json_add_text(spdx, "spdxVersion", "SPDX-2.3");
	json_add_text(spdx, "dataLicense", "CC0-1.0");
	json_add_text(spdx, "SPDXID", "SPDXRef-DOCUMENT");
	json_add_text(spdx, "name", b->name);
	json_add_text(spdx, "documentNamespace", space);
	json_add(spdx, "creationInfo", creation(b));
	image = add_package(&d, IMAGE, b->name, b->tree_key, NULL);
	add_legal(image, "", "");
	json_add_text(image, "primaryPackagePurpose", "OPERATING_SYSTEM");
	if (b->description)
		json_add_text(image, "summary", b->description);
	relate(&d, "SPDXRef-DOCUMENT", "DESCRIBES", IMAGE, NULL);
	for (size_t i = 0; i < json_object_array_length(packages); i++)
		add_binary(&d, json_object_array_get_idx(packages, i));
	json_add(spdx, "packages", d.packages);
	json_add(spdx, "relationships", d.relations);
	json_add(spdx, "hasExtractedLicensingInfos", d.licences);
	strv_release(&d.sources);
	strv_release(&d.refs);
	return spdx;
}
