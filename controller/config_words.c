// SPDX-License-Identifier: GPL-2.0-or-later
/* config_words: one line of prose a field, for `ebb config diff`. The words of a file are those that its parser takes. */
#include "controller/config_words.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "controller/config_scalar.h"

static void key_write(FILE *to, const char *key)
{
	fprintf(to, "%s%s ", ftell(to) > 0 ? ", " : "", key);
}

void config_words_text(FILE *to, const char *key, const char *a, const char *b)
{
	if (strcmp(a ?: "", b ?: "") == 0)
		return;
	key_write(to, key);
	fprintf(to, "%s -> %s", a ?: "none", b ?: "none");
}

static void words_unsigned(FILE *to, const char *key, uint64_t a, uint64_t b)
{
	if (a == b)
		return;
	key_write(to, key);
	fprintf(to, "%" PRIu64 " -> %" PRIu64, a, b);
}

static void words_number(FILE *to, const char *key, double a, double b)
{
	if (a == b)
		return;
	key_write(to, key);
	fprintf(to, "%.12g -> %.12g", a, b);
}

static void words_ratio(FILE *to, const char *key, double a, double b)
{
	if (a == b)
		return;
	key_write(to, key);
	fprintf(to, "%.10g%% -> %.10g%%", a * 100, b * 100);
}

static void words_duration(FILE *to, const char *key, double a, double b)
{
	if (a == b)
		return;
	key_write(to, key);
	fprintf(to, "%s -> %s", scalar_print_duration(a), scalar_print_duration(b));
}

static void words_bool(FILE *to, const char *key, bool a, bool b)
{
	config_words_text(to, key, a ? "true" : "false", b ? "true" : "false");
}

/* An address that is not there (has_… false) is NULL. */
static void words_address(FILE *to, const char *key, const struct address *a, const struct address *b)
{
	char text_a[INET6_ADDRSTRLEN], text_b[INET6_ADDRSTRLEN];

	config_words_text(to, key, a ? address_format(a, text_a) : NULL,
			  b ? address_format(b, text_b) : NULL);
}

void config_words_edge(FILE *to, const struct config_edge *a, const struct config_edge *b)
{
	config_words_text(to, "name", a->name, b->name);
	words_address(to, "source.ipv4", a->has_source_ipv4 ? &a->source_ipv4 : NULL,
		      b->has_source_ipv4 ? &b->source_ipv4 : NULL);
	words_address(to, "source.ipv6", a->has_source_ipv6 ? &a->source_ipv6 : NULL,
		      b->has_source_ipv6 ? &b->source_ipv6 : NULL);
	words_unsigned(to, "icmp_rate", a->icmp_rate_pps, b->icmp_rate_pps);
}

/* Sizes that nobody wrote follow the file's contents and are no change. */
void config_words_edge_fixed(FILE *to, const struct config_edge *a, const struct config_edge *b)
{
	if (a->hash_seed != b->hash_seed) {
		key_write(to, "hash_seed");
		fprintf(to, "0x%" PRIx64 " -> 0x%" PRIx64, a->hash_seed, b->hash_seed);
	}
	words_unsigned(to, "flows", a->flows, b->flows);
	if (b->has_backends)
		words_unsigned(to, "backends", a->backends, b->backends);
	if (b->has_slots)
		words_unsigned(to, "slots", a->slots, b->slots);
	words_unsigned(to, "sandboxes", a->sandboxes, b->sandboxes);
}

void config_words_interface(FILE *to, const struct config_interface *a, const struct config_interface *b)
{
	static const char *const modes[CONFIG_XDP__COUNT] = {"auto", "native", "generic"};

	config_words_text(to, "mode", modes[a->mode], modes[b->mode]);
}

static void words_probe(FILE *to, const struct config_probe *a, const struct config_probe *b)
{
	static const char *const types[CONFIG_PROBE__COUNT] = {"none", "tcp", "http", "https"};

	config_words_text(to, "probe.type", types[a->type], types[b->type]);
	words_unsigned(to, "probe.port", a->port, b->port);
	config_words_text(to, "probe.path", a->path, b->path);
	config_words_text(to, "probe.host", a->host, b->host);
	words_duration(to, "probe.interval", a->interval_s, b->interval_s);
	words_duration(to, "probe.timeout", a->timeout_s, b->timeout_s);
	words_unsigned(to, "probe.rise", a->rise, b->rise);
	words_unsigned(to, "probe.fall", a->fall, b->fall);
	words_unsigned(to, "probe.fall_timeouts", a->fall_timeouts, b->fall_timeouts);
}

