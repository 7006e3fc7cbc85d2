// SPDX-License-Identifier: GPL-2.0-or-later
/* config_health: health and weight settings, the file's defaults and what a pool says otherwise. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "controller/config_build.h"
#include "controller/config_scalar.h"
#include "controller/reports.h"

#define HOUR 3600.0
#define DAY  86400.0
#define RISE_PART 4 /* a group with a quarter of the pool returns by `rise`, a smaller one by less */

const char *const config_report_names[] = {"none", "agent", "json", "json_https"};
static_assert(sizeof(config_report_names) / sizeof(char *) == CONFIG_REPORT__COUNT, "names");

static const struct config_health health_defaults = {
	.tick_s = 0.1,
	.observe_s = 5,
	.down_s = 2.8,
	.up_s = 30,
	.evidence = 5,
	.bad = 0.50,
	.good = 0.95,
	.return_floor = 0.10,
	.return_jitter_s = 2,
	.flap_penalty = 1000,
	.flap_half_life_s = 30,
	.flap_hold = 2000,
	.flap_free = 750,
	.latency = {.good_s = 0.05, .bad_s = 0.25, .usual_s = HOUR},
	.trial = 0.02,
	.handshake_rate = 20,
	.probe = {
		.type = CONFIG_PROBE_NONE,
		.interval_s = 1,
		.timeout_s = 0.5,
		.rise = 2,
		.fall = 3,
		.fall_timeouts = 5,
	},
	.report = {
		.type = CONFIG_REPORT_NONE,
		.interval_s = 2,
		.timeout_s = 1,
	},
};

static const struct config_weights weights_defaults = {
	.overprovisioning = 1.4,
	.slew_degraded = 0.02,
	.slew_dead = 0.20,
	.slew_rise = 0.005,
	.slew_rise_part = RISE_PART * 0.005,
	.dead_below = 0.25,
	.return_above = 0.35,
	.return_after_s = 60,
	.eject_capacity = 0.30,
	.eject_groups = 0.50,
	.eject_floor = 0.10,
	.panic_hold_s = 30,
	.panic_clear_s = 10,
	.publish_change = 0.02,
	.publish_after_s = 10,
};

/* alpha and interval are another way to write `down`: tau = -interval / ln(1 - alpha). */
static void apply_smoothing(struct config_context *ctx, const struct raw_health *raw,
			    struct config_health *health)
{
	double alpha = NAN, interval = NAN, down;

	if (!raw->smoothing)
		return;
	config_enter(ctx, "smoothing");
	if (raw->down)
		config_fail(ctx, "is another way to write `down`; give one of both");
	config_take_ratio(ctx, "alpha", raw->smoothing->alpha, 0.001, 0.999, &alpha);
	config_take_duration(ctx, "interval", raw->smoothing->interval, 0.01, HOUR, &interval);
	down = -interval / log1p(-alpha);
	if (!isnan(down) && (down < 0.01 || down > DAY))
		config_fail(ctx, "gives a `down` of %s; from 10ms to 1d is allowed",
			    scalar_print_duration(down));
	else if (!isnan(down))
		health->down_s = down;
	config_leave(ctx);
}

static void apply_flap(struct config_context *ctx, const struct raw_flap *raw,
		       struct config_health *health)
{
	if (!raw)
		return;
	config_enter(ctx, "flap");
	config_take_number(ctx, "penalty", raw->penalty, 0, 1e6, &health->flap_penalty);
	config_take_duration(ctx, "half_life", raw->half_life, 0.1, DAY, &health->flap_half_life_s);
	config_take_number(ctx, "hold", raw->hold, 1, 1e6, &health->flap_hold);
	config_take_number(ctx, "free", raw->free, 1, 1e6, &health->flap_free);
	if (health->flap_free >= health->flap_hold)
		config_fail(ctx, "`free` (%g) must be below `hold` (%g)", health->flap_free,
			    health->flap_hold);
	config_leave(ctx);
}

static void apply_latency(struct config_context *ctx, const struct raw_latency *raw,
			  struct latency_params *latency)
{
	if (!raw)
		return;
	config_enter(ctx, "latency");
	config_take_duration_or_never(ctx, "good", raw->good, 0.001, 1, &latency->good_s);
	config_take_duration(ctx, "bad", raw->bad, 0.001, LATENCY_MOST_S, &latency->bad_s);
	config_take_duration(ctx, "usual", raw->usual, 1, 30 * DAY, &latency->usual_s);
	if (!isinf(latency->good_s) && latency->good_s >= latency->bad_s)
		config_fail(ctx, "`good` (%s) must be below `bad` (%s)",
			    scalar_print_duration(latency->good_s), scalar_print_duration(latency->bad_s));
	config_leave(ctx);
}

