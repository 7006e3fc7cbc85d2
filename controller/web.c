// SPDX-License-Identifier: GPL-2.0-or-later
/* web: see web.h. */
#include "controller/web.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/daemon.h"
#include "controller/dataplane_link.h"
#include "controller/http.h"
#include "controller/log.h"
#include "controller/metrics.h"
#include "controller/page.h"

#define WEB_BACKENDS_SHOWN 200
#define WEB_TICKS_MISSED   20	/* that many late and the tick is not running */
#define WEB_TICK_PATIENCE_S 2.0 /* but never less patience than this */

struct web {
	struct daemon *daemon;
	struct http *http;
	char *listening; /* where, as configured */
	struct metrics_histogram ticks;
	struct mono_ns last_tick;
	double started_s; /* wall time */
};

static char *web_metrics(void *ctx, size_t *ret_length)
{
	struct web *web = ctx;
	struct daemon *d = web->daemon;
	struct metrics_source source = {
		.model = d->model,
		.shifts = &d->shifts,
		.dataplane = d->dataplane,
		.sandboxes = d->sandboxes,
		.ticks = &web->ticks,
		.edge = d->config->edge.name,
		.started_s = web->started_s,
		.reload_successful = !d->reload_error[0],
		.probes_suspected = suspects_probed(d->suspects),
		.probes_starved = probe_starved(d->probe),
	};

	return metrics_format(&source, ret_length);
}

/* --- health */

struct web_wanted {
	const char *ifname;
	bool there;
};

static int web_see_link(void *ctx, const struct dataplane_link *link)
{
	struct web_wanted *wanted = ctx;

	wanted->there = wanted->there || (link->ifindex && strcmp(link->ifname, wanted->ifname) == 0);
	return 0;
}

/* By the pins, not by what we once did: somebody may have taken a link away. */
static bool web_attached(const struct daemon *d, const char *ifname)
{
	struct web_wanted wanted = {.ifname = ifname};

	return dataplane_link_each(d->options.bpffs_dir, web_see_link, &wanted, NULL) == 0 && wanted.there;
}

static bool web_healthy(void *ctx, struct err *why)
{
	struct web *web = ctx;
	const struct config *config = web->daemon->config;
	double late_s = mono_seconds_between(web->last_tick, mono_now());

	if (web->daemon->ending) {
		err_set(why, ESHUTDOWN, "detached: nothing is forwarded");
		return false;
	}
	if (late_s > fmax(WEB_TICK_PATIENCE_S, WEB_TICKS_MISSED * config->health.tick_s)) {
		err_set(why, ETIME, "the last tick was %.1f s ago", late_s);
		return false;
	}
	for (uint32_t i = 0; i < config->edge.interface_count; i++) {
		if (!web_attached(web->daemon, config->edge.interfaces[i].name)) {
			err_set(why, ENODEV, "not attached to %s", config->edge.interfaces[i].name);
			return false;
		}
	}
	return true;
}

/* --- the status page */

struct web_rank {
	double health;
	uint32_t backend;
};

static int web_compare(const void *a, const void *b)
{
	const struct web_rank *x = a, *y = b;

	if (x->health != y->health)
		return x->health < y->health ? -1 : 1;
	return x->backend < y->backend ? -1 : x->backend > y->backend;
}

/* The sickest first, then in the configuration's order. */
static json_t *web_backends(const struct show *show)
{
	const struct model *m = show->model;
	struct web_rank *ranks = calloc(m->backend_count + 1, sizeof(*ranks));
	json_t *backends = json_array();

	for (uint32_t i = 0; ranks && i < m->backend_count; i++)
		ranks[i] = (struct web_rank){m->backends[i].health, i};
	if (ranks)
		qsort(ranks, m->backend_count, sizeof(*ranks), web_compare);
	for (uint32_t i = 0; ranks && i < m->backend_count && i < WEB_BACKENDS_SHOWN; i++)
		json_array_append_new(backends, show_backend(show, ranks[i].backend));
	free(ranks);
	return backends;
}

static char *web_page(void *ctx, size_t *ret_length)
{
	struct web *web = ctx;
	struct daemon *d = web->daemon;
	struct show show = {d->model, d->dataplane};
	json_t *status = json_pack("{sssssfsbsososososi}", "edge", d->config->edge.name, "version",
				   EBB_VERSION, "uptime_s", mono_seconds_between(d->started, mono_now()),
				   "frozen", d->model->frozen, "problems", show_problems(&show), "pools",
				   show_pools_brief(&show), "verdicts", show_verdicts(&show), "backends",
				   web_backends(&show), "backends_total", (int)d->model->backend_count);
	char *text = status ? page_format(status, ret_length) : NULL;

	json_decref(status);
	return text;
}

/* --- life */

static void web_listen(struct web *web)
{
	const char *where = web->daemon->config->http_listen;
	const struct http_source source = {web_metrics, web_page, web_healthy, web};
	struct err err = {{0}};

	if (!where)
		return;
	web->listening = strdup(where);
	if (http_new(web->daemon->loop, where, &source, &err, &web->http)) {
		log_error("http", "ok=false error=%s effect=%s", log_quote(err.text),
			  log_quote("no metrics and no status page"));
		web->http = NULL;
	} else {
		log_info("http", "ok=true listen=%s", where);
	}
}

int web_start(struct daemon *daemon, struct web **ret_web)
{
	struct web *web = calloc(1, sizeof(*web));

	if (!web)
		return -ENOMEM;
	web->daemon = daemon;
	web->started_s = (double)time(NULL);
	web->last_tick = mono_now();
	web_listen(web);
	*ret_web = web;
	return 0;
}

void web_follow(struct web *web)
{
	const char *where;

	if (!web)
		return;
	where = web->daemon->config->http_listen;
	if (strcmp(where ? where : "", web->listening ? web->listening : "") == 0)
		return;
	http_free(web->http);
	free(web->listening);
	web->http = NULL;
	web->listening = NULL;
	web_listen(web);
}

void web_tick(struct web *web, double took_s)
{
	if (!web)
		return;
	web->last_tick = mono_now();
	metrics_observe(&web->ticks, took_s);
}

void web_stop(struct web *web)
{
	if (!web)
		return;
	http_free(web->http);
	free(web->listening);
	free(web);
}
