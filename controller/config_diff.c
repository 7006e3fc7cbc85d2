// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * config_diff: matches the things of two configurations by name and asks config_words.c how those that are in both differ.
 * Names are found by bisection, so that 10,000 backends against 10,000 cost no quadratic time.
 */
#include "controller/config_diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/arena.h"
#include "controller/config_build.h"
#include "controller/config_words.h"

const char *const config_change_names[] = {"added", "removed", "changed"};
static_assert(sizeof(config_change_names) / sizeof(config_change_names[0]) == CONFIG_CHANGE__COUNT,
	      "a name for each change");

static int change_add(struct config_diff *diff, struct config_change change)
{
	struct config_change *more;

	if (diff->count == diff->capacity) {
		diff->capacity = diff->capacity ? 2 * diff->capacity : 16;
		more = reallocarray(diff->changes, diff->capacity, sizeof(*more));
		if (!more)
			return -ENOMEM;
		diff->changes = more;
	}
	change.name = arena_strdup(diff->arena, change.name);
	change.detail = arena_strdup(diff->arena, change.detail ?: "");
	if (!change.name || !change.detail)
		return -ENOMEM;
	diff->changes[diff->count++] = change;
	return 0;
}

/* One kind of things with names, in both configurations. */
struct kind {
	const char *kind;
	size_t size, name_offset;
	const void *old_things, *new_things;
	uint32_t old_count, new_count;
	void (*words)(FILE *to, const struct config *old, const void *a, const struct config *new,
		      const void *b);
};

static const char *name_of(const struct kind *kind, const void *things, uint32_t index)
{
	return *(char *const *)((const char *)things + index * kind->size + kind->name_offset);
}

static int names_collect(const struct kind *kind, const void *things, uint32_t count, struct arena *scratch,
			 struct config_names *ret_names)
{
	struct config_names names = {arena_alloc(scratch, count, sizeof(struct config_name)), count};

	if (!names.by_name)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		names.by_name[i] = (struct config_name){name_of(kind, things, i), i};
	config_names_sort(&names);
	*ret_names = names;
	return 0;
}

/* `words` of both, and if there are any, a change. */
static int change_if_words(struct config_diff *diff, const struct kind *kind, const struct config *old,
			   const void *a, const struct config *new, const void *b, const char *name)
{
	struct config_change change = {CONFIG_CHANGED, kind->kind, name, NULL, false};
	char *detail = NULL;
	size_t length = 0;
	FILE *to = open_memstream(&detail, &length);
	int r = 0;

	if (!to)
		return -ENOMEM;
	kind->words(to, old, a, new, b);
	if (fclose(to) != 0)
		r = -ENOMEM;
	change.detail = detail;
	if (r == 0 && length)
		r = change_add(diff, change);
	free(detail);
	return r;
}

static int diff_kind(struct config_diff *diff, struct arena *scratch, const struct config *old,
		     const struct config *new, const struct kind *kind)
{
	struct config_names old_names, new_names;
	int r = names_collect(kind, kind->old_things, kind->old_count, scratch, &old_names);

	if (r == 0)
		r = names_collect(kind, kind->new_things, kind->new_count, scratch, &new_names);
	for (uint32_t i = 0; r == 0 && i < kind->new_count; i++) {
		const char *name = name_of(kind, kind->new_things, i);
		uint32_t was = config_names_find(&old_names, name);

		if (was == UINT32_MAX)
			r = change_add(diff, (struct config_change){CONFIG_ADDED, kind->kind, name});
		else if (kind->words)
			r = change_if_words(diff, kind, old,
					    (const char *)kind->old_things + was * kind->size, new,
					    (const char *)kind->new_things + i * kind->size, name);
	}
	for (uint32_t i = 0; r == 0 && i < kind->old_count; i++) {
		const char *name = name_of(kind, kind->old_things, i);

		if (config_names_find(&new_names, name) == UINT32_MAX)
			r = change_add(diff, (struct config_change){CONFIG_REMOVED, kind->kind, name});
	}
	return r;
}

static void words_interface(FILE *to, const struct config *old, const void *a, const struct config *new,
			    const void *b)
{
	config_words_interface(to, a, b);
}

static void words_backend(FILE *to, const struct config *old, const void *a, const struct config *new,
			  const void *b)
{
	config_words_backend(to, old, a, new, b);
}

static void words_service(FILE *to, const struct config *old, const void *a, const struct config *new,
			  const void *b)
{
	config_words_service(to, old, a, new, b);
}