static bool is_http(const struct config_probe *probe)
{
	return probe->type == CONFIG_PROBE_HTTP || probe->type == CONFIG_PROBE_HTTPS;
}

/* What is put into a request line or a header, so no spaces and nothing beyond ASCII. */
static int take_request_text(struct config_context *ctx, const char *key, const char *text, char **value)
{
	if (!text)
		return 0;
	if (strlen(text) > 1024)
		config_fail_key(ctx, key, "is longer than 1024 bytes");
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c <= 0x20 || *c >= 0x7f) {
			config_fail_key(ctx, key, "%s has a space or a byte beyond ASCII",
					config_quote(text));
			break;
		}
	}
	*value = arena_strdup(ctx->arena, text);
	return *value ? 0 : -ENOMEM;
}

static int apply_http(struct config_context *ctx, const struct raw_probe *raw, struct config_probe *probe)
{
	int r = take_request_text(ctx, "path", raw->path, &probe->path);

	if (r == 0)
		r = take_request_text(ctx, "host", raw->host, &probe->host);
	if (r)
		return r;
	if (raw->path && raw->path[0] != '/')
		config_fail_key(ctx, "path", "%s does not start with /", config_quote(raw->path));
	if (raw->host && !raw->host[0])
		config_fail_key(ctx, "host", "is empty");
	if (!is_http(probe) && (raw->path || raw->host))
		config_fail_key(ctx, raw->path ? "path" : "host", "is for probes of type http and https");
	if (!probe->path)
		probe->path = arena_strdup(ctx->arena, "/");
	return probe->path ? 0 : -ENOMEM;
}

static int apply_probe(struct config_context *ctx, const struct raw_probe *raw,
		       struct config_probe *probe)
{
	static const char *const types[] = {"none", "tcp", "http", "https"};
	unsigned int type = probe->type;
	uint32_t port = probe->port;
	int r;

	static_assert(sizeof(types) / sizeof(types[0]) == CONFIG_PROBE__COUNT, "probe types");
	config_take_word(ctx, "type", raw->type, types, CONFIG_PROBE__COUNT, &type);
	probe->type = type;
	config_take_unsigned(ctx, "port", raw->port, 1, 65535, &port);
	probe->port = port;
	config_take_duration(ctx, "interval", raw->interval, 0.01, HOUR, &probe->interval_s);
	config_take_duration(ctx, "timeout", raw->timeout, 0.001, HOUR, &probe->timeout_s);
	config_take_unsigned(ctx, "rise", raw->rise, 1, 1000, &probe->rise);
	config_take_unsigned(ctx, "fall", raw->fall, 1, 1000, &probe->fall);
	config_take_unsigned(ctx, "fall_timeouts", raw->fall_timeouts, 1, 1000, &probe->fall_timeouts);
	r = apply_http(ctx, raw, probe);
	if (probe->type != CONFIG_PROBE_NONE && !probe->port && !raw->port)
		config_fail(ctx, "a probe of type %s needs a `port`", types[probe->type]);
	if (probe->timeout_s > probe->interval_s)
		config_fail_key(ctx, raw->timeout ? "timeout" : "interval",
				"the timeout (%s) must not be longer than the interval (%s)",
				scalar_print_duration(probe->timeout_s),
				scalar_print_duration(probe->interval_s));
	return r;
}

/* A line: the file cannot hold control characters, and agents read up to a line feed. */
static int take_send(struct config_context *ctx, const struct raw_report *raw,
		     struct config_report *report)
{
	size_t length;

	if (!raw->send)
		return 0;
	length = strlen(raw->send);
	if (report->type != CONFIG_REPORT_AGENT)
		config_fail_key(ctx, "send", "is for reports of type agent");
	if (length >= REPORTS_SEND_MAX)
		config_fail_key(ctx, "send", "is longer than %d bytes", REPORTS_SEND_MAX - 1);
	report->send = arena_alloc(ctx->arena, length + 2, 1);
	if (!report->send)
		return -ENOMEM;
	memcpy(report->send, raw->send, length);
	memcpy(report->send + length, "\n", 2);
	return 0;
}

static int apply_report_http(struct config_context *ctx, const struct raw_report *raw,
			     struct config_report *report)
{
	bool json = report->type == CONFIG_REPORT_JSON || report->type == CONFIG_REPORT_JSON_HTTPS;
	int r = take_request_text(ctx, "path", raw->path, &report->path);

