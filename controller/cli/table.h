/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CLI_TABLE_H
#define EBB_CLI_TABLE_H
/*
 * table: rows of text in aligned columns. Cells are copied and made safe for a terminal: control bytes and bytes that are not
 * UTF-8 become '?', so that nothing a daemon repeats can steer an operator's screen. A column in which every cell is
 * empty or "-" is left out if it is optional.
 */
#include <stdbool.h>
#include <stdio.h>

enum tone {
	TONE_PLAIN,
	TONE_GOOD,  /* green */
	TONE_WARN,  /* yellow */
	TONE_BAD,   /* red */
	TONE_FAINT,
	TONE_TITLE, /* bold */
	TONE_BAR,   /* cyan */
	TONE__COUNT,
};

enum table_align {
	TABLE_LEFT,
	TABLE_RIGHT,
	TABLE_OPTIONAL, /* left; left out when it says nothing */
	TABLE_ALIGN__COUNT,
};

struct table;

/* `titles`: "NAME|<STATE|>SHARE|?LIMITED BY": < left (default), > right, ? optional. Aborts when out of memory. */
struct table *table_new(const char *titles);
void table_row(struct table *table);
/* The next cell of the last row; printf-like. Cells that are not given are empty. */
void table_cell(struct table *table, enum tone tone, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Prints and frees; table_print_rows() without the titles. */
void table_print(struct table *table, FILE *to, bool colour);
void table_print_rows(struct table *table, FILE *to, bool colour);

/* Escape sequences for a tone, or "" without colour. */
const char *tone_on(enum tone tone, bool colour);
const char *tone_off(bool colour);
/* `text` with what could steer a terminal replaced by '?'; free it. NULL gives "-". */
char *text_safe(const char *text);
/* Cells that it takes on a screen: its code points. */
int text_width(const char *text);

#endif
