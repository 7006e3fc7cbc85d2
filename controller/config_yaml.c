// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * config_yaml: three passes over the bytes, each one safe for the next. The first keeps no memory of its own, so that
 * a hostile file (alias bombs, a million brackets) is refused before anything grows or recurses.
 */
#include "controller/config_yaml.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

const struct config_yaml_kind config_yaml_config = {&config_schema, "edge:"};

/* libyaml gives no mark for bytes that it cannot read, but their offset. */
static yaml_mark_t mark_of_offset(const char *bytes, size_t length, size_t offset)
{
	yaml_mark_t mark = {.index = offset};

	for (size_t i = 0; i < offset && i < length; i++) {
		if (bytes[i] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if (((unsigned char)bytes[i] & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

static int fail_parser(struct config_context *ctx, const yaml_parser_t *parser, const char *bytes,
		       size_t length)
{
	yaml_mark_t mark;

	switch (parser->error) {
	case YAML_MEMORY_ERROR:
		return -ENOMEM;
	case YAML_READER_ERROR:
		mark = mark_of_offset(bytes, length, parser->problem_offset);
		config_fail_mark(ctx, &mark, "neither UTF-8 nor printable text: %s (byte 0x%02x)",
				 parser->problem, (unsigned int)parser->problem_value);
		return -EINVAL;
	default:
		config_fail_mark(ctx, &parser->problem_mark, "not valid YAML: %s%s%s", parser->problem,
				 parser->context ? ", " : "", parser->context ?: "");
		return -EINVAL;
	}
}

struct guard {
	uint32_t depth, nodes, documents;
};

/* What one event must not be; the text of the complaint, or NULL. */
static const char *guard_event(struct guard *guard, const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return ++guard->documents > 1 ? "a second document in one file" : NULL;
	case YAML_ALIAS_EVENT:
		return "aliases (*name) are not allowed";
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		guard->depth++;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		guard->depth++;
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		guard->depth--;
		return NULL;
	default:
		return NULL;
	}
	if (anchor)
		return "anchors (&name) are not allowed";
	if (tag)
		return "tags (!name) are not allowed";
	if (guard->depth >= CONFIG_DEPTH_MAX)
		return "nested too deeply";
	if (++guard->nodes > CONFIG_NODES_MAX)
		return "more than 1048576 values";
	return NULL;
}

static int guard_parser(struct config_context *ctx, yaml_parser_t *parser, const char *bytes,
			size_t length, const char *least)
{
	struct guard guard = {0};
	yaml_event_t event;
	yaml_event_type_t type;
	yaml_mark_t mark;
	const char *wrong;

	do {
		if (!yaml_parser_parse(parser, &event))
			return fail_parser(ctx, parser, bytes, length);
		wrong = guard_event(&guard, &event);
		type = event.type;
		mark = event.start_mark;
		yaml_event_delete(&event);
		if (wrong) {
			config_fail_mark(ctx, &mark, "%s", wrong);
			return -EINVAL;
		}
	} while (type != YAML_STREAM_END_EVENT);
	if (!guard.nodes) {
		config_fail_mark(ctx, NULL, "the file is empty; it needs at least `%s`", least);
		return -EINVAL;
	}
	return 0;
}

static int parser_open(yaml_parser_t *parser, const char *bytes, size_t length)
{
	if (!yaml_parser_initialize(parser))
		return -ENOMEM;
	yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(parser, (const unsigned char *)bytes, length);
	return 0;
}

static int guard_bytes(struct config_context *ctx, const char *bytes, size_t length, const char *least)
{
	yaml_parser_t parser;
	int r = parser_open(&parser, bytes, length);

	if (r)
		return r;
	r = guard_parser(ctx, &parser, bytes, length, least);
	yaml_parser_delete(&parser);
	return r;
}

static const char *kind_of(const yaml_node_t *node)
{
	switch (node->type) {
	case YAML_SEQUENCE_NODE:
		return "a list";
	case YAML_MAPPING_NODE:
		return "a mapping";
	default:
		return "a plain value";
	}
}

static bool is_nothing(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;

	if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	return !*text || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0;
}

/* Whether the node is of the kind; complains else. */
static bool expect_kind(struct config_context *ctx, const yaml_node_t *node, yaml_node_type_t type,
			const char *wanted)
{
	if (is_nothing(node)) {
		config_fail_mark(ctx, &node->start_mark, "has no value; %s is needed", wanted);
		return false;
	}
	if (node->type != type) {
		config_fail_mark(ctx, &node->start_mark, "is %s; %s is needed", kind_of(node), wanted);
		return false;
	}
	return true;
}

static void check_text(struct config_context *ctx, const yaml_node_t *node)
{
	const unsigned char *text = node->data.scalar.value;

	if (!expect_kind(ctx, node, YAML_SCALAR_NODE, "a plain value"))
		return;
	for (size_t i = 0; i < node->data.scalar.length; i++) {
		if (text[i] < 0x20 || text[i] == 0x7f) {
			config_fail_mark(ctx, &node->start_mark, "contains control characters");
			return;
		}
	}
}

static void check_tiers(struct config_context *ctx, const yaml_node_t *node)
{
	const yaml_node_t *tier;
	const yaml_node_item_t *item, *entry;

	if (!expect_kind(ctx, node, YAML_SEQUENCE_NODE, "a list of lists of regions"))
		return;
	for (item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
		tier = yaml_document_get_node(ctx->document, *item);
		config_enter_index(ctx, item - node->data.sequence.items.start);
		if (expect_kind(ctx, tier, YAML_SEQUENCE_NODE, "a list of regions")) {
			for (entry = tier->data.sequence.items.start;
			     entry < tier->data.sequence.items.top; entry++) {
				config_enter_index(ctx, entry - tier->data.sequence.items.start);
				check_text(ctx, yaml_document_get_node(ctx->document, *entry));
				config_leave(ctx);
			}
		}
		config_leave(ctx);
	}
}

static void check_value(struct config_context *ctx, const yaml_node_t *node,
			const cyaml_schema_value_t *schema);

static void fail_unknown_key(struct config_context *ctx, const yaml_node_t *key,
			     const cyaml_schema_field_t *fields)
{
	char allowed[512] = "";
	size_t length = 0;

	for (const cyaml_schema_field_t *field = fields; field->key; field++)
		length += snprintf(allowed + length, sizeof(allowed) - length, "%s%s",
				   field == fields ? "" : ", ", field->key);
	if (key->type == YAML_SCALAR_NODE)
		config_fail_mark(ctx, &key->start_mark, "unknown key %s; allowed: %s",
				 config_quote((const char *)key->data.scalar.value), allowed);
	else
		config_fail_mark(ctx, &key->start_mark, "a key is %s; allowed: %s", kind_of(key), allowed);
}

static const cyaml_schema_field_t *field_find(const cyaml_schema_field_t *fields, const yaml_node_t *key)
{
	if (key->type != YAML_SCALAR_NODE ||
	    strlen((const char *)key->data.scalar.value) != key->data.scalar.length)
		return NULL;
	for (; fields->key; fields++)
		if (strcmp(fields->key, (const char *)key->data.scalar.value) == 0)
			return fields;
	return NULL;
}

static void check_field(struct config_context *ctx, const yaml_node_t *key, const yaml_node_t *value,
			const cyaml_schema_field_t *fields, const cyaml_schema_field_t *field)
{
	config_enter(ctx, field->key);
	if (config_schema_not_yet(fields, field))
		config_fail_mark(ctx, &key->start_mark, "not yet supported by this version of ebb");
	else if (config_schema_is_tiers(field))
		check_tiers(ctx, value);
	else
		check_value(ctx, value, &field->value);
	config_leave(ctx);
}

static void check_mapping(struct config_context *ctx, const yaml_node_t *node,
			  const cyaml_schema_field_t *fields)
{
	const yaml_node_pair_t *pair;
	const yaml_node_t *key;
	const cyaml_schema_field_t *field;
	uint64_t seen = 0, bit;

	for (pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
		key = yaml_document_get_node(ctx->document, pair->key);
		field = field_find(fields, key);
		if (!field) {
			fail_unknown_key(ctx, key, fields);
			continue;
		}
		bit = UINT64_C(1) << (field - fields);
		if (seen & bit)
			config_fail_mark(ctx, &key->start_mark, "key \"%s\" twice in one mapping",
					 field->key);
		else
			check_field(ctx, key, yaml_document_get_node(ctx->document, pair->value),
				    fields, field);
		seen |= bit;
	}
	for (field = fields; field->key; field++)
		if (!(field->value.flags & CYAML_FLAG_OPTIONAL) &&
		    !(seen & UINT64_C(1) << (field - fields)))
			config_fail_mark(ctx, &node->start_mark, "key \"%s\" is missing", field->key);
}

static void check_value(struct config_context *ctx, const yaml_node_t *node,
			const cyaml_schema_value_t *schema)
{
	const yaml_node_item_t *item;

	switch (schema->type) {
	case CYAML_MAPPING:
		if (expect_kind(ctx, node, YAML_MAPPING_NODE, "a mapping"))
			check_mapping(ctx, node, schema->mapping.fields);
		return;
	case CYAML_SEQUENCE:
		if (is_nothing(node) || !expect_kind(ctx, node, YAML_SEQUENCE_NODE, "a list"))
			return;
		for (item = node->data.sequence.items.start; item < node->data.sequence.items.top;
		     item++) {
			config_enter_index(ctx, item - node->data.sequence.items.start);
			check_value(ctx, yaml_document_get_node(ctx->document, *item),
				    schema->sequence.entry);
			config_leave(ctx);
		}
		return;
	default:
		check_text(ctx, node);
	}
}

int config_yaml_parse(struct config_context *ctx, const char *bytes, size_t length,
		      const struct config_yaml_kind *kind, yaml_document_t *document)
{
	yaml_parser_t parser;
	int r = guard_bytes(ctx, bytes, length, kind->least);

	if (r)
		return r;
	r = parser_open(&parser, bytes, length);
	if (r)
		return r;
	if (!yaml_parser_load(&parser, document))
		r = fail_parser(ctx, &parser, bytes, length);
	else
		ctx->document = document;
	yaml_parser_delete(&parser);
	if (r)
		return r;
	check_value(ctx, yaml_document_get_root_node(document), kind->schema);
	return config_failed(ctx) ? -EINVAL : 0;
}

/* The first complaint of libcyaml names the cause, the lines after it where it was. */
struct cyaml_complaint {
	char text[256];
};

static void complain(cyaml_log_t level, void *user, const char *fmt, va_list args)
{
	struct cyaml_complaint *complaint = user;
	size_t length = strlen(complaint->text);

	if (length < sizeof(complaint->text) - 1)
		vsnprintf(complaint->text + length, sizeof(complaint->text) - length, fmt, args);
}

/*
 * libcyaml grows a list by one entry at a time. Capacities are powers of two, kept before the piece, so that
 * 65,535 entries are not copied 65,535 times.
 */
struct grown {
	size_t capacity;
	alignas(max_align_t) unsigned char bytes[];
};

static void *grow(void *user, void *piece, size_t size)
{
	struct grown *grown = piece ? (struct grown *)((char *)piece - offsetof(struct grown, bytes)) : NULL;
	size_t capacity = 16;

	if (size == 0) {
		free(grown);
		return NULL;
	}
	if (grown && grown->capacity >= size)
		return piece;
	while (capacity < size && capacity <= SIZE_MAX / 4)
		capacity *= 2;
	if (capacity < size)
		return NULL;
	grown = realloc(grown, sizeof(*grown) + capacity);
	if (!grown)
		return NULL;
	grown->capacity = capacity;
	return grown->bytes;
}

static const cyaml_config_t cyaml_plain = {
	.mem_fn = grow,
	.log_level = CYAML_LOG_ERROR,
	.flags = CYAML_CFG_NO_ALIAS,
};

int config_yaml_load(struct config_context *ctx, const char *bytes, size_t length,
		     const struct config_yaml_kind *kind, void **ret_raw)
{
	struct cyaml_complaint complaint = {0};
	cyaml_config_t how = cyaml_plain;
	cyaml_data_t *data = NULL;
	cyaml_err_t r;

	how.log_fn = complain;
	how.log_ctx = &complaint;
	r = cyaml_load_data((const uint8_t *)bytes, length, &how, kind->schema, &data, NULL);
	if (r == CYAML_ERR_OOM)
		return -ENOMEM;
	if (r != CYAML_OK || !data) {
		for (char *c = complaint.text; *c; c++)
			if (*c == '\n')
				*c = ' ';
		config_fail_mark(ctx, NULL, "%s: %s", cyaml_strerror(r), complaint.text);
		return -EINVAL;
	}
	*ret_raw = data;
	return 0;
}

void config_yaml_free(const struct config_yaml_kind *kind, void *raw)
{
	if (raw)
		cyaml_free(&cyaml_plain, kind->schema, raw, 0);
}
