// SPDX-License-Identifier: GPL-2.0-or-later
/* config_scalar: numbers, durations, ratios, words, addresses and names, each with its own complaint. */
#include "controller/config_scalar.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#define DIGITS_MAX 15 /* below 2^53, so the digits themselves are an exact double */

/*
 * Digits, then perhaps a point and digits, as mantissa / 10^scale. *ret_rest points behind them. Both are exact, so one
 * division by (10^scale x unit) rounds once.
 */
static int decimal(const char *text, double *ret_mantissa, double *ret_scale, const char **ret_rest)
{
	double mantissa = 0, scale = 1;
	unsigned int digits = 0;
	bool point = false;

	for (; isdigit((unsigned char)*text) || (*text == '.' && !point); text++) {
		if (*text == '.') {
			if (!digits || !isdigit((unsigned char)text[1]))
				return -EINVAL;
			point = true;
			continue;
		}
		if (++digits > DIGITS_MAX)
			return -ERANGE;
		mantissa = mantissa * 10 + (*text - '0');
		if (point)
			scale *= 10;
	}
	if (!digits)
		return -EINVAL;
	*ret_mantissa = mantissa;
	*ret_scale = scale;
	*ret_rest = text;
	return 0;
}

int scalar_number(const char *text, double *ret_number)
{
	double mantissa, scale;
	int r = decimal(text, &mantissa, &scale, &text);

	if (r)
		return r;
	if (*text)
		return -EINVAL;
	*ret_number = mantissa / scale;
	return 0;
}

int scalar_ratio(const char *text, double *ret_ratio)
{
	double mantissa, scale;
	int r = decimal(text, &mantissa, &scale, &text);

	if (r)
		return r;
	if (strcmp(text, "%") == 0)
		scale *= 100;
	else if (*text)
		return -EINVAL;
	*ret_ratio = mantissa / scale;
	return 0;
}

int scalar_duration(const char *text, double *ret_seconds)
{
	static const struct {
		const char *name;
		double seconds, parts; /* one of both is 1 */
	} units[] = {{"ms", 1, 1000}, {"s", 1, 1}, {"m", 60, 1}, {"h", 3600, 1}, {"d", 86400, 1}};
	double mantissa, scale;
	int r;

	if (strcmp(text, "never") == 0) {
		*ret_seconds = INFINITY;
		return 0;
	}
	r = decimal(text, &mantissa, &scale, &text);
	if (r)
		return r;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text, units[i].name) == 0) {
			*ret_seconds = mantissa * units[i].seconds / (scale * units[i].parts);
			return 0;
		}
	}
	return -EINVAL;
}

int scalar_unsigned(const char *text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
			return -ERANGE;
	}
	*ret_number = number;
	return 0;
}

