// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * topology: a fleet by numbers, as the text of a configuration, so that it is checked as any other is. Provider k is "pK",
 * its regions "pK/rN"; regions are numbered over all providers, and so are backends, "bN", over all regions.
 */
#include <stdio.h>
#include <stdlib.h>

#include "controller/namehash.h"
#include "controller/sim/scenario.h"

static int digits(uint32_t most)
{
	int n = 1;

	for (; most >= 10; most /= 10)
		n++;
	return n;
}

/* Shares `all` things over `parts`: where part `i` begins. */
static uint32_t begin_of(uint32_t all, uint32_t parts, uint32_t i)
{
	return (uint32_t)((uint64_t)all * i / parts);
}

static double capacity_of(const struct topology *t, uint32_t backend)
{
	double chance = (double)(hash_mix(t->seed + backend * 0x9e3779b97f4a7c15u) >> 11) * 0x1p-53;

	return t->capacity * (1 + t->spread * (2 * chance - 1));
}

static void print_region(const struct topology *t, uint32_t region, FILE *to)
{
	uint32_t last = begin_of(t->backends, t->regions, region + 1);

	fprintf(to, "      - name: r%0*u\n        backends:\n", digits(t->regions), region + 1);
	for (uint32_t i = begin_of(t->backends, t->regions, region); i < last; i++)
		fprintf(to, "          - {name: b%0*u, address: 10.%u.%u.%u, capacity: %.3f}\n",
			digits(t->backends), i + 1, i >> 16, i >> 8 & 255, i & 255, capacity_of(t, i));
}

static void print_providers(const struct topology *t, FILE *to)
{
	fputs("providers:\n", to);
	for (uint32_t p = 0; p < t->providers; p++) {
		fprintf(to, "  - name: p%0*u\n    regions:\n", digits(t->providers), p + 1);
		for (uint32_t r = begin_of(t->regions, t->providers, p);
		     r < begin_of(t->regions, t->providers, p + 1); r++)
			print_region(t, r, to);
	}
}

/* Pool k has every pools'th region; tiers are of whole providers. */
static void print_tier(const struct topology *t, uint32_t pool, uint32_t tier, FILE *to)
{
	const char *between = "";

	fputs("[", to);
	for (uint32_t p = begin_of(t->providers, t->tiers, tier);
	     p < begin_of(t->providers, t->tiers, tier + 1); p++)
		for (uint32_t r = begin_of(t->regions, t->providers, p);
		     r < begin_of(t->regions, t->providers, p + 1); r++) {
			if (r % t->pools != pool)
				continue;
			fprintf(to, "%sp%0*u/r%0*u", between, digits(t->providers), p + 1,
				digits(t->regions), r + 1);
			between = ", ";
		}
	fputs("]", to);
}

char *topology_text(const struct topology *t)
{
	char *text = NULL;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	if (!to)
		return NULL;
	fputs("edge:\n  name: simulated\n  interfaces: [{name: eth0}]\n  hash_seed: 0x5eed5eed5eed5eed\n"
	      "health:\n  probe: {type: http, port: 80}\n", to);
	print_providers(t, to);
	fputs("pools:\n", to);
	for (uint32_t k = 0; k < t->pools; k++) {
		fprintf(to, "  - name: pool%0*u\n    slots: %u\n    tiers: [", digits(t->pools), k + 1, t->slots);
		for (uint32_t i = 0; i < t->tiers; i++) {
			fputs(i ? ", " : "", to);
			print_tier(t, k, i, to);
		}
		fputs("]\n", to);
	}
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}
