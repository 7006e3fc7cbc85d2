// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nexthop: see the header.
 *
 *   destination --route--> neighbour (ifindex, gateway) --> MAC        links: by ifindex, for
 * source MAC, MTU, VLAN
 *
 * A notification about a link or a neighbour is applied to what is here, and the destinations
 * behind it are judged again, without asking. One about a route only marks the destinations that it
 * may touch; `work` looks them up, BATCH at a time, after a short pause in which more notifications
 * may come.
 */
#include "controller/nexthop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/nexthop_neighbour.h"
#include "controller/nexthop_netlink.h"

#define DESTINATIONS_MAX (BACKENDS_MAX + 1)
#define LINK_BUCKETS     256
#define BATCH            256  /* route look-ups a loop iteration: some 2 ms */
#define GATHER_S         0.02 /* from the first route notification to the look-ups */
#define KEEP_S           0.25 /* how often neighbours are looked through */
/* More route notifications in one go: all destinations are looked up, which is cheaper than
 * matching. */
#define ROUTE_EVENTS_MAX 64

enum answer {
	ANSWER_PENDING,
	ANSWER_RESOLVED,
	ANSWER_UNRESOLVED,
};

struct link_entry {
	struct nexthop_link link;
	bool seen; /* in the dump under way */
	struct link_entry *next;
};

struct destination {
	uint32_t id;
	struct address address;
	struct nexthop_route route;
	struct neighbour *neighbour; /* NULL: no route */
	struct destination *next_user, **link_user;
	bool dirty;       /* to be looked up */
	enum answer told; /* what the callback knows; PENDING: nothing */
	struct nexthop_result result;
};

struct nexthops {
	struct ev_loop *loop;
	nexthop_change_fn on_change;
	void *ctx;
	struct nexthop_netlink *netlink;
	struct destination *destinations[DESTINATIONS_MAX];
	uint32_t count;       /* highest id in use, plus 1 */
	uint32_t next_lookup; /* `work` goes on here */
	uint32_t dirty_count;
	uint32_t route_events; /* since the last read */
	struct link_entry *links[LINK_BUCKETS];
	struct neighbours neighbours;
	ev_io readable;
	ev_timer work, keep;
};

/* ---- tables ---- */

static struct link_entry *find_link_entry(const struct nexthops *n, uint32_t ifindex)
{
	struct link_entry *e = n->links[ifindex % LINK_BUCKETS];

	while (e && e->link.ifindex != ifindex)
		e = e->next;
	return e;
}

static const struct nexthop_link *find_link(const struct nexthops *n, uint32_t ifindex)
{
	const struct link_entry *e = find_link_entry(n, ifindex);

	return e ? &e->link : NULL;
}

/* ---- judging ---- */

/* What is known now, without asking anybody. */
static enum answer judge(const struct nexthops *n, const struct destination *d,
			 struct nexthop_result *ret_result)
{
	const struct nexthop_link *link = find_link(n, d->route.ifindex);
	const struct neighbour *neighbour = d->neighbour;
	uint16_t mtu;

	if (!neighbour || !link || !link->up || !link->ethernet ||
	    neighbour->state == NEIGHBOUR_FAILED)
		return ANSWER_UNRESOLVED;
	if (link->vlan && !find_link(n, link->parent))
		return ANSWER_UNRESOLVED; /* its parent is in another network namespace */
	if (link->vlan && find_link(n, link->parent)->vlan)
		return ANSWER_UNRESOLVED; /* one tag is all that the data plane can put on */
	if (neighbour->state == NEIGHBOUR_ASKED)
		return ANSWER_PENDING;
	mtu = d->route.mtu_bytes && d->route.mtu_bytes < link->mtu_bytes ? d->route.mtu_bytes
									 : link->mtu_bytes;
	memset(ret_result, 0, sizeof(*ret_result)); /* padding too: results are compared as bytes */
	ret_result->resolved = true;
	ret_result->ifindex = link->vlan ? link->parent : link->ifindex;
	memcpy(ret_result->destination, neighbour->mac, 6);
	memcpy(ret_result->source, link->mac, 6);
	ret_result->vlan = link->vlan;
	ret_result->mtu_bytes = mtu;
	ret_result->source_address = d->route.source;
	return ANSWER_RESOLVED;
}

