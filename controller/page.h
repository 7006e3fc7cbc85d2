/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_PAGE_H
#define EBB_PAGE_H
/*
 * page: the status page: one HTML document without scripts and without anything from elsewhere, which asks for itself
 * again every two seconds. Takes what docs/control.md calls a status, with two more members: `backends` (the sickest first,
 * maybe cut) and `backends_total`. Pure; every text is escaped.
 */
#include <jansson.h>
#include <stddef.h>

/* From malloc(), or NULL when out of memory. Members that are missing are left out. */
char *page_format(const json_t *status, size_t *ret_length);

#endif