	if (r == 0)
		r = take_request_text(ctx, "host", raw->host, &report->host);
	if (r)
		return r;
	if (raw->path && raw->path[0] != '/')
		config_fail_key(ctx, "path", "%s does not start with /", config_quote(raw->path));
	if (raw->host && !raw->host[0])
		config_fail_key(ctx, "host", "is empty");
	if (!json && (raw->path || raw->host))
		config_fail_key(ctx, raw->path ? "path" : "host",
				"is for reports of type json and json_https");
	if (!report->path)
		report->path = arena_strdup(ctx->arena, "/");
	return report->path ? 0 : -ENOMEM;
}

static int apply_report(struct config_context *ctx, const struct raw_report *raw,
			struct config_report *report)
{
	unsigned int type = report->type;
	uint32_t port = report->port;
	int r;

	config_take_word(ctx, "type", raw->type, config_report_names, CONFIG_REPORT__COUNT, &type);
	report->type = type;
	config_take_unsigned(ctx, "port", raw->port, 1, 65535, &port);
	report->port = port;
	config_take_duration(ctx, "interval", raw->interval, 0.1, HOUR, &report->interval_s);
	config_take_duration(ctx, "timeout", raw->timeout, 0.001, HOUR, &report->timeout_s);
	r = apply_report_http(ctx, raw, report);
	if (r == 0)
		r = take_send(ctx, raw, report);
	if (report->type != CONFIG_REPORT_NONE && !report->port && !raw->port)
		config_fail(ctx, "reports of type %s need a `port`", config_report_names[type]);
	if (report->timeout_s > report->interval_s)
		config_fail_key(ctx, raw->timeout ? "timeout" : "interval",
				"the timeout (%s) must not be longer than the interval (%s)",
				scalar_print_duration(report->timeout_s),
				scalar_print_duration(report->interval_s));
	return r;
}

int config_apply_health(struct config_context *ctx, const struct raw_health *raw,
			struct config_health *health)
{
	int r = 0;

	config_take_duration(ctx, "tick", raw->tick, 0.01, 10, &health->tick_s);
	config_take_duration(ctx, "observe", raw->observe, 0.1, HOUR, &health->observe_s);
	config_take_duration(ctx, "down", raw->down, 0.01, DAY, &health->down_s);
	config_take_duration(ctx, "up", raw->up, 0.01, DAY, &health->up_s);
	config_take_number(ctx, "evidence", raw->evidence, 0.001, 1e6, &health->evidence);
	config_take_ratio(ctx, "bad", raw->bad, 0, 1, &health->bad);
	config_take_ratio(ctx, "good", raw->good, 0, 1, &health->good);
	config_take_ratio(ctx, "return_floor", raw->return_floor, 0, 1, &health->return_floor);
	config_take_duration(ctx, "return_jitter", raw->return_jitter, 0, HOUR, &health->return_jitter_s);
	if (health->bad >= health->good)
		config_fail_key(ctx, raw->bad ? "bad" : "good", "`bad` (%g) must be below `good` (%g)",
				health->bad, health->good);
	apply_smoothing(ctx, raw, health);
	config_take_ratio(ctx, "trial", raw->trial, 0, 1, &health->trial);
	config_take_number(ctx, "handshake_rate", raw->handshake_rate, 0.1, 1e6, &health->handshake_rate);
	apply_flap(ctx, raw->flap, health);
	apply_latency(ctx, raw->latency, &health->latency);
	if (raw->probe) {
		config_enter(ctx, "probe");
		r = apply_probe(ctx, raw->probe, &health->probe);
		config_leave(ctx);
	}
	if (r == 0 && raw->report) {
		config_enter(ctx, "report");
		r = apply_report(ctx, raw->report, &health->report);
		config_leave(ctx);
	}
	return r;
}

static bool text_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool probe_equal(const struct config_probe *a, const struct config_probe *b)
{
	return a->type == b->type && a->port == b->port && text_equal(a->path, b->path) &&
	       text_equal(a->host, b->host) && a->interval_s == b->interval_s &&
	       a->timeout_s == b->timeout_s && a->rise == b->rise && a->fall == b->fall &&
	       a->fall_timeouts == b->fall_timeouts;
}

static bool report_equal(const struct config_report *a, const struct config_report *b)
{
	return a->type == b->type && a->port == b->port && text_equal(a->path, b->path) &&
	       text_equal(a->host, b->host) && text_equal(a->send, b->send) &&
	       a->interval_s == b->interval_s && a->timeout_s == b->timeout_s;
}

