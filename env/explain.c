/* Words for where values come from. */
#include <string.h>

#include "env/internal.h"
#include "env/text.h"

const char *sp_environment_name(enum sp_environment environment)
{
	static const char *const names[SP_ENVIRONMENTS] = {"development", "production", "ci", "critical"};

	return (unsigned)environment < SP_ENVIRONMENTS ? names[environment] : "unknown";
}

const char *sp_source_name(enum sp_source source)
{
	static const char *const names[] = {"default", "detected", "rule", "file", "variable", "flag"};

	return (unsigned)source < sizeof(names) / sizeof(names[0]) ? names[source] : "unknown";
}

static void put_rules(struct sp_text_out *out, unsigned rules)
{
	const char *between = ": ";

	for (unsigned i = 0; rules >> i; i++) {
		if (!(rules >> i & 1))
			continue;
		sp_text_put(out, between);
		sp_text_put(out, sp_rule_reason(i));
		between = "; ";
	}
}

static void put_outvoted(struct sp_text_out *out, const struct sp_config *config, const struct sp_where *where)
{
	enum sp_environment environment;
	char reason[128];

	for (unsigned i = 0; sp_environment_outvoted(config, where, i, &environment, reason, sizeof(reason)); i++) {
		sp_text_put(out, i ? ", " : "; against: ");
		sp_text_put(out, reason);
		sp_text_put(out, " (");
		sp_text_put(out, sp_environment_name(environment));
		sp_text_put(out, ")");
	}
}

static void put_line(struct sp_text_out *out, unsigned line)
{
	sp_text_put(out, " line ");
	sp_text_put_number(out, line);
}

static void put_origin(struct sp_text_out *out, const struct sp_config *config, enum sp_option option)
{
	const struct sp_option_row *row = &sp_option_rows[option];
	const struct sp_value *value = &config->values[option];

	switch (value->source) {
	case SP_SOURCE_DETECTED:
		if (option == SP_OPT_ENVIRONMENT) {
			sp_text_put(out, ": ");
			sp_text_put(out, config->reason);
		}
		break;
	case SP_SOURCE_RULE:
		put_rules(out, value->rules);
		break;
	case SP_SOURCE_FILE:
		put_line(out, value->line);
		break;
	case SP_SOURCE_VARIABLE:
		sp_text_put(out, " ");
		sp_text_put(out, value->variable);
		break;
	case SP_SOURCE_FLAG:
		sp_text_put(out, *row->flag ? " --" : "");
		sp_text_put(out, row->flag);
		break;
	default:
		break;
	}
}

/* The text was set by somebody and goes into lines with tabs between fields. */
static void put_refused(struct sp_text_out *out, const struct sp_refused *refused, const char *why)
{
	size_t from;

	sp_text_put(out, "; ");
	sp_text_put(out, refused->variable);
	sp_text_put(out, "=");
	from = out->length;
	sp_text_put_some(out, refused->text, 40);
	for (; from < out->length; from++)
		if ((unsigned char)out->buffer[from] < ' ')
			out->buffer[from] = '?';
	if (refused->line) {
		sp_text_put(out, " in the file's");
		put_line(out, refused->line);
	}
	sp_text_put(out, why);
}

size_t sp_source_text(const struct sp_config *config, const struct sp_where *where, enum sp_option option, char *buffer,
	size_t size)
{
	const struct sp_value *value = &config->values[option];
	struct sp_text_out out = {buffer, size, 0};

	sp_text_put(&out, sp_source_name(value->source));
	put_origin(&out, config, option);
	if (option == SP_OPT_ENVIRONMENT)
		put_outvoted(&out, config, where);
	if (value->refused.variable)
		put_refused(&out, &value->refused,
			value->refused.line && config->file->found && sp_option_rows[option].type == SP_TYPE_PATH
				? " does not count: nobody named the file"
				: " is not allowed");
	if (option == SP_OPT_CONFIG && config->file && config->file->problem) {
		sp_text_put(&out, value->text ? "; the rest of it is ignored: " : "; ");
		sp_text_put(&out, value->text ? "" : config->file->path);
		sp_text_put(&out, value->text ? "" : " is ignored: ");
		sp_text_put(&out, config->file->problem);
	}
	return out.length;
}
