/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_WEB_H
#define EBB_WEB_H
/*
 * web: what the daemon shows by HTTP: joins http.c (the server) with metrics.c and page.c (the texts) and the daemon
 * (the facts). A port that cannot be had costs the pages, never the daemon.
 */
#include "controller/err.h"

struct daemon;
struct web;

/* Makes it and listens as the configuration says. -ENOMEM; a failure to listen is logged and 0. */
EBB_MUST_CHECK int web_start(struct daemon *daemon, struct web **ret_web);
/* After a reload: listens elsewhere if the configuration says so. NULL is fine, here and below. */
void web_follow(struct web *web);
/* After each tick. */
void web_tick(struct web *web, double took_s);
void web_stop(struct web *web);

#endif