static bool weights_equal(const struct config_weights *a, const struct config_weights *b)
{
	return memcmp(a, b, sizeof(*a)) == 0; /* doubles alone, none of them -0 or NaN: no padding */
}

/* Health and weights only where they are the pool's own, before or after. */
static void words_pool(FILE *to, const struct config *old, const void *a, const struct config *new,
		       const void *b)
{
	const struct config_pool *pool_a = a, *pool_b = b;

	config_words_pool(to, old, pool_a, new, pool_b);
	if (!config_health_equal(&pool_a->health, &old->health) ||
	    !config_health_equal(&pool_b->health, &new->health)) {
		struct config_health health = pool_b->health;

		health.tick_s = pool_a->health.tick_s; /* never the pool's own */
		config_words_health(to, &pool_a->health, &health);
	}
	if (!weights_equal(&pool_a->weights, &old->weights) ||
	    !weights_equal(&pool_b->weights, &new->weights))
		config_words_weights(to, &pool_a->weights, &pool_b->weights);
}

static void words_edge(FILE *to, const struct config *old, const void *a, const struct config *new,
		       const void *b)
{
	config_words_edge(to, &old->edge, &new->edge);
}

static void words_edge_fixed(FILE *to, const struct config *old, const void *a, const struct config *new,
			     const void *b)
{
	config_words_edge_fixed(to, &old->edge, &new->edge);
}

static void words_http(FILE *to, const struct config *old, const void *a, const struct config *new,
		       const void *b)
{
	config_words_text(to, "listen", old->http_listen, new->http_listen);
}

static void words_health(FILE *to, const struct config *old, const void *a, const struct config *new,
			 const void *b)
{
	config_words_health(to, &old->health, &new->health);
}

static void words_weights(FILE *to, const struct config *old, const void *a, const struct config *new,
			  const void *b)
{
	config_words_weights(to, &old->weights, &new->weights);
}

/* What there is once in a file. */
static int diff_single(struct config_diff *diff, const struct config *old, const struct config *new,
		       const char *name, const struct kind *kind, bool restart)
{
	uint32_t before = diff->count;
	int r = change_if_words(diff, kind, old, NULL, new, NULL, name);

	if (r == 0 && diff->count > before)
		diff->changes[before].restart = restart;
	return r;
}

static int diff_all(struct config_diff *diff, struct arena *scratch, const struct config *old,
		    const struct config *new)
{
#define KIND(text, in, list, number, member, words)                                                \
	{text, sizeof(*old->in list), offsetof(__typeof__(*old->in list), member),                 \
	 old->in list, new->in list, old->in number, new->in number, words}
	const struct kind kinds[] = {
		KIND("interface", edge., interfaces, interface_count, name, words_interface),
		KIND("region", , regions, region_count, full_name, NULL),
		KIND("pool", , pools, pool_count, name, words_pool),
		KIND("service", , services, service_count, name, words_service),
		KIND("backend", , backends, backend_count, name, words_backend),
	};
#undef KIND
	const struct kind edge = {.kind = "edge", .words = words_edge};
	const struct kind fixed = {.kind = "edge", .words = words_edge_fixed};
	const struct kind http = {.kind = "http", .words = words_http};
	const struct kind health = {.kind = "health", .words = words_health};
	const struct kind weights = {.kind = "weights", .words = words_weights};
	int r = diff_single(diff, old, new, new->edge.name, &edge, false);

	if (r == 0)
		r = diff_single(diff, old, new, new->edge.name, &fixed, true);
	if (r == 0)
		r = diff_kind(diff, scratch, old, new, &kinds[0]);
	if (r == 0)
		r = diff_single(diff, old, new, "listener", &http, false);
	if (r == 0)
		r = diff_single(diff, old, new, "defaults", &health, false);
	if (r == 0)
		r = diff_single(diff, old, new, "defaults", &weights, false);
	for (size_t i = 1; r == 0 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		r = diff_kind(diff, scratch, old, new, &kinds[i]);
	return r;
}

int config_diff_make(const struct config *old, const struct config *new, struct config_diff **ret_diff)
{
	struct config_diff *diff = calloc(1, sizeof(*diff));
	struct arena *scratch = arena_new();
	int r = -ENOMEM;

	if (diff)
		diff->arena = arena_new();
	if (diff && diff->arena && scratch)
		r = diff_all(diff, scratch, old, new);
	arena_free(scratch);
	if (r)
		config_diff_free(diff);
	else
		*ret_diff = diff;
	return r;
}

void config_diff_free(struct config_diff *diff)
{
	if (!diff)
		return;
	free(diff->changes);
	arena_free(diff->arena);
	free(diff);
}