static void words_report(FILE *to, const struct config_report *a, const struct config_report *b)
{
	config_words_text(to, "report.type", config_report_names[a->type],
			  config_report_names[b->type]);
	words_unsigned(to, "report.port", a->port, b->port);
	config_words_text(to, "report.path", a->path, b->path);
	config_words_text(to, "report.host", a->host, b->host);
	if (strcmp(a->send ?: "", b->send ?: "")) {
		key_write(to, "report.send"); /* ends with a line feed */
		fputs("another text", to);
	}
	words_duration(to, "report.interval", a->interval_s, b->interval_s);
	words_duration(to, "report.timeout", a->timeout_s, b->timeout_s);
}

void config_words_health(FILE *to, const struct config_health *a, const struct config_health *b)
{
	words_duration(to, "tick", a->tick_s, b->tick_s);
	words_duration(to, "observe", a->observe_s, b->observe_s);
	words_duration(to, "down", a->down_s, b->down_s);
	words_duration(to, "up", a->up_s, b->up_s);
	words_number(to, "evidence", a->evidence, b->evidence);
	words_ratio(to, "bad", a->bad, b->bad);
	words_ratio(to, "good", a->good, b->good);
	words_ratio(to, "return_floor", a->return_floor, b->return_floor);
	words_duration(to, "return_jitter", a->return_jitter_s, b->return_jitter_s);
	words_number(to, "flap.penalty", a->flap_penalty, b->flap_penalty);
	words_duration(to, "flap.half_life", a->flap_half_life_s, b->flap_half_life_s);
	words_number(to, "flap.hold", a->flap_hold, b->flap_hold);
	words_number(to, "flap.free", a->flap_free, b->flap_free);
	words_duration(to, "latency.good", a->latency.good_s, b->latency.good_s);
	words_duration(to, "latency.bad", a->latency.bad_s, b->latency.bad_s);
	words_duration(to, "latency.usual", a->latency.usual_s, b->latency.usual_s);
	words_ratio(to, "trial", a->trial, b->trial);
	words_number(to, "handshake_rate", a->handshake_rate, b->handshake_rate);
	words_probe(to, &a->probe, &b->probe);
	words_report(to, &a->report, &b->report);
}

void config_words_weights(FILE *to, const struct config_weights *a, const struct config_weights *b)
{
	words_number(to, "overprovisioning", a->overprovisioning, b->overprovisioning);
	words_ratio(to, "slew.degraded", a->slew_degraded, b->slew_degraded);
	words_ratio(to, "slew.dead", a->slew_dead, b->slew_dead);
	words_ratio(to, "slew.rise", a->slew_rise, b->slew_rise);
	words_ratio(to, "slew.rise_part", a->slew_rise_part, b->slew_rise_part);
	words_ratio(to, "dead_below", a->dead_below, b->dead_below);
	words_ratio(to, "return_above", a->return_above, b->return_above);
	words_duration(to, "return_after", a->return_after_s, b->return_after_s);
	words_ratio(to, "eject.capacity", a->eject_capacity, b->eject_capacity);
	words_ratio(to, "eject.groups", a->eject_groups, b->eject_groups);
	words_ratio(to, "eject.floor", a->eject_floor, b->eject_floor);
	words_duration(to, "panic_hold", a->panic_hold_s, b->panic_hold_s);
	words_duration(to, "panic_clear", a->panic_clear_s, b->panic_clear_s);
	words_ratio(to, "publish.change", a->publish_change, b->publish_change);
	words_duration(to, "publish.after", a->publish_after_s, b->publish_after_s);
}

void config_words_backend(FILE *to, const struct config *config_a, const struct config_backend *a,
			  const struct config *config_b, const struct config_backend *b)
{
	config_words_text(to, "region", config_a->regions[a->region].full_name,
			  config_b->regions[b->region].full_name);
	words_address(to, "address", &a->address, &b->address);
	if (b->id != BACKEND_NONE) /* one that is taken out stays as it is */
		words_unsigned(to, "id", a->id, b->id);
	words_number(to, "capacity", a->capacity, b->capacity);
	words_ratio(to, "weight", a->weight, b->weight);
}

static bool tiers_equal(const struct config *config_a, const struct config_pool *a,
			const struct config *config_b, const struct config_pool *b)
{
	if (a->tier_count != b->tier_count)
		return false;
	for (uint32_t t = 0; t < a->tier_count; t++) {
		if (a->tiers[t].region_count != b->tiers[t].region_count)
			return false;
		for (uint32_t i = 0; i < a->tiers[t].region_count; i++)
			if (strcmp(config_a->regions[a->tiers[t].regions[i]].full_name,
				   config_b->regions[b->tiers[t].regions[i]].full_name) != 0)
				return false;
	}
	return true;
}

