/* The table of settings, and reading and writing their values by it. */
#include "env/env.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "env/text.h"

const struct sp_option_row sp_option_rows[SP_OPTIONS] = {
#define SP_OPTION(id, name_, variable_, alias_, flag_, type_, choices_, min_, max_, a_, b_, c_, d_, help_) \
	[SP_OPT_##id] = {name_, variable_, alias_, flag_, type_, min_, max_, a_, b_, c_, d_},
#include "env/options.def"
#undef SP_OPTION
};

#define FITS(text, member) (sizeof(text) <= sizeof(sp_option_rows[0].member))
#define SP_OPTION(id, name_, variable_, alias_, flag_, type_, choices_, min_, max_, a_, b_, c_, d_, help_) \
	_Static_assert(FITS(name_, name) && FITS(variable_, variable) && FITS(alias_, alias) && FITS(flag_, flag), #id);
#include "env/options.def"
#undef SP_OPTION
#undef FITS

/* Those of all lengths stand one behind the other. */
static const char choice_lists[] =
#define SP_OPTION(id, name_, variable_, alias_, flag_, type_, choices_, min_, max_, a_, b_, c_, d_, help_) choices_ "\0"
#include "env/options.def"
#undef SP_OPTION
	;
static const char helps[] =
#define SP_OPTION(id, name_, variable_, alias_, flag_, type_, choices_, min_, max_, a_, b_, c_, d_, help_) help_ "\0"
#include "env/options.def"
#undef SP_OPTION
	;

static const char *text_of(const char *texts, const struct sp_option_row *row)
{
	for (const struct sp_option_row *r = sp_option_rows; r < row; r++)
		texts += strlen(texts) + 1;
	return texts;
}

const char *sp_option_help(const struct sp_option_row *row)
{
	return text_of(helps, row);
}

const char *sp_option_choices(const struct sp_option_row *row)
{
	return text_of(choice_lists, row);
}

const char *const sp_internal_variables[] = {"SMARTPROF_TREE", "SMARTPROF_PROGRESS_FD", SP_VARIABLE_FLAGS,
	"SMARTPROF_GUARD_PID", "SMARTPROF_GUARD_NAME", "SMARTPROF_GUARD_RULE", "SMARTPROF_GUARD_MEMORY",
	"SMARTPROF_GUARD_RSS", "SMARTPROF_GUARD_THRESHOLD", "SMARTPROF_GUARD_LIMIT", "SMARTPROF_GUARD_TIME",
	"SMARTPROF_GUARD_CAPTURE", "SMARTPROF_PUSH_TOKEN", NULL};

int sp_signal_number(uint64_t choice)
{
	/* A byte for each, in the code: of the page that a table stood in nothing else is needed at a start. */
	const uint64_t numbers = SIGPROF | SIGSTKFLT << 8 | SIGURG << 16 | SIGVTALRM << 24 | (uint64_t)SIGUSR1 << 32 |
		(uint64_t)SIGUSR2 << 40;

	return choice < 6 ? (int)(numbers >> 8 * choice & 0xff) : SIGPROF;
}

struct unit {
	char name[8]; /* no pointer: the agent's loader would have to relocate it */
	uint64_t factor;
};

/* A type's bare numbers are in its own unit; its units' factors are in a smaller one, of which
 * `base` make one of its own. */
struct unit_set {
	uint64_t base;
	char printed[8];
	struct unit units[14];
};

#define BYTE_UNITS \
	{ \
		{"B", 1}, {"K", 1 << 10}, {"KiB", 1 << 10}, {"KB", 1000}, {"M", 1 << 20}, {"MiB", 1 << 20}, \
			{"MB", 1000000}, {"G", 1 << 30}, {"GiB", 1 << 30}, {"GB", 1000000000}, {"TiB", 1ull << 40}, \
			{"TB", 1000000000000}, \
		{ \
			"", 0 \
		} \
	}
#define TIME_UNITS \
	{ \
		{"us", 1}, {"µs", 1}, {"ms", 1000}, {"s", 1000000}, {"min", 60000000}, \
		{ \
			"", 0 \
		} \
	}

static const struct unit_set unit_sets[] = {
	[SP_TYPE_COUNT] = {1, "", {{"", 0}}},
	[SP_TYPE_PERCENT] = {1, " %", {{"%", 1}, {"", 0}}},
	[SP_TYPE_US] = {1, " us", TIME_UNITS},
	[SP_TYPE_MS] = {1000, " ms", TIME_UNITS},
	[SP_TYPE_BYTES] = {1, "", BYTE_UNITS},
	[SP_TYPE_MB] = {1000000, " MB", BYTE_UNITS},
};

static int parse_number(const struct sp_option_row *row, const char *text, uint64_t *number)
{
	const struct unit_set *set = &unit_sets[row->type];
	const struct unit *unit = set->units;
	const char *at = text;
	uint64_t value;

	if (*at < '0' || *at > '9')
		return -EINVAL;
	if (!sp_text_number(&at, &value))
		return -ERANGE;
	while (*at == ' ')
		at++;
	if (row->type == SP_TYPE_MB && at[0] == '%' && !at[1]) {
		if (value < 1 || value > 100)
			return -ERANGE;
		*number = SP_MB_OF_LIMIT | value;
		return 0;
	}
	if (*at) {
		while (*unit->name && !sp_text_same(unit->name, at))
			unit++;
		if (!*unit->name)
			return -EINVAL;
		if (__builtin_mul_overflow(value, unit->factor, &value))
			return -ERANGE;
		value = value / set->base + (value % set->base >= set->base - set->base / 2);
	}
	if (value < row->min || value > row->max)
		return -ERANGE;
	*number = value;
	return 0;
}

static int parse_bool(const char *text, uint64_t *number)
{
	int found = sp_choice_find("off,0,no,false|on,1,yes,true", text);

	if (found < 0)
		return -EINVAL;
	*number = (uint64_t)found;
	return 0;
}

static int parse_mode(const char *text, uint64_t *number)
{
	int found = sp_choice_find("cpu|heap", text);

	if (found >= 0)
		*number = found == 0 ? SP_MODE_CPU : SP_MODE_HEAP;
	else if (sp_text_same(text, "cpu,heap") || sp_text_same(text, "heap,cpu"))
		*number = SP_MODE_CPU | SP_MODE_HEAP;
	else
		return -EINVAL;
	return 0;
}

static int parse_choice(const char *list, const char *text, uint64_t *number)
{
	int found = sp_choice_find(list, text);

	if (found < 0)
		return -EINVAL;
	*number = (uint64_t)found;
	return 0;
}

int sp_option_parse(const struct sp_option_row *row, const char *text, uint64_t *number)
{
	switch (row->type) {
	case SP_TYPE_BOOL:
		return parse_bool(text, number);
	case SP_TYPE_MODE:
		return parse_mode(text, number);
	case SP_TYPE_CHOICE:
		return parse_choice(sp_option_choices(row), text, number);
	case SP_TYPE_TEXT:
	case SP_TYPE_PATH:
		*number = 0;
		return 0;
	default:
		return parse_number(row, text, number);
	}
}

static size_t word_bytes(const char *at)
{
	return strcspn(at, ",|");
}

int sp_choice_find(const char *choices, const char *name)
{
	int index = 0;

	for (const char *at = choices;;) {
		size_t bytes = word_bytes(at);

		if (sp_text_starts(name, at, bytes) && name[bytes] == '\0')
			return index;
		if (at[bytes] == '\0')
			return -1;
		index += at[bytes] == '|';
		at += bytes + 1;
	}
}

static void put_choice(struct sp_text_out *out, const char *choices, uint64_t index)
{
	char word[32];
	size_t bytes;

	for (; index; index--)
		choices += strcspn(choices, "|") + 1;
	bytes = word_bytes(choices);
	if (bytes >= sizeof(word))
		bytes = sizeof(word) - 1;
	memcpy(word, choices, bytes);
	word[bytes] = '\0';
	sp_text_put(out, word);
}

static void put_bytes(struct sp_text_out *out, uint64_t bytes)
{
	static const char *const names[] = {" B", " KiB", " MiB", " GiB"};
	int scale = 0;

	while (scale < 3 && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		scale++;
	}
	sp_text_put_number(out, bytes);
	sp_text_put(out, names[scale]);
}

size_t sp_option_format(const struct sp_option_row *row, const struct sp_value *value, char *buffer, size_t size)
{
	struct sp_text_out out = {buffer, size, 0};

	sp_text_put(&out, "");
	switch (row->type) {
	case SP_TYPE_BOOL:
		sp_text_put(&out, value->number ? "on" : "off");
		break;
	case SP_TYPE_MODE:
		sp_text_put(&out, value->number & SP_MODE_CPU ? "cpu" : "");
		sp_text_put(&out, value->number == (SP_MODE_CPU | SP_MODE_HEAP) ? "," : "");
		sp_text_put(&out, value->number & SP_MODE_HEAP ? "heap" : "");
		break;
	case SP_TYPE_CHOICE:
		put_choice(&out, sp_option_choices(row), value->number);
		break;
	case SP_TYPE_TEXT:
	case SP_TYPE_PATH:
		sp_text_put(&out, value->text ? value->text : "");
		break;
	case SP_TYPE_BYTES:
		put_bytes(&out, value->number);
		break;
	default:
		sp_text_put_number(&out, value->number);
		sp_text_put(&out, unit_sets[row->type].printed);
		break;
	}
	return out.length;
}
