// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/sandboxes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "controller/address.h"
#include "controller/log.h"
#include "controller/namehash.h"
#include "controller/place.h"
#include "maps/hash.h"

#define NAME_TRIES 64

const char *const sandbox_change_names[] = {"sandbox-placed", "sandbox-added", "sandbox-moved",
					    "sandbox-deleted"};
static_assert(sizeof(sandbox_change_names) / sizeof(char *) == SANDBOX_CHANGE__COUNT, "names");

struct batch {
	struct sandbox_key keys[DATAPLANE_SANDBOX_BATCH];
	struct sandbox values[DATAPLANE_SANDBOX_BATCH];
	uint32_t count;
};

struct sandboxes {
	struct dataplane *dataplane;
	sandboxes_fn on_change;
	void *ctx;
	uint64_t count;
	uint64_t unsettled; /* with a former backend; may be too high after a race, never too low */
	struct place_counts counts;
	uint64_t changes[SANDBOX_CHANGE__COUNT];
	uint32_t cursor; /* of sandboxes_tick() */
	struct sandbox_index index;
	bool serves; /* the index, if there is one */
	struct batch batch;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* 0 and the next batch; -ENOENT with what is left of it at the end of the map. */
static int next_batch(struct sandboxes *s, uint32_t *cursor)
{
	s->batch.count = DATAPLANE_SANDBOX_BATCH;
	return dataplane_sandbox_batch(s->dataplane, cursor, s->batch.keys, s->batch.values,
				       &s->batch.count);
}

static int count_all(struct sandboxes *s)
{
	uint32_t cursor = 0;
	int e;

	do {
		e = next_batch(s, &cursor);
		if (e && e != -ENOENT)
			return e;
		for (uint32_t i = 0; i < s->batch.count; i++) {
			s->counts.on[s->batch.values[i].backend]++;
			s->unsettled += s->batch.values[i].former != BACKEND_NONE;
		}
		s->count += s->batch.count;
	} while (!e);
	return 0;
}

/* --- the index */

static __u32 *in_force(struct sandboxes *s)
{
	return &dataplane_tables(s->dataplane)->settings->sandbox_sets;
}

static int index_fill(struct sandboxes *s)
{
	uint32_t cursor = 0;
	int e;

	do {
		e = next_batch(s, &cursor);
		if (e && e != -ENOENT)
			return e;
		for (uint32_t i = 0; i < s->batch.count; i++)
			if (sandbox_index_add(&s->index, &s->batch.keys[i], &s->batch.values[i]))
				return -ENOSPC;
	} while (!e);
	return 0;
}

/* Of all that stands in the map, in `sets` sets or more. Packets ask the map until it is done, or for good if it fails. */
static void index_make(struct sandboxes *s, uint32_t sets)
{
	int e;

	if (*in_force(s)) {
		__atomic_store_n(in_force(s), 0, __ATOMIC_RELEASE);
		dataplane_wait_packets();
	}
	do {
		sandbox_index_clear(&s->index, sets);
		e = index_fill(s);
		sets *= 2;
	} while (e == -ENOSPC && s->index.set_count < s->index.sets_max);
	if (e) {
		s->index.set_count = 0;
		log_error("sandbox-index", "error=%s kept=map", log_quote(strerror(-e)));
	} else if (s->serves) {
		__atomic_store_n(in_force(s), s->index.set_count, __ATOMIC_RELEASE);
	}
}

static int index_open(struct sandboxes *s)
{
	const struct dataplane_tables *tables = dataplane_tables(s->dataplane);
	__u64 *seed = &tables->settings->sandbox_seed;

	if (!*seed && getrandom(seed, sizeof(*seed), 0) != sizeof(*seed))
		return -EIO;
	s->index.sets = tables->sandbox_index;
	s->index.sets_max = dataplane_sizes(s->dataplane)->sandbox_sets;
	s->index.seed = *seed;
	index_make(s, sandbox_index_sets_for(s->count));
	return 0;
}

/* Of one that stands in the map already. */
static void index_add(struct sandboxes *s, const struct sandbox_key *key, const struct sandbox *value)
{
	struct sandbox_index *index = &s->index;
	uint32_t sets = sandbox_index_sets_for(index->used + 1);

	if (!index->set_count)
		return;
	if (sets > index->set_count && index->set_count < index->sets_max) /* by half, and so not often */
		index_make(s, sandbox_index_sets_for(index->used + index->used / 2));
	else if (sandbox_index_add(index, key, value))
		index_make(s, 2 * index->set_count);
}

static void index_change(struct sandboxes *s, const struct sandbox_key *key,
			 const struct sandbox *value)
{
	if (s->index.set_count)
		sandbox_index_change(&s->index, key, value);
}

static void index_del(struct sandboxes *s, const struct sandbox_key *key)
{
	if (s->index.set_count)
		sandbox_index_del(&s->index, key);
}

void sandboxes_serve(struct sandboxes *s)
{
	s->serves = true;
	__atomic_store_n(in_force(s), s->index.set_count, __ATOMIC_RELEASE);
}

const struct sandbox_index *sandboxes_index(const struct sandboxes *s)
{
	return &s->index;
}

/* --- opening */

int sandboxes_new(struct dataplane *dp, sandboxes_fn on_change, void *ctx, struct err *err,
		  struct sandboxes **ret_sandboxes)
{
	struct sandboxes *s = calloc(1, sizeof(*s));
	int e;

