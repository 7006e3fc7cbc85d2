/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CONFIG_YAML_H
#define EBB_CONFIG_YAML_H
/* config_yaml: bytes to a document whose shape is that of the schema, and to libcyaml's structures. */
#include "controller/config_context.h"

#define CONFIG_NODES_MAX (1024 * 1024)

/* A kind of file: a configuration, or a scenario. */
struct config_yaml_kind {
	const cyaml_schema_value_t *schema;
	const char *least; /* "edge:": a key that it cannot do without */
};

extern const struct config_yaml_kind config_yaml_config; /* gives struct raw_config */

/*
 * 1. Goes through the bytes once without building anything: valid UTF-8 and YAML, one document, no anchors, aliases or
 *    tags, depth and number of nodes bounded. 2. Builds the document (ctx->document = document; the caller deletes it).
 * 3. Compares its shape with the schema: keys known, none twice, none missing, kinds right.
 * 0, or -EINVAL with messages in ctx, or -ENOMEM. The document needs deleting whenever ctx->document is set.
 */
EBB_MUST_CHECK int config_yaml_parse(struct config_context *ctx, const char *bytes, size_t length,
				     const struct config_yaml_kind *kind, yaml_document_t *document);
/* libcyaml's load of bytes that config_yaml_parse() found right. Free with config_yaml_free(). */
EBB_MUST_CHECK int config_yaml_load(struct config_context *ctx, const char *bytes, size_t length,
				    const struct config_yaml_kind *kind, void **ret_raw);
void config_yaml_free(const struct config_yaml_kind *kind, void *raw);

#endif
