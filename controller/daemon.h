/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_DAEMON_H
#define EBB_DAEMON_H
/*
 * daemon: one edge host's controller: puts configuration, model, probes, next hops, data plane and control socket
 * on one libev loop. One thread.
 *
 * Whatever goes wrong here stops the daemon at most, never the forwarding: maps, program and links are pinned.
 */
#include <ev.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/audit.h"
#include "controller/config.h"
#include "controller/control.h"
#include "controller/dataplane.h"
#include "controller/err.h"
#include "controller/history.h"
#include "controller/live.h"
#include "controller/model.h"
#include "controller/nexthop.h"
#include "controller/probe.h"
#include "controller/publish.h"
#include "controller/reports.h"
#include "controller/sandboxes.h"
#include "controller/shifts.h"
#include "controller/show.h"
#include "controller/signals.h"
#include "controller/suspect.h"
#include "controller/web.h"

struct daemon_options {
	const char *config_path, *bpffs_dir, *run_dir, *state_dir;
};

struct daemon_ticks {
	uint64_t count;
	double last_s, max_s; /* how long a tick took */
};

/* How the program sits on an interface. */
struct attachment {
	bool native;
	char why[512]; /* it is generic where the configuration says `auto`; else empty */
};

struct daemon {
	struct daemon_options options;
	struct ev_loop *loop;
	struct config *config;
	struct model *model;
	struct dataplane *dataplane;
	struct publish *publish;
	struct sandboxes *sandboxes;
	struct signals *signals;
	struct suspects *suspects;
	struct mono_ns signals_read;
	struct probe *probe;
	struct reports *reports;
	struct nexthops *nexthops;
	struct control *control;
	struct history *history;
	struct audit *audit; /* NULL: there is no file */
	struct web *web; /* metrics and status page */
	struct shifts shifts;
	struct live *live;
	struct mono_ns shifts_ticked, shifts_saved, live_ticked;
	json_t *state; /* as in state.json */
	bool told; /* an agent said another state since that was saved */
	int lock_fd;
	bool ending; /* the data plane may be closed: touch nothing */
	struct mono_ns started;
	char loaded_at[32];	/* wall time of the configuration in force */
	char reload_error[512]; /* of the last reload; empty: it went well */
	struct attachment *attachments; /* one an interface of the configuration */
	char state_error[512];	/* why the state could not be saved the last time; empty: it could */
	struct daemon_ticks ticks;
	struct mono_ns ticked;
	ev_timer tick;
	ev_signal on_hup, on_term, on_int;
};

/* Everything up to a loop that can run. What went wrong is said on stderr and in `err`. */
EBB_MUST_CHECK int daemon_start(struct daemon *d, const struct daemon_options *options,
				struct err *err);
/* Until SIGTERM, SIGINT or `ebb detach`. */
void daemon_run(struct daemon *d);
/* Also of one that did not start wholly. Forwarding stays. */
void daemon_stop(struct daemon *d);

/* Brings the data plane to what the model says now. After each tick and after an operator's wish. */
void daemon_publish(struct daemon *d);
/* One tick and its publish at once, so that a wish shows in the reply. */
void daemon_tick_now(struct daemon *d);
EBB_MUST_CHECK int daemon_save_state(struct daemon *d, struct err *err);
/* Starts probes and next hops of what the model holds; forgets what it does not hold (former may be NULL). */
EBB_MUST_CHECK int daemon_follow(struct daemon *d, const struct model *former, struct err *err);
EBB_MUST_CHECK int daemon_attach(struct daemon *d, const struct config *config,
				 struct attachment *ret_attachments, struct err *err);
/* An event to log, history and monitors. `event` is borrowed. */
void daemon_event(struct daemon *d, enum model_event_kind kind, json_t *event, const char *line);
/* daemon_prepare.c: configuration, directories, lock, state and history, before the data plane is touched. */
EBB_MUST_CHECK int daemon_prepare(struct daemon *d, struct err *err);
/* daemon_events.c: what the model, shifts and sandboxes tell; `ctx` is the daemon. */
void daemon_model_event(void *ctx, const struct model_event *event);
void daemon_shift_event(void *ctx, const struct shifts_entry *e, const struct shift_record *record);
void daemon_sandbox_event(void *ctx, enum sandbox_change change, const struct sandboxes_entry *entry);
void daemon_wanted_event(void *ctx, const struct shifts_entry *shift, const struct sandbox_key *key, uint32_t from,
			 uint32_t to);
uint64_t daemon_boot_ns(void);
/* Now as "2026-01-02T03:04:05.678Z"; `to` holds 32 bytes. */
char *daemon_time(char *to);

/*
 * reload.c: the file as it is now against the model in force.
 * All or nothing: on an error nothing has changed. `force`: also if over half of a pool's capacity goes. *ret_diff (may
 * be NULL): what changed, as docs/control.md says.
 */
EBB_MUST_CHECK int daemon_reload(struct daemon *d, bool force, json_t **ret_diff, struct err *err);
EBB_MUST_CHECK int daemon_diff(struct daemon *d, json_t **ret_diff, struct err *err);

/* commands.c: the control socket's methods. */
EBB_MUST_CHECK int commands_register(struct daemon *d);
/* commands_sandbox.c: sandbox.* */
EBB_MUST_CHECK int commands_sandbox_register(struct daemon *d);
/* commands_shift.c: shift.* */
EBB_MUST_CHECK int commands_shift_register(struct daemon *d);

#endif