	if (!s)
		return err_set(err, ENOMEM, "out of memory");
	s->dataplane = dp;
	s->on_change = on_change;
	s->ctx = ctx;
	e = count_all(s);
	if (!e)
		e = index_open(s);
	if (e) {
		sandboxes_free(s);
		return err_set(err, -e, "cannot read the sandboxes: %s", strerror(-e));
	}
	*ret_sandboxes = s;
	return 0;
}

void sandboxes_free(struct sandboxes *s)
{
	free(s);
}

/* --- keys */

static unsigned int prefix_bits(const struct config_service *c)
{
	return c->prefix_length + (address_is_ipv4(&c->address) ? 96u : 0u);
}

int sandboxes_key(const struct model *m, uint32_t service, const struct address *address,
		  uint16_t port, struct err *err, struct sandbox_key *ret_key)
{
	const struct model_service *ms = &m->services[service];
	const struct config_service *c = &ms->config;
	struct address masked;
	char text[INET6_ADDRSTRLEN];

	if (!c->is_prefix || c->affinity != AFFINITY_SANDBOX)
		return err_set(err, EINVAL, "service %s has no sandboxes: it is no prefix with affinity sandbox",
			       ms->name);
	masked = address_mask(address, prefix_bits(c));
	if (memcmp(&masked, &c->address, sizeof(masked)))
		return err_set(err, EINVAL, "%s is not in the prefix of service %s",
			       address_format(address, text), ms->name);
	if (c->sandbox_port != (port != 0))
		return err_set(err, EINVAL, c->sandbox_port ? "service %s: a sandbox is an address and a port"
							    : "service %s: a sandbox is an address without port",
			       ms->name);
	memset(ret_key, 0, sizeof(*ret_key));
	ret_key->address = *address;
	ret_key->port_be = htons(port);
	ret_key->service = ms->id;
	return 0;
}

static struct address address_of_name(const struct config_service *c, const char *name, uint64_t salt)
{
	uint64_t low = hash_mix(name_hash(name) + salt), high = hash_mix(low + 1);
	struct address to, mask;
	unsigned int bits = prefix_bits(c);

	memcpy(to.bytes, &high, 8);
	memcpy(to.bytes + 8, &low, 8);
	mask = address_mask(&to, bits); /* the bits that the prefix says */
	for (int i = 0; i < 16; i++)
		to.bytes[i] = (uint8_t)((to.bytes[i] ^ mask.bytes[i]) | c->address.bytes[i]);
	return to;
}

int sandboxes_address(struct sandboxes *s, const struct model *m, uint32_t service, const char *name,
		      uint16_t port, struct err *err, struct address *ret_address)
{
	for (uint64_t salt = 0; salt < NAME_TRIES; salt++) {
		struct address address =
			address_of_name(&m->services[service].config, name, salt);
		struct sandbox_key key;
		struct sandbox value;
		int e = sandboxes_key(m, service, &address, port, err, &key);

		if (e)
			return e;
		if (dataplane_sandbox_get(s->dataplane, &key, &value) != -ENOENT)
			continue;
		*ret_address = address;
		return 0;
	}
	return err_set(err, ENOSPC, "no free address was found in the prefix of service %s",
		       m->services[service].name);
}

/* --- changes */

static void tell(struct sandboxes *s, enum sandbox_change change, const struct sandbox_key *key,
		 const struct sandbox *value)
{
	struct sandboxes_entry entry = {*key, *value};

	s->changes[change]++;
	if (s->on_change)
		s->on_change(s->ctx, change, &entry);
}

static int written(const struct sandboxes *s, int e, struct err *err)
{
	if (e == -E2BIG)
		return err_set(err, E2BIG, "there is room for %u sandboxes (edge.sandboxes), and all of it is taken",
			       dataplane_sizes(s->dataplane)->sandboxes);
	return e ? err_set(err, -e, "cannot write the sandboxes map: %s", strerror(-e)) : 0;
}

/* It is there already: success if it lives where it should. */
static int entered(struct sandboxes *s, const struct sandbox_key *key, uint16_t id, struct err *err,
		   struct sandbox *ret_value)
{
	struct sandbox value;
	int e = dataplane_sandbox_get(s->dataplane, key, &value);