/* Tells the callback if the answer is another one. */
static void tell(struct nexthops *n, struct destination *d)
{
	struct nexthop_result result = d->result;
	enum answer answer = judge(n, d, &result);

	if (answer == ANSWER_PENDING)
		return;
	result.resolved = answer == ANSWER_RESOLVED;
	if (answer == d->told && !memcmp(&result, &d->result, sizeof(result)))
		return;
	d->told = answer;
	d->result = result;
	n->on_change(n->ctx, d->id, &d->result);
}

static void tell_users(struct nexthops *n, struct neighbour *neighbour)
{
	for (struct destination *d = neighbour->users; d; d = d->next_user)
		tell(n, d);
}

/* ---- neighbours ---- */

static void set_neighbour(struct nexthops *n, struct destination *d, struct neighbour *to)
{
	struct neighbour *from = d->neighbour;

	if (from == to)
		return;
	if (from) {
		*d->link_user = d->next_user;
		if (d->next_user)
			d->next_user->link_user = d->link_user;
		if (!from->users)
			neighbours_remove(&n->neighbours, from);
	}
	d->neighbour = to;
	if (!to)
		return;
	d->next_user = to->users;
	d->link_user = &to->users;
	if (to->users)
		to->users->link_user = &d->next_user;
	to->users = d;
}

/* ---- routes ---- */

static void mark(struct nexthops *n, struct destination *d)
{
	if (d->dirty)
		return;
	d->dirty = true;
	n->dirty_count++;
	if (!ev_is_active(&n->work)) {
		ev_timer_set(&n->work, GATHER_S, 0.);
		ev_timer_start(n->loop, &n->work);
	}
}

static void mark_all(struct nexthops *n)
{
	for (uint32_t i = 0; i < n->count; i++) {
		if (n->destinations[i])
			mark(n, n->destinations[i]);
	}
}

static bool within(const struct address *address, const struct address *prefix, uint8_t length)
{
	uint8_t bytes = length / 8, bits = length % 8;

	if (length > 128 || memcmp(address->bytes, prefix->bytes, bytes))
		return false;
	return !bits || (address->bytes[bytes] ^ prefix->bytes[bytes]) >> (8 - bits) == 0;
}

static void mark_within(struct nexthops *n, const struct address *prefix, uint8_t length)
{
	if (++n->route_events > ROUTE_EVENTS_MAX) {
		mark_all(n);
		return;
	}
	for (uint32_t i = 0; i < n->count; i++) {
		struct destination *d = n->destinations[i];

		if (d && within(&d->address, prefix, length))
			mark(n, d);
	}
}

/* Asks the kernel for the route, then judges. -ENOMEM, -ENOBUFS: nothing has changed. */
static int look_up(struct nexthops *n, struct destination *d)
{
	struct neighbour *neighbour = NULL;
	struct nexthop_route route;
	int rc = nexthop_netlink_route(n->netlink, &d->address, &route);

	if (rc)
		return rc;
	if (route.found) {
		neighbour = neighbours_find(&n->neighbours, route.ifindex, &route.gateway);
		if (!neighbour)
			neighbour = neighbours_add(&n->neighbours, route.ifindex, &route.gateway);
		if (!neighbour)
			return -ENOMEM;
	}
	d->route = route;
	set_neighbour(n, d, neighbour);
	tell(n, d);
	return 0;
}

static void clean(struct nexthops *n, struct destination *d)
{
	if (d->dirty)
		n->dirty_count--;
	d->dirty = false;
}

