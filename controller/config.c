// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * config: from a path to a checked configuration, or to what is wrong with it. The stages, in order:
 *   config_yaml.c     bytes: valid YAML without tricks, in the schema's shape (config_schema.c), then libcyaml
 *   config_edge.c, config_health.c, config_build.c, config_service.c     text to values, with defaults (config_scalar.c)
 *   config_check.c    what can only be judged over the whole
 * A stage runs only if the stages before it found nothing; each reports all that it finds.
 */
#include "controller/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/config_build.h"
#include "controller/config_yaml.h"

static int build(struct config_context *ctx, const struct raw_config *raw)
{
	int r;

	if (!config_check_counts(ctx, raw))
		return -EINVAL;
	r = config_build_edge(ctx, raw);
	if (r == 0)
		r = config_build_health(ctx, raw);
	if (r == 0)
		r = config_build_backends(ctx, raw);
	if (r == 0)
		r = config_build_pools(ctx, raw);
	if (r == 0)
		r = config_build_services(ctx, raw);
	if (r == 0)
		r = config_check(ctx);
	if (r == 0 && config_failed(ctx))
		r = -EINVAL;
	return r;
}

static int load_document(struct config_context *ctx, const char *bytes, size_t length)
{
	void *raw = NULL;
	yaml_document_t document;
	int r;

	if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
		bytes += 3;
		length -= 3;
	}
	r = config_yaml_parse(ctx, bytes, length, &config_yaml_config, &document);
	if (r == 0)
		r = config_yaml_load(ctx, bytes, length, &config_yaml_config, &raw);
	if (r == 0)
		r = build(ctx, raw);
	config_yaml_free(&config_yaml_config, raw);
	if (ctx->document)
		yaml_document_delete(ctx->document);
	ctx->document = NULL;
	return r;
}

int config_load_bytes(const char *name, const char *bytes, size_t length,
		      struct config_errors *errors, struct config **ret_config)
{
	struct config_context ctx = {.file = name, .arena = arena_new()};
	int r = -ENOMEM;

	if (ctx.arena)
		ctx.config = arena_alloc(ctx.arena, 1, sizeof(*ctx.config));
	if (length > CONFIG_BYTES_MAX) {
		config_fail_mark(&ctx, NULL, "larger than %d MiB, the most that is allowed",
				 CONFIG_BYTES_MAX >> 20);
		r = -EFBIG;
	} else if (ctx.config) {
		ctx.config->memory = ctx.arena;
		r = load_document(&ctx, bytes, length);
	}
	if (r == -ENOMEM)
		config_fail_mark(&ctx, NULL, "not enough memory to read it");
	config_flush(&ctx, errors);
	if (r)
		arena_free(ctx.arena);
	else
		*ret_config = ctx.config;
	return r;
}

/* Reads at most CONFIG_BYTES_MAX + 1 bytes, whatever the file says about its size. */
static int read_all(int fd, char **ret_bytes, size_t *ret_length)
{
	size_t length = 0, capacity = 64 * 1024;
	char *bytes = malloc(capacity), *more;
	ssize_t n;

	while (bytes) {
		n = read(fd, bytes + length, capacity - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			n = -errno;
			free(bytes);
			return n;
		}
		length += n;
		if (n == 0 || length > CONFIG_BYTES_MAX) {
			*ret_bytes = bytes;
			*ret_length = length;
			return 0;
		}
		if (length < capacity)
			continue;
		more = realloc(bytes, capacity *= 2);
		if (!more)
			free(bytes);
		bytes = more;
	}
	return -ENOMEM;
}

static int read_file(const char *path, char **ret_bytes, size_t *ret_length)
{
	/* Without O_NONBLOCK the open of a named pipe would wait for a writer. */
	int r, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (S_ISDIR(st.st_mode))
		r = -EISDIR;
	else if (!S_ISREG(st.st_mode))
		r = -ENODEV;
	else if (st.st_size > CONFIG_BYTES_MAX)
		r = -EFBIG;
	else
		r = read_all(fd, ret_bytes, ret_length);
	close(fd);
	return r;
}

static const char *read_complaint(int r)
{
	switch (-r) {
	case EISDIR:
		return "is a directory; a file is needed";
	case ENODEV:
		return "is no regular file; one is needed";
	case EFBIG:
		return "larger than 16 MiB, the most that is allowed";
	default:
		return strerror(-r);
	}
}

int config_read(struct config_context *ctx, char **ret_bytes, size_t *ret_length)
{
	int r = read_file(ctx->file, ret_bytes, ret_length);

	static_assert(CONFIG_BYTES_MAX == 16 << 20, "the text of read_complaint()");
	if (r)
		config_fail_mark(ctx, NULL, "%s", read_complaint(r));
	return r;
}

int config_load(const char *path, struct config_errors *errors, struct config **ret_config)
{
	struct config_context ctx = {.file = path};
	char *bytes = NULL;
	size_t length = 0;
	int r = config_read(&ctx, &bytes, &length);

	if (r) {
		config_flush(&ctx, errors);
		return r;
	}
	r = config_load_bytes(path, bytes, length, errors, ret_config);
	free(bytes);
	return r;
}

void config_free(struct config *config)
{
	if (config)
		arena_free(config->memory);
}

void config_errors_print(const struct config_errors *errors, FILE *to)
{
	for (uint32_t i = 0; i < errors->count; i++)
		fprintf(to, "%s\n", errors->lines[i]);
	if (errors->more)
		fprintf(to, "and %u more\n", errors->more);
}

void config_errors_free(struct config_errors *errors)
{
	for (uint32_t i = 0; i < errors->count; i++)
		free(errors->lines[i]);
	*errors = (struct config_errors){0};
}
