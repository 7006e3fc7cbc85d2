// SPDX-License-Identifier: GPL-2.0-or-later
/* See svg_layers.h. */
#include "controller/sim/svg_layers.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OTHERS_COLOUR "#9aa3ad"

/* A hue a provider: told apart on light and dark ground, and by most who see colours differently. */
static const unsigned char hues[][3] = {
	{0x3b, 0x7d, 0xc4}, {0xe0, 0x8a, 0x2e}, {0x3a, 0x9d, 0x7a}, {0xc2, 0x5b, 0x8a}, {0x8a, 0x6f, 0xc0},
	{0x8f, 0xa5, 0x3a}, {0xc9, 0x5c, 0x4a}, {0x3f, 0xa5, 0xb8}, {0xb0, 0x8d, 0x57}, {0x6a, 0x7f, 0x94},
};
#define HUES (sizeof(hues) / sizeof(hues[0]))

static size_t provider_length(const char *group)
{
	const char *slash = strchr(group, '/');

	return slash ? (size_t)(slash - group) : strlen(group);
}

static bool same_provider(const char *a, const char *b)
{
	size_t n = provider_length(a);

	return n == provider_length(b) && !strncmp(a, b, n);
}

/* The provider of group `g`, as the order in which providers come. */
static uint32_t provider_of(const struct sim_pool *pool, uint32_t g)
{
	uint32_t number = 0;

	for (uint32_t i = 0; i < g; i++) {
		bool first = true;

		if (same_provider(pool->groups[i].name, pool->groups[g].name))
			return provider_of(pool, i);
		for (uint32_t k = 0; first && k < i; k++)
			first = !same_provider(pool->groups[k].name, pool->groups[i].name);
		number += first;
	}
	return number;
}

/* The layer that group `g` belongs to, if it is made already. */
static uint32_t find_layer(const struct layers *l, const struct sim_pool *pool, uint32_t g, bool fold)
{
	for (uint32_t i = 0; fold && i < g; i++)
		if (pool->groups[i].hurt == pool->groups[g].hurt &&
		    same_provider(pool->groups[i].name, pool->groups[g].name))
			return l->of[i];
	return UINT32_MAX;
}

static void name_folded(struct layer *layer, const char *group, uint32_t of_provider)
{
	int n = (int)provider_length(group);

	if (layer->groups == 1)
		return;
	if (layer->groups == of_provider)
		snprintf(layer->name, sizeof(layer->name), "%.*s (%u regions)", n, group, layer->groups);
	else
		snprintf(layer->name, sizeof(layer->name), "%.*s: %s%u regions", n, group,
			 layer->hurt ? "" : "other ", layer->groups);
}

static int make_layers(const struct sim *sim, const struct sim_pool *pool, bool fold, struct layers *l)
{
	for (uint32_t g = 0; g < pool->group_count; g++) {
		const struct sim_group *group = &pool->groups[g];
		uint32_t at = find_layer(l, pool, g, fold);
		struct layer *layer;

		if (at == UINT32_MAX) {
			at = l->count++;
			l->list[at] = (struct layer){.tier = group->tier, .hurt = group->hurt,
						     .provider = provider_of(pool, g),
						     .shares = calloc(sim->sample_count, sizeof(float))};
			snprintf(l->list[at].name, sizeof(l->list[at].name), "%.90s", group->name);
			if (!l->list[at].shares)
				return -ENOMEM;
		}
		layer = &l->list[at];
		l->of[g] = at;
		layer->groups++;
		for (uint32_t i = 0; i < sim->sample_count; i++)
			layer->shares[i] += group->shares[i];
	}
	return 0;
}

static void name_layers(const struct sim_pool *pool, struct layers *l)
{
	for (uint32_t g = 0; g < pool->group_count; g++) {
		uint32_t all = 0;

		for (uint32_t k = 0; k < pool->group_count; k++)
			all += same_provider(pool->groups[k].name, pool->groups[g].name);
		name_folded(&l->list[l->of[g]], pool->groups[g].name, all);
	}
}

/* --- too many still */

static double range_of(const struct sim *sim, const struct layer *layer)
{
	double least = 1, most = 0;

	for (uint32_t i = 0; i < sim->sample_count; i++) {
		least = fmin(least, layer->shares[i]);
		most = fmax(most, layer->shares[i]);
	}
	return most - least + (layer->hurt ? 1 : 0);
}

