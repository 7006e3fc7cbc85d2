/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CONFIG_CONTEXT_H
#define EBB_CONFIG_CONTEXT_H
/*
 * config_context: what the stages of config_load() share while one file is read: the document, where in it a
 * stage is at work, and what is wrong so far.
 *
 * A place is a path of keys and indices. It is looked up in the document only when something is wrong there, so that a
 * good file pays nothing for its positions.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <yaml.h>

#include "controller/arena.h"
#include "controller/config.h"
#include "controller/config_schema.h"

#define CONFIG_DEPTH_MAX 16

struct config_step {
	const char *key; /* NULL: `index` of a list */
	uint32_t index;
};

struct config_message {
	size_t line, column; /* from 1; 1:1 is also the file as a whole */
	uint32_t order;	     /* of finding */
	char *text;	     /* "LINE:COLUMN: …" without the file's name */
};

struct config_context {
	const char *file;
	yaml_document_t *document; /* NULL before it is parsed */
	struct config_step path[CONFIG_DEPTH_MAX];
	uint32_t depth;
	struct config_message messages[CONFIG_ERRORS_MAX];
	uint32_t message_count;
	uint32_t more; /* that were not kept */
	struct config *config;
	struct arena *arena;
};

/* The bytes of the file at ctx->file, at most CONFIG_BYTES_MAX; free() them. Else -errno, and a message. */
EBB_MUST_CHECK int config_read(struct config_context *ctx, char **ret_bytes, size_t *ret_length);

/* Go down to a key, to an entry, and back up. */
void config_enter(struct config_context *ctx, const char *key);
void config_enter_index(struct config_context *ctx, uint32_t index);
void config_leave(struct config_context *ctx);

/* Something is wrong at the place; at a key of the place; at a given mark of the file. `mark` NULL: the whole file. */
void config_fail(struct config_context *ctx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void config_fail_key(struct config_context *ctx, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void config_fail_mark(struct config_context *ctx, const yaml_mark_t *mark, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool config_failed(const struct config_context *ctx);

/* The node at the place, or NULL. */
yaml_node_t *config_node(struct config_context *ctx);

/* Moves the messages, ordered by place, to `errors`; frees them if `errors` is NULL. */
void config_flush(struct config_context *ctx, struct config_errors *errors);

/* "text" in double quotes, cut at 64 bytes, control bytes as '?'. From a ring of 4 static buffers. */
const char *config_quote(const char *text);

#endif
