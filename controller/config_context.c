// SPDX-License-Identifier: GPL-2.0-or-later
/* config_context: places in the file, and messages about them. */
#include "controller/config_context.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void config_enter(struct config_context *ctx, const char *key)
{
	assert(ctx->depth < CONFIG_DEPTH_MAX);
	ctx->path[ctx->depth++] = (struct config_step){.key = key};
}

void config_enter_index(struct config_context *ctx, uint32_t index)
{
	assert(ctx->depth < CONFIG_DEPTH_MAX);
	ctx->path[ctx->depth++] = (struct config_step){.index = index};
}

void config_leave(struct config_context *ctx)
{
	assert(ctx->depth);
	ctx->depth--;
}

static yaml_node_t *node_step(yaml_document_t *document, yaml_node_t *node, struct config_step step)
{
	yaml_node_pair_t *pair;
	yaml_node_t *key;

	if (!step.key) {
		if (node->type != YAML_SEQUENCE_NODE ||
		    step.index >= (size_t)(node->data.sequence.items.top - node->data.sequence.items.start))
			return NULL;
		return yaml_document_get_node(document, node->data.sequence.items.start[step.index]);
	}
	if (node->type != YAML_MAPPING_NODE)
		return NULL;
	for (pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
		key = yaml_document_get_node(document, pair->key);
		if (key->type == YAML_SCALAR_NODE &&
		    strcmp((const char *)key->data.scalar.value, step.key) == 0)
			return yaml_document_get_node(document, pair->value);
	}
	return NULL;
}

/* The deepest node of the path that is there; *ret_whole says whether it is the path's end. */
static yaml_node_t *node_deepest(struct config_context *ctx, bool *ret_whole)
{
	yaml_node_t *node, *next;

	*ret_whole = false;
	if (!ctx->document)
		return NULL;
	node = yaml_document_get_root_node(ctx->document);
	for (uint32_t i = 0; node && i < ctx->depth; i++) {
		next = node_step(ctx->document, node, ctx->path[i]);
		if (!next)
			return node;
		node = next;
	}
	*ret_whole = true;
	return node;
}

yaml_node_t *config_node(struct config_context *ctx)
{
	bool whole;
	yaml_node_t *node = node_deepest(ctx, &whole);

	return whole ? node : NULL;
}

static void path_print(const struct config_context *ctx, FILE *to)
{
	for (uint32_t i = 0; i < ctx->depth; i++) {
		if (ctx->path[i].key)
			fprintf(to, "%s%s", i ? "." : "", ctx->path[i].key);
		else
			fprintf(to, "[%u]", ctx->path[i].index);
	}
	if (ctx->depth)
		fputs(": ", to);
}

static void message_add(struct config_context *ctx, const yaml_mark_t *mark, const char *fmt, va_list ap)
{
	struct config_message *message;
	char *text = NULL;
	size_t length;
	FILE *to;

	if (ctx->message_count == CONFIG_ERRORS_MAX) {
		ctx->more++;
		return;
	}
	message = &ctx->messages[ctx->message_count++];
	*message = (struct config_message){.order = ctx->message_count};
	to = open_memstream(&text, &length);
	if (!to)
		return;
	message->line = mark ? mark->line + 1 : 1;
	message->column = mark ? mark->column + 1 : 1;
	fprintf(to, "%zu:%zu: ", message->line, message->column);
	path_print(ctx, to);
	vfprintf(to, fmt, ap);
	if (fclose(to) != 0) {
		free(text);
		text = NULL;
	}
	message->text = text;
}

void config_fail(struct config_context *ctx, const char *fmt, ...)
{
	bool whole;
	yaml_node_t *node = node_deepest(ctx, &whole);
	va_list ap;

	va_start(ap, fmt);
	message_add(ctx, node ? &node->start_mark : NULL, fmt, ap);
	va_end(ap);
}

void config_fail_key(struct config_context *ctx, const char *key, const char *fmt, ...)
{
	bool whole;
	yaml_node_t *node;
	va_list ap;

	config_enter(ctx, key);
	node = node_deepest(ctx, &whole);
	va_start(ap, fmt);
	message_add(ctx, node ? &node->start_mark : NULL, fmt, ap);
	va_end(ap);
	config_leave(ctx);
}

void config_fail_mark(struct config_context *ctx, const yaml_mark_t *mark, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message_add(ctx, mark, fmt, ap);
	va_end(ap);
}

bool config_failed(const struct config_context *ctx)
{
	return ctx->message_count > 0;
}

static int message_compare(const void *a, const void *b)
{
	const struct config_message *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

void config_flush(struct config_context *ctx, struct config_errors *errors)
{
	char *line;

	if (ctx->message_count)
		qsort(ctx->messages, ctx->message_count, sizeof(ctx->messages[0]), message_compare);
	for (uint32_t i = 0; i < ctx->message_count; i++) {
		const char *text = ctx->messages[i].text ?: "1:1: no memory for this message";

		if (errors && errors->count < CONFIG_ERRORS_MAX &&
		    asprintf(&line, "%s:%s", ctx->file, text) >= 0)
			errors->lines[errors->count++] = line;
		free(ctx->messages[i].text);
	}
	if (errors)
		errors->more += ctx->more;
	ctx->message_count = 0;
	ctx->more = 0;
}

const char *config_quote(const char *text)
{
	static _Thread_local char ring[4][80];
	static _Thread_local unsigned int turn;
	char *to = ring[turn++ % 4];
	size_t length = strlen(text), kept = length > 64 ? 61 : length;

	while (kept < length && kept && ((unsigned char)text[kept] & 0xc0) == 0x80)
		kept--; /* not within a UTF-8 sequence */
	to[0] = '"';
	for (size_t i = 0; i < kept; i++)
		to[1 + i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
	strcpy(to + 1 + kept, kept < length ? "...\"" : "\"");
	return to;
}
