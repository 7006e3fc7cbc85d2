// SPDX-License-Identifier: GPL-2.0-or-later
/* table: see table.h. */
#include "controller/cli/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_COLUMNS_MAX 16
#define TABLE_GAP	  2

struct cell {
	char *text;
	enum tone tone;
};

struct table {
	char *titles; /* cut at the bars */
	const char *title[TABLE_COLUMNS_MAX];
	enum table_align align[TABLE_COLUMNS_MAX];
	int columns;
	struct cell (*rows)[TABLE_COLUMNS_MAX];
	int row_count, row_room, cell_next;
};

static const char *const tone_codes[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[2m", "\033[1m", "\033[36m"};
static_assert(sizeof(tone_codes) / sizeof(tone_codes[0]) == TONE__COUNT, "a code for each tone");

const char *tone_on(enum tone tone, bool colour)
{
	return colour ? tone_codes[tone] : "";
}

const char *tone_off(bool colour)
{
	return colour ? "\033[0m" : "";
}

/* Bytes of the UTF-8 sequence at `s`, 0 if it is none or a C1 control character. RFC 3629. */
static size_t text_sequence(const unsigned char *s)
{
	size_t length = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 4;

	if (length == 1)
		return s[0] >= 0x20 && s[0] != 0x7f;
	if (s[0] < 0xc2 || s[0] > 0xf4 || (s[0] == 0xc2 && s[1] < 0xa0))
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	return length;
}

char *text_safe(const char *text)
{
	char *copy = strdup(text ? text : "-");

	if (!copy)
		abort();
	for (unsigned char *p = (unsigned char *)copy; *p;) {
		size_t length = text_sequence(p);

		if (!length)
			*p = '?';
		p += length ? length : 1;
	}
	return copy;
}

int text_width(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

struct table *table_new(const char *titles)
{
	struct table *table = calloc(1, sizeof(*table));
	char *rest, *title;

	if (!table || !(table->titles = strdup(titles)))
		abort();
	rest = table->titles;
	while ((title = strsep(&rest, "|"))) {
		assert(table->columns < TABLE_COLUMNS_MAX);
		table->align[table->columns] = *title == '>'   ? TABLE_RIGHT
					       : *title == '?' ? TABLE_OPTIONAL
							       : TABLE_LEFT;
		table->title[table->columns++] = title + (*title == '>' || *title == '?' || *title == '<');
	}
	return table;
}

void table_row(struct table *table)
{
	if (table->row_count == table->row_room) {
		table->row_room = table->row_room ? table->row_room * 2 : 64;
		table->rows = realloc(table->rows, (size_t)table->row_room * sizeof(*table->rows));
		if (!table->rows)
			abort();
	}
	memset(table->rows[table->row_count++], 0, sizeof(*table->rows));
	table->cell_next = 0;
}

void table_cell(struct table *table, enum tone tone, const char *fmt, ...)
{
	struct cell *cell = &table->rows[table->row_count - 1][table->cell_next++];
	char *text;
	va_list ap;

	assert(table->cell_next <= table->columns);
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	cell->text = text_safe(text);
	cell->tone = tone;
	free(text);
}

/* The width of a column, 0 if it is left out. */
static int table_width(const struct table *table, int column)
{
	int width = 0;
	bool says = table->align[column] != TABLE_OPTIONAL;

	for (int i = 0; i < table->row_count; i++) {
		const char *text = table->rows[i][column].text;

		if (!text)
			continue;
		says = says || (text[0] && strcmp(text, "-") != 0);
		width = text_width(text) > width ? text_width(text) : width;
	}
	if (!says)
		return 0;
	return text_width(table->title[column]) > width ? text_width(table->title[column]) : width;
}

/* Pads with blanks as late as possible, so that a line never ends in them. */
static void table_put(FILE *to, const char *text, enum tone tone, bool colour, bool right, int width,
		      int *owed)
{
	int blank = width - text_width(text);

	if (right)
		*owed += blank;
	if (text[0]) {
		fprintf(to, "%*s%s%s%s", *owed, "", tone_on(tone, colour), text,
			tone == TONE_PLAIN ? "" : tone_off(colour));
		*owed = 0;
	}
	*owed += right ? TABLE_GAP : blank + TABLE_GAP;
}

static void table_line(const struct table *table, const int *widths, int row, FILE *to, bool colour)
{
	int owed = 0;

	for (int i = 0; i < table->columns; i++) {
		const struct cell *cell = row < 0 ? NULL : &table->rows[row][i];

		if (!widths[i])
			continue;
		table_put(to, cell ? (cell->text ? cell->text : "") : table->title[i],
			  cell ? cell->tone : TONE_TITLE, colour, table->align[i] == TABLE_RIGHT,
			  widths[i], &owed);
	}
	fputc('\n', to);
}

static void table_free(struct table *table)
{
	for (int i = 0; i < table->row_count; i++) {
		for (int j = 0; j < table->columns; j++)
			free(table->rows[i][j].text);
	}
	free(table->rows);
	free(table->titles);
	free(table);
}

static void table_put_all(struct table *table, FILE *to, bool colour, bool titles)
{
	int widths[TABLE_COLUMNS_MAX];

	for (int i = 0; i < table->columns; i++)
		widths[i] = table_width(table, i);
	if (titles)
		table_line(table, widths, -1, to, colour);
	for (int i = 0; i < table->row_count; i++)
		table_line(table, widths, i, to, colour);
	table_free(table);
}

void table_print(struct table *table, FILE *to, bool colour)
{
	table_put_all(table, to, colour, true);
}

void table_print_rows(struct table *table, FILE *to, bool colour)
{
	table_put_all(table, to, colour, false);
}