bool config_health_equal(const struct config_health *a, const struct config_health *b)
{
	return a->tick_s == b->tick_s && a->observe_s == b->observe_s && a->down_s == b->down_s &&
	       a->up_s == b->up_s && a->evidence == b->evidence && a->bad == b->bad &&
	       a->good == b->good && a->return_floor == b->return_floor &&
	       a->return_jitter_s == b->return_jitter_s &&
	       a->flap_penalty == b->flap_penalty && a->flap_half_life_s == b->flap_half_life_s &&
	       a->flap_hold == b->flap_hold && a->flap_free == b->flap_free &&
	       a->latency.good_s == b->latency.good_s && a->latency.bad_s == b->latency.bad_s &&
	       a->latency.usual_s == b->latency.usual_s && a->trial == b->trial &&
	       a->handshake_rate == b->handshake_rate &&
	       probe_equal(&a->probe, &b->probe) && report_equal(&a->report, &b->report);
}

static void apply_slew(struct config_context *ctx, const struct raw_slew *raw,
		       struct config_weights *weights)
{
	if (!raw)
		return;
	config_enter(ctx, "slew");
	config_take_ratio(ctx, "degraded", raw->degraded, 0.0001, 10, &weights->slew_degraded);
	config_take_ratio(ctx, "dead", raw->dead, 0.0001, 10, &weights->slew_dead);
	config_take_ratio(ctx, "rise", raw->rise, 0.0001, 10, &weights->slew_rise);
	if (raw->rise) /* whoever wants faster returns wants them of small groups too */
		weights->slew_rise_part = RISE_PART * weights->slew_rise;
	config_take_ratio(ctx, "rise_part", raw->rise_part, 0.0001, 10, &weights->slew_rise_part);
	config_leave(ctx);
}

static void apply_eject(struct config_context *ctx, const struct raw_eject *raw,
			struct config_weights *weights)
{
	if (!raw)
		return;
	config_enter(ctx, "eject");
	config_take_ratio(ctx, "capacity", raw->capacity, 0, 1, &weights->eject_capacity);
	config_take_ratio(ctx, "groups", raw->groups, 0, 1, &weights->eject_groups);
	config_take_ratio(ctx, "floor", raw->floor, 0, 1, &weights->eject_floor);
	config_leave(ctx);
}

static void apply_publish(struct config_context *ctx, const struct raw_publish *raw,
			  struct config_weights *weights)
{
	if (!raw)
		return;
	config_enter(ctx, "publish");
	config_take_ratio(ctx, "change", raw->change, 0, 1, &weights->publish_change);
	config_take_duration(ctx, "after", raw->after, 0.01, HOUR, &weights->publish_after_s);
	config_leave(ctx);
}

void config_apply_weights(struct config_context *ctx, const struct raw_weights *raw,
			  struct config_weights *weights)
{
	config_take_number(ctx, "overprovisioning", raw->overprovisioning, 1, 100,
			   &weights->overprovisioning);
	config_take_ratio(ctx, "dead_below", raw->dead_below, 0, 1, &weights->dead_below);
	config_take_ratio(ctx, "return_above", raw->return_above, 0, 1, &weights->return_above);
	config_take_duration(ctx, "return_after", raw->return_after, 0.1, DAY, &weights->return_after_s);
	config_take_duration(ctx, "panic_hold", raw->panic_hold, 0.1, DAY, &weights->panic_hold_s);
	config_take_duration(ctx, "panic_clear", raw->panic_clear, 0.1, DAY, &weights->panic_clear_s);
	if (weights->dead_below >= weights->return_above)
		config_fail_key(ctx, raw->dead_below ? "dead_below" : "return_above",
				"`dead_below` (%g) must be below `return_above` (%g)",
				weights->dead_below, weights->return_above);
	apply_slew(ctx, raw->slew, weights);
	apply_eject(ctx, raw->eject, weights);
	apply_publish(ctx, raw->publish, weights);
}

int config_build_health(struct config_context *ctx, const struct raw_config *raw)
{
	struct config *config = ctx->config;
	int r = 0;

	config->health = health_defaults;
	config->weights = weights_defaults;
	config->health.probe.path = arena_strdup(ctx->arena, "/");
	if (!config->health.probe.path)
		return -ENOMEM;
	if (raw->health) {
		config_enter(ctx, "health");
		r = config_apply_health(ctx, raw->health, &config->health);
		config_leave(ctx);
	}
	if (raw->weights) {
		config_enter(ctx, "weights");
		config_apply_weights(ctx, raw->weights, &config->weights);
		config_leave(ctx);
	}
	return r;
}