	if (e)
		return err_set(err, -e, "cannot read the sandboxes map: %s", strerror(-e));
	if (value.backend != id)
		return err_set(err, EEXIST, "this sandbox lives elsewhere already; move it, or delete it first");
	*ret_value = value;
	return 0;
}

static int enter(struct sandboxes *s, const struct model *m, const struct sandbox_key *key,
		 uint32_t backend, enum sandbox_change change, struct err *err,
		 struct sandbox *ret_value)
{
	struct sandbox value = {.backend = m->backends[backend].id, .born_ns = clock_ns(CLOCK_REALTIME)};
	int e = dataplane_sandbox_add(s->dataplane, key, &value);

	if (e == -EEXIST)
		return entered(s, key, value.backend, err, ret_value);
	if (e)
		return written(s, e, err);
	index_add(s, key, &value);
	s->count++;
	s->counts.on[value.backend]++;
	s->counts.came[value.backend]++;
	*ret_value = value;
	tell(s, change, key, &value);
	return 0;
}

int sandboxes_place(struct sandboxes *s, const struct model *m, uint32_t service,
		    const struct sandbox_key *key, uint32_t backend, struct err *err,
		    struct sandbox *ret_value)
{
	const struct model_pool *pool = &m->pools[m->services[service].pool];
	bool chooses = backend == UINT32_MAX;
	struct sandbox value;
	int e = dataplane_sandbox_get(s->dataplane, key, &value);

	if (!e && (chooses || value.backend == m->backends[backend].id)) {
		*ret_value = value; /* asked again: it stays where it is */
		return 0;
	}
	e = chooses ? place_choose(m, pool, key, &s->counts, err, &backend)
		    : place_check(m, backend, &s->counts, err);
	return e ? e : enter(s, m, key, backend, SANDBOX_PLACED, err, ret_value);
}

int sandboxes_add(struct sandboxes *s, const struct model *m, const struct sandbox_key *key,
		  uint32_t backend, struct err *err, struct sandbox *ret_value)
{
	return enter(s, m, key, backend, SANDBOX_ADDED, err, ret_value);
}

static int find(struct sandboxes *s, const struct sandbox_key *key, struct err *err,
		struct sandbox *ret_value)
{
	int e = dataplane_sandbox_get(s->dataplane, key, ret_value);

	if (e == -ENOENT)
		return err_set(err, ENOENT, "no such sandbox");
	return e ? err_set(err, -e, "cannot read the sandboxes map: %s", strerror(-e)) : 0;
}

int sandboxes_move(struct sandboxes *s, const struct model *m, const struct sandbox_key *key,
		   uint32_t backend, struct err *err, struct sandbox *ret_value)
{
	struct sandbox value, old;
	int e = find(s, key, err, &old);

	if (e)
		return e;
	value = old;
	if (old.backend != m->backends[backend].id) {
		value.backend = m->backends[backend].id;
		value.former = old.backend;
		value.moved = (uint32_t)(clock_ns(CLOCK_BOOTTIME) / 1000000000);
		e = dataplane_sandbox_set(s->dataplane, key, &value);
		if (e)
			return written(s, e, err);
		index_change(s, key, &value);
		s->counts.on[old.backend]--;
		s->counts.on[value.backend]++;
		s->counts.came[value.backend]++;
		s->unsettled += old.former == BACKEND_NONE;
		tell(s, SANDBOX_MOVED, key, &value);
	}
	*ret_value = value;
	return 0;
}

int sandboxes_del(struct sandboxes *s, const struct sandbox_key *key, struct err *err,
		  struct sandbox *ret_value)
{
	struct sandbox value;
	int e = find(s, key, err, &value);

