// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_config: any bytes as a configuration. Either there is a whole configuration whose references all hold, or there is
 * at least one message and nothing else; both are freed, so the leak checker sees every error path.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/config.h"
#include "tests/fuzz/fuzz.h"

static void check_health(const struct config_health *health)
{
	must(health->tick_s > 0 && health->observe_s > 0 && health->down_s > 0 && health->up_s > 0);
	must(isfinite(health->down_s) && health->evidence > 0);
	must(0 <= health->bad && health->bad < health->good && health->good <= 1);
	must(health->probe.type == CONFIG_PROBE_NONE || health->probe.port);
	must(health->probe.path && health->probe.path[0] == '/');
	must(health->probe.timeout_s <= health->probe.interval_s);
	must(health->flap_free < health->flap_hold);
}

static void check_backends(const struct config *config)
{
	uint32_t next = 0;

	for (uint32_t r = 0; r < config->region_count; r++) {
		const struct config_region *region = &config->regions[r];

		must(region->provider < config->provider_count && region->first_backend == next);
		for (uint32_t i = 0; i < region->backend_count; i++, next++) {
			must(config->backends[next].region == r);
			must(config->backends[next].capacity > 0);
			must(config->backends[next].weight >= 0 && config->backends[next].weight <= 1);
			must(strlen(config->backends[next].name) <= CONFIG_NAME_MAX);
		}
	}
	must(next == config->backend_count && next < config->edge.backends);
}

static void check_pools(const struct config *config)
{
	uint64_t slots = 0;

	for (uint32_t p = 0; p < config->pool_count; p++) {
		const struct config_pool *pool = &config->pools[p];

		slots += pool->slots;
		must(strlen(pool->name) <= CONFIG_SHORT_NAME_MAX);
		check_health(&pool->health);
		for (uint32_t t = 0; t < pool->tier_count; t++)
			for (uint32_t i = 0; i < pool->tiers[t].region_count; i++)
				must(pool->tiers[t].regions[i] < config->region_count);
	}
	must(slots <= config->edge.slots && config->edge.slots <= SLOTS_MAX);
}

static void check_services(const struct config *config)
{
	struct address masked;

	for (uint32_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];
		unsigned int bits = service->prefix_length;

		must(service->pool < config->pool_count);
		if (!service->is_prefix)
			continue;
		bits += address_is_ipv4(&service->address) ? 96 : 0;
		must(bits <= 128);
		masked = address_mask(&service->address, bits);
		must(address_compare(&masked, &service->address) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct config_errors errors = {0};
	struct config *config = NULL;
	int r = config_load_bytes("f.yaml", (const char *)bytes, length, &errors, &config);

	if (r == 0) {
		must(config && !errors.count);
		must(config->edge.interface_count && config->edge.hash_seed);
		must((config->edge.flows & (config->edge.flows - 1)) == 0);
		check_health(&config->health);
		check_backends(config);
		check_pools(config);
		check_services(config);
	} else {
		must(!config && errors.count);
		for (uint32_t i = 0; i < errors.count; i++)
			must(strncmp(errors.lines[i], "f.yaml:", 7) == 0);
	}
	config_free(config);
	config_errors_free(&errors);
	return 0;
}