static void on_work(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct nexthops *n = timer->data;
	bool failed = false;

	for (int i = 0; i < BATCH && n->dirty_count && !failed;) {
		struct destination *d;

		n->next_lookup = n->next_lookup + 1 < n->count ? n->next_lookup + 1 : 0;
		d = n->destinations[n->next_lookup];
		if (!d || !d->dirty)
			continue;
		failed = look_up(n, d) != 0;
		if (!failed) /* else it stays marked */
			clean(n, d);
		i++;
	}
	if (!n->dirty_count)
		return;
	ev_timer_set(&n->work, failed ? GATHER_S : 0., 0.);
	ev_timer_start(n->loop, &n->work);
}

/* ---- notifications ---- */

static void tell_link_users(struct nexthops *n, uint32_t ifindex)
{
	for (uint32_t i = 0; i < n->count; i++) {
		struct destination *d = n->destinations[i];

		if (d && d->neighbour && d->route.ifindex == ifindex)
			tell(n, d);
	}
}

static struct link_entry *new_link_entry(struct nexthops *n, uint32_t ifindex)
{
	struct link_entry *entry = calloc(1, sizeof(*entry));

	if (entry) {
		entry->next = n->links[ifindex % LINK_BUCKETS];
		n->links[ifindex % LINK_BUCKETS] = entry;
	}
	return entry;
}

static void on_link(struct nexthops *n, const struct nexthop_link *link)
{
	struct link_entry *entry = find_link_entry(n, link->ifindex);
	bool routes_move = !entry || entry->link.up != link->up;

	if (!entry)
		entry = new_link_entry(n, link->ifindex);
	if (!entry)
		return; /* out of memory: unresolved until the next notification */
	entry->seen = true;
	if (!memcmp(&entry->link, link, sizeof(*link)))
		return;
	entry->link = *link;
	tell_link_users(n, link->ifindex);
	if (!routes_move)
		return;
	if (link->up)
		neighbours_link_up(&n->neighbours, link->ifindex);
	mark_all(n); /* the kernel drops the routes of a link that goes down without a word */
}

static void on_link_gone(struct nexthops *n, uint32_t ifindex)
{
	struct link_entry **at = &n->links[ifindex % LINK_BUCKETS], *gone;

	while (*at && (*at)->link.ifindex != ifindex)
		at = &(*at)->next;
	gone = *at;
	if (!gone)
		return;
	*at = gone->next;
	free(gone);
	tell_link_users(n, ifindex);
	mark_all(n);
}

static void on_neighbour(struct nexthops *n, const struct nexthop_neighbour *entry)
{
	struct neighbour *neighbour =
		neighbours_find(&n->neighbours, entry->ifindex, &entry->address);

	if (!neighbour)
		return;
	neighbours_apply(&n->neighbours, neighbour, entry);
	tell_users(n, neighbour);
}

static void on_event(void *ctx, const struct nexthop_event *event)
{
	struct nexthops *n = ctx;

	switch (event->kind) {
	case NEXTHOP_EVENT_LINK:
		on_link(n, &event->link);
		return;
	case NEXTHOP_EVENT_LINK_GONE:
		on_link_gone(n, event->link.ifindex);
		return;
	case NEXTHOP_EVENT_NEIGHBOUR:
		on_neighbour(n, &event->neighbour);
		return;
	case NEXTHOP_EVENT_ROUTE:
		mark_within(n, &event->prefix.address, event->prefix.length);
		return;
	case NEXTHOP_EVENT_OTHER:
		mark_all(n);
		return;
	case NEXTHOP_EVENT__COUNT:
		return;
	}
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct nexthops *n = io->data;

	n->route_events = 0;
	if (nexthop_netlink_read(n->netlink) && nexthops_resync(n, NULL))
		mark_all(n); /* at least the routes; neighbours are asked for in time */
}

static void on_keep(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct nexthops *n = timer->data;

	neighbours_keep(&n->neighbours);
}

/* ---- the public part ---- */