static void merge(const struct sim *sim, const struct sim_pool *pool, struct layers *l, uint32_t from, uint32_t into)
{
	struct layer *a = &l->list[into], *b = &l->list[from];

	for (uint32_t i = 0; i < sim->sample_count; i++)
		a->shares[i] += b->shares[i];
	a->groups += b->groups;
	a->tier = a->tier < b->tier ? a->tier : b->tier;
	a->hurt &= b->hurt;
	a->others = true;
	snprintf(a->name, sizeof(a->name), "others (%u regions)", a->groups);
	free(b->shares);
	for (uint32_t g = 0; g < pool->group_count; g++)
		l->of[g] = l->of[g] == from ? into : l->of[g] > from ? l->of[g] - 1 : l->of[g];
	memmove(b, b + 1, (l->count - from - 1) * sizeof(*b));
	l->count--;
}

/* The layer other than `not` that moves least. */
static uint32_t calmest(const struct sim *sim, const struct layers *l, uint32_t not)
{
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < l->count; i++)
		if (i != not &&
		    (best == UINT32_MAX || range_of(sim, &l->list[i]) < range_of(sim, &l->list[best])))
			best = i;
	return best;
}

static void fold_others(const struct sim *sim, const struct sim_pool *pool, struct layers *l)
{
	while (l->count > LAYERS_MAX) {
		uint32_t others = 0, next;

		while (others < l->count && !l->list[others].others)
			others++;
		if (others == l->count)
			others = calmest(sim, l, UINT32_MAX);
		next = calmest(sim, l, others);
		merge(sim, pool, l, next > others ? next : others, next > others ? others : next);
	}
}

/* --- order and colours */

static bool below(const struct layer *a, const struct layer *b)
{
	if (a->others != b->others)
		return a->others;
	if (a->tier != b->tier)
		return a->tier < b->tier;
	if (a->provider != b->provider)
		return a->provider < b->provider;
	return !a->hurt && b->hurt;
}

/* Stable; few. */
static void order(const struct sim_pool *pool, struct layers *l)
{
	for (uint32_t i = 1; i < l->count; i++)
		for (uint32_t k = i; k > 0 && below(&l->list[k], &l->list[k - 1]); k--) {
			struct layer swap = l->list[k];

			l->list[k] = l->list[k - 1];
			l->list[k - 1] = swap;
			for (uint32_t g = 0; g < pool->group_count; g++)
				l->of[g] = l->of[g] == k ? k - 1 : l->of[g] == k - 1 ? k : l->of[g];
		}
}

/* One hue a provider; where there is only one, one a group. Regions of a provider differ in lightness. */
static void colour(struct layers *l)
{
	uint32_t providers = 0;

	for (uint32_t i = 0; i < l->count; i++)
		providers = l->list[i].provider + 1 > providers ? l->list[i].provider + 1 : providers;
	for (uint32_t i = 0; i < l->count; i++) {
		struct layer *layer = &l->list[i];
		uint32_t siblings = 0, number = 0;
		const unsigned char *hue;
		double light;

		for (uint32_t k = 0; providers > 1 && k < l->count; k++)
			if (l->list[k].provider == layer->provider && !l->list[k].others) {
				number += k < i;
				siblings++;
			}
		hue = hues[(providers > 1 ? layer->provider : i) % HUES];
		light = siblings > 1 ? 0.45 * number / (siblings - 1) : 0;
		snprintf(layer->colour, sizeof(layer->colour), "#%02x%02x%02x",
			 (unsigned)(hue[0] + light * (255 - hue[0])), (unsigned)(hue[1] + light * (255 - hue[1])),
			 (unsigned)(hue[2] + light * (255 - hue[2])));
		if (layer->others)
			memcpy(layer->colour, OTHERS_COLOUR, sizeof(layer->colour));
	}
}

int layers_new(const struct sim *sim, const struct sim_pool *pool, struct layers *l)
{
	*l = (struct layers){.list = calloc(pool->group_count + 1, sizeof(*l->list)),
			     .of = calloc(pool->group_count + 1, sizeof(*l->of))};
	if (!l->list || !l->of ||
	    make_layers(sim, pool, pool->group_count > LAYERS_MAX, l)) {
		layers_free(l);
		return -ENOMEM;
	}
	name_layers(pool, l);
	fold_others(sim, pool, l);
	order(pool, l);
	colour(l);
	return 0;
}

void layers_free(struct layers *l)
{
	for (uint32_t i = 0; l->list && i < l->count; i++)
		free(l->list[i].shares);
	free(l->list);
	free(l->of);
	*l = (struct layers){0};
}