	if (e)
		return e;
	index_del(s, key);
	e = dataplane_sandbox_del(s->dataplane, key);
	if (e) {
		index_add(s, key, &value);
		return err_set(err, -e, "cannot write the sandboxes map: %s", strerror(-e));
	}
	s->count--;
	s->counts.on[value.backend]--;
	s->unsettled -= value.former != BACKEND_NONE;
	*ret_value = value;
	tell(s, SANDBOX_DELETED, key, &value);
	return 0;
}

/* --- looking */

static bool passes(const struct sandboxes_filter *f, const struct sandbox_key *key,
		   const struct sandbox *value)
{
	return (f->service == SERVICES_MAX || f->service == key->service) &&
	       (f->backend == BACKEND_NONE || f->backend == value->backend) &&
	       (!f->has_address || !memcmp(&f->address, &key->address, sizeof(f->address)));
}

int sandboxes_list(struct sandboxes *s, const struct sandboxes_filter *filter,
		   const struct sandbox_key *after, uint32_t limit,
		   struct sandboxes_entry *ret_entries, bool *ret_more, struct sandbox_key *ret_last)
{
	struct sandbox_key at, next;
	struct sandbox value;
	uint32_t found = 0;

	*ret_more = false;
	if (after) {
		at = *after;
		if (dataplane_sandbox_get(s->dataplane, &at, &value))
			return -ESTALE; /* the map would begin again */
	}
	for (uint32_t seen = 0; !dataplane_sandbox_next(s->dataplane, after ? &at : NULL, &next);
	     seen++) {
		if (found == limit || seen == SANDBOXES_SCAN_MAX) {
			*ret_more = true;
			break;
		}
		at = next;
		after = &at;
		if (!dataplane_sandbox_get(s->dataplane, &at, &value) && passes(filter, &at, &value))
			ret_entries[found++] = (struct sandboxes_entry){at, value};
	}
	if (*ret_more)
		*ret_last = at;
	return (int)found;
}

void sandboxes_reported(struct sandboxes *s, uint16_t id)
{
	s->counts.came[id] = 0;
}

uint64_t sandboxes_count(const struct sandboxes *s)
{
	return s->count;
}

uint32_t sandboxes_on(const struct sandboxes *s, uint16_t id)
{
	return s->counts.on[id];
}

uint64_t sandboxes_changes(const struct sandboxes *s, enum sandbox_change change)
{
	return s->changes[change];
}

/* --- time */

static double settle_of(const struct model *m, uint16_t service_id)
{
	for (uint32_t i = 0; i < m->service_count; i++)
		if (m->services[i].id == service_id)
			return m->pools[m->services[i].pool].settle_s;
	return 0;
}

static void settle(struct sandboxes *s, const struct sandbox_key *key, struct sandbox value)
{
	value.former = BACKEND_NONE;
	if (dataplane_sandbox_set(s->dataplane, key, &value))
		return;
	index_change(s, key, &value);
	s->unsettled -= s->unsettled != 0;
}

void sandboxes_tick(struct sandboxes *s, const struct model *m, uint64_t boot_s)
{
	if (!s->unsettled)
		return;
	if (next_batch(s, &s->cursor))
		s->cursor = 0;
	for (uint32_t i = 0; i < s->batch.count; i++) {
		const struct sandbox *value = &s->batch.values[i];

		if (value->former == BACKEND_NONE)
			continue;
		if (model_find_backend_id(m, value->former) == UINT32_MAX ||
		    (double)boot_s - value->moved >= settle_of(m, s->batch.keys[i].service))
			settle(s, &s->batch.keys[i], *value);
	}
}

void sandboxes_forget(struct sandboxes *s, uint16_t id)
{
	uint32_t cursor = 0;
	int e;

	s->counts.came[id] = 0;
	if (!s->counts.on[id] && !s->unsettled)
		return;
	do {
		e = next_batch(s, &cursor);
		for (uint32_t i = 0; i < s->batch.count && (!e || e == -ENOENT); i++) {
			struct sandbox old;

			if (s->batch.values[i].backend == id) {
				if (sandboxes_del(s, &s->batch.keys[i], NULL, &old))
					continue;
			} else if (s->batch.values[i].former == id) {
				settle(s, &s->batch.keys[i], s->batch.values[i]);
			}
		}
	} while (!e);
}
