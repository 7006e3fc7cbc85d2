/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CONFIG_YAML_H
#define EBB_CONFIG_YAML_H
/* config_yaml: bytes to a document whose shape is that of the schema, and to libcyaml's structures. */
#include "controller/config_context.h"

#define CONFIG_NODES_MAX (1024 * 1024)

/*
 * 1. Goes through the bytes once without building anything: valid UTF-8 and YAML, one document, no anchors, aliases or
 *    tags, depth and number of nodes bounded. 2. Builds the document (ctx->document = document; the caller deletes it).
 * 3. Compares its shape with the schema: keys known, none twice, none missing, kinds right.
 * 0, or -EINVAL with messages in ctx, or -ENOMEM. The document needs deleting whenever ctx->document is set.
 */
EBB_MUST_CHECK int config_yaml_parse(struct config_context *ctx, const char *bytes, size_t length,
				     yaml_document_t *document);
/* libcyaml's load of bytes that config_yaml_parse() found right. Free with config_yaml_free(). */
EBB_MUST_CHECK int config_yaml_load(struct config_context *ctx, const char *bytes, size_t length,
				    struct raw_config **ret_raw);
void config_yaml_free(struct raw_config *raw);

#endif