static void tiers_write(FILE *to, const struct config *config, const struct config_pool *pool)
{
	fputc('[', to);
	for (uint32_t t = 0; t < pool->tier_count; t++) {
		fputs(t ? ", [" : "[", to);
		for (uint32_t i = 0; i < pool->tiers[t].region_count; i++)
			fprintf(to, "%s%s", i ? ", " : "",
				config->regions[pool->tiers[t].regions[i]].full_name);
		fputc(']', to);
	}
	fputc(']', to);
}

static const char *track_name(const struct config_pool *pool)
{
	static const char *const tracks[TRACK__COUNT] = {"moved", "always", "never"};

	return pool->has_track ? tracks[pool->track] : "by encap";
}

static void words_auto_shift(FILE *to, const struct config_auto_shift *a, const struct config_auto_shift *b)
{
	config_words_text(to, "auto_shift", a->on ? "on" : "off", b->on ? "on" : "off");
	if (!a->on || !b->on)
		return;
	words_ratio(to, "auto_shift.below", a->below, b->below);
	words_duration(to, "auto_shift.after", a->after_s, b->after_s);
	words_ratio(to, "auto_shift.restore_above", a->restore_above, b->restore_above);
	words_duration(to, "auto_shift.restore_after", a->restore_after_s, b->restore_after_s);
	words_duration(to, "auto_shift.cool_down", a->cool_down_s, b->cool_down_s);
	config_words_text(to, "auto_shift.steps", a->steps, b->steps);
	words_duration(to, "auto_shift.bake", a->plan.bake_s, b->plan.bake_s);
	words_duration(to, "auto_shift.ttl", a->plan.ttl_s, b->plan.ttl_s);
	words_duration(to, "auto_shift.patience", a->plan.gate_fail_s, b->plan.gate_fail_s);
}

void config_words_pool(FILE *to, const struct config *config_a, const struct config_pool *a,
		       const struct config *config_b, const struct config_pool *b)
{
	words_unsigned(to, "slots", a->slots, b->slots);
	if (!tiers_equal(config_a, a, config_b, b)) {
		key_write(to, "tiers");
		tiers_write(to, config_a, a);
		fputs(" -> ", to);
		tiers_write(to, config_b, b);
	}
	config_words_text(to, "track", track_name(a), track_name(b));
	words_duration(to, "settle", a->settle_s, b->settle_s);
	words_duration(to, "drain", a->drain_s, b->drain_s);
	words_auto_shift(to, &a->auto_shift, &b->auto_shift);
}

/* "192.0.2.10:443" would be ambiguous in IPv6; so "192.0.2.10 port 443", "192.0.2.10 all ports", "2001:db8::/64". */
static void target_print(const struct config_service *service, char *to, size_t size)
{
	char address[INET6_ADDRSTRLEN];

	address_format(&service->address, address);
	if (service->is_prefix)
		snprintf(to, size, "%s/%u", address, service->prefix_length);
	else if (service->port)
		snprintf(to, size, "%s port %u", address, service->port);
	else
		snprintf(to, size, "%s all ports", address);
}

static const char *protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? "tcp" : protocol == IPPROTO_UDP ? "udp" : "any";
}

void config_words_service(FILE *to, const struct config *config_a, const struct config_service *a,
			  const struct config *config_b, const struct config_service *b)
{
	static const char *const affinities[AFFINITY__COUNT] = {"flow", "source", "sandbox", "quic", "none"};
	static const char *const encaps[ENCAP__COUNT] = {"ipip", "gue", "l2"};
	char target_a[64], target_b[64];

	target_print(a, target_a, sizeof(target_a));
	target_print(b, target_b, sizeof(target_b));
	config_words_text(to, a->is_prefix && b->is_prefix ? "prefix" : "address", target_a, target_b);
	config_words_text(to, "protocol", protocol_name(a->protocol), protocol_name(b->protocol));
	config_words_text(to, "pool", config_a->pools[a->pool].name, config_b->pools[b->pool].name);
	config_words_text(to, "affinity", affinities[a->affinity], affinities[b->affinity]);
	config_words_text(to, "encap", encaps[a->encap], encaps[b->encap]);
	words_unsigned(to, "quic_server_id_length", a->quic_server_id_length, b->quic_server_id_length);
	words_bool(to, "checksum_zero", a->checksum_zero, b->checksum_zero);
	words_bool(to, "sandbox_port", a->sandbox_port, b->sandbox_port);
}