static void drop_unseen_links(struct nexthops *n)
{
	for (int i = 0; i < LINK_BUCKETS; i++) {
		for (struct link_entry *e = n->links[i], *next; e; e = next) {
			next = e->next;
			if (!e->seen)
				on_link_gone(n, e->link.ifindex);
		}
	}
}

int nexthops_resync(struct nexthops *n, struct err *err)
{
	int rc;

	for (int i = 0; i < LINK_BUCKETS; i++) {
		for (struct link_entry *e = n->links[i]; e; e = e->next)
			e->seen = false;
	}
	neighbours_dump_begins(&n->neighbours);
	rc = nexthop_netlink_dump(n->netlink);
	if (rc)
		return err_set(err, -rc, "cannot read interfaces and neighbours: %s",
			       strerror(-rc));
	drop_unseen_links(n); /* what the dump did not name is gone */
	neighbours_dump_ended(&n->neighbours);
	mark_all(n);
	return 0;
}

int nexthops_new(struct ev_loop *loop, nexthop_change_fn on_change, void *ctx, struct err *err,
		 struct nexthops **ret_nexthops)
{
	struct nexthops *n = calloc(1, sizeof(*n));
	int rc;

	if (!n)
		return err_set(err, ENOMEM, "out of memory");
	n->loop = loop;
	n->on_change = on_change;
	n->ctx = ctx;
	rc = nexthop_netlink_open(on_event, n, err, &n->netlink);
	if (rc) {
		free(n);
		return rc;
	}
	neighbours_init(&n->neighbours, loop, n->netlink);
	ev_io_init(&n->readable, on_readable, nexthop_netlink_fd(n->netlink), EV_READ);
	ev_timer_init(&n->work, on_work, GATHER_S, 0.);
	ev_timer_init(&n->keep, on_keep, KEEP_S, KEEP_S);
	n->readable.data = n->work.data = n->keep.data = n;
	ev_io_start(loop, &n->readable);
	ev_timer_start(loop, &n->keep);
	rc = nexthops_resync(n, err);
	if (rc)
		nexthops_free(n);
	else
		*ret_nexthops = n;
	return rc;
}

int nexthops_follow(struct nexthops *n, uint32_t id, const struct address *address, struct err *err)
{
	struct destination *d;
	int rc;

	if (id >= DESTINATIONS_MAX)
		return err_set(err, ERANGE, "next hop %u: at most %d can be followed", id,
			       BACKENDS_MAX);
	d = n->destinations[id];
	if (d && !memcmp(&d->address, address, sizeof(*address)))
		return 0;
	nexthops_forget(n, id);
	d = calloc(1, sizeof(*d));
	if (!d)
		return err_set(err, ENOMEM, "out of memory");
	d->id = id;
	d->address = *address;
	n->destinations[id] = d;
	if (id >= n->count)
		n->count = id + 1;
	rc = look_up(n, d);
	if (rc) {
		nexthops_forget(n, id);
		return err_set(err, -rc, "cannot look a route up: %s", strerror(-rc));
	}
	return 0;
}

void nexthops_forget(struct nexthops *n, uint32_t id)
{
	struct destination *d = id < n->count ? n->destinations[id] : NULL;

	if (!d)
		return;
	clean(n, d);
	set_neighbour(n, d, NULL);
	n->destinations[id] = NULL;
	free(d);
	while (n->count && !n->destinations[n->count - 1])
		n->count--;
}

void nexthops_free(struct nexthops *n)
{
	if (!n)
		return;
	while (n->count)
		nexthops_forget(n, n->count - 1);
	for (int i = 0; i < LINK_BUCKETS; i++) {
		for (struct link_entry *e = n->links[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
	}
	ev_io_stop(n->loop, &n->readable);
	ev_timer_stop(n->loop, &n->work);
	ev_timer_stop(n->loop, &n->keep);
	nexthop_netlink_close(n->netlink);
	free(n);
}