int scalar_hex64(const char *text, uint64_t *ret_number)
{
	uint64_t number = 0;
	unsigned int digits = 0;

	if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X'))
		return -EINVAL;
	for (text += 2; *text; text++) {
		if (!isxdigit((unsigned char)*text))
			return -EINVAL;
		if (++digits > 16)
			return -ERANGE;
		number = number << 4 |
			 (isdigit((unsigned char)*text) ? *text - '0' : (*text | 0x20) - 'a' + 10);
	}
	if (!digits)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

const char *scalar_print_duration(double seconds)
{
	static _Thread_local char ring[4][32];
	static _Thread_local unsigned int turn;
	char *to = ring[turn++ % 4];

	if (isinf(seconds))
		snprintf(to, sizeof(ring[0]), "never");
	else if (seconds > 0 && seconds < 1)
		snprintf(to, sizeof(ring[0]), "%gms", seconds * 1000);
	else if (seconds >= 86400 && fmod(seconds, 86400) == 0)
		snprintf(to, sizeof(ring[0]), "%gd", seconds / 86400);
	else if (seconds >= 3600 && fmod(seconds, 3600) == 0)
		snprintf(to, sizeof(ring[0]), "%gh", seconds / 3600);
	else
		snprintf(to, sizeof(ring[0]), "%.10gs", seconds);
	return to;
}

static void take_duration(struct config_context *ctx, const char *key, const char *text, double low,
			  double high, bool never, double *value)
{
	double seconds;

	if (!text)
		return;
	if (scalar_duration(text, &seconds) == 0 &&
	    (isinf(seconds) ? never : seconds >= low && seconds <= high)) {
		*value = seconds;
		return;
	}
	config_fail_key(ctx, key, "%s is not a duration from %s to %s, such as 100ms, 5s or 2h%s",
			config_quote(text), scalar_print_duration(low), scalar_print_duration(high),
			never ? ", or `never`" : "");
}

void config_take_duration(struct config_context *ctx, const char *key, const char *text, double low,
			  double high, double *value)
{
	take_duration(ctx, key, text, low, high, false, value);
}

void config_take_duration_or_never(struct config_context *ctx, const char *key, const char *text,
				   double low, double high, double *value)
{
	take_duration(ctx, key, text, low, high, true, value);
}

void config_take_ratio(struct config_context *ctx, const char *key, const char *text, double low,
		       double high, double *value)
{
	double ratio;

	if (!text)
		return;
	if (scalar_ratio(text, &ratio) == 0 && ratio >= low && ratio <= high)
		*value = ratio;
	else
		config_fail_key(ctx, key, "%s is not a ratio from %g to %g, such as 0.3 or 30%%",
				config_quote(text), low, high);
}

void config_take_number(struct config_context *ctx, const char *key, const char *text, double low,
			double high, double *value)
{
	double number;

	if (!text)
		return;
	if (scalar_number(text, &number) == 0 && number >= low && number <= high)
		*value = number;
	else
		config_fail_key(ctx, key, "%s is not a number from %g to %.10g", config_quote(text), low,
				high);
}

void config_take_unsigned(struct config_context *ctx, const char *key, const char *text, uint32_t low,
			  uint32_t high, uint32_t *value)
{
	uint64_t number;

	if (!text)
		return;
	if (scalar_unsigned(text, &number) == 0 && number >= low && number <= high)
		*value = number;
	else
		config_fail_key(ctx, key, "%s is not a whole number from %u to %u",
				config_quote(text), low, high);
}

void config_take_bool(struct config_context *ctx, const char *key, const char *text, bool *value)
{
	static const char *const words[] = {"false", "true"};
	unsigned int index = *value;

	config_take_word(ctx, key, text, words, 2, &index);
	*value = index;
}

void config_take_word(struct config_context *ctx, const char *key, const char *text,
		      const char *const *words, unsigned int count, unsigned int *value)
{
	char allowed[256] = "";
	size_t length = 0;

	if (!text)
		return;
	for (unsigned int i = 0; i < count; i++) {
		if (strcmp(text, words[i]) == 0) {
			*value = i;
			return;
		}
		length += snprintf(allowed + length, sizeof(allowed) - length, "%s%s",
				   i ? ", " : "", words[i]);
	}
	config_fail_key(ctx, key, "%s is not one of: %s", config_quote(text), allowed);
}

/* Why a packet cannot be sent to or from the address, or NULL. */
static const char *address_unfit(const struct address *address, const char *text)
{
	static const struct address none_ipv6;
	const __u8 *bytes = address->bytes;

	if (address_is_ipv4(address)) {
		if (strchr(text, ':'))
			return "is an IPv4 address; write it as a.b.c.d";
		if (bytes[12] == 0)
			return "is in 0.0.0.0/8, which names no host";
		return bytes[12] >= 224 ? "is multicast, reserved or broadcast; a unicast address is "
					  "needed" : NULL;
	}
	if (memcmp(bytes, &none_ipv6, sizeof(none_ipv6)) == 0)
		return "names no host";
	if (bytes[0] == 0xff)
		return "is multicast; a unicast address is needed";
	if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
		return "is link-local; an address that routes is needed";
	return NULL;
}

bool config_take_address(struct config_context *ctx, const char *key, const char *text,
			 struct address *value)
{
	struct address address;
	const char *unfit;

	if (!text)
		return false;
	if (address_parse(text, &address) != 0) {
		config_fail_key(ctx, key, "%s is not an IPv4 or IPv6 address", config_quote(text));
		return false;
	}
	unfit = address_unfit(&address, text);
	if (unfit) {
		config_fail_key(ctx, key, "%s %s", config_quote(text), unfit);
		return false;
	}
	*value = address;
	return true;
}

bool config_check_name(struct config_context *ctx, const char *text, unsigned int max)
{
	size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789._-");

	if (length && !text[length] && length <= max)
		return true;
	config_fail_key(ctx, "name", "%s is not a name of 1 to %u of A-Z a-z 0-9 . _ -",
			config_quote(text), max);
	return false;
}
