/* smartprof.toml: a strict subset of TOML 1.0 (docs/CHECK.md has its grammar), into JSON.
 *
 * Tables `[a]` and `[a.b]`, arrays of tables `[[a]]`, keys (bare or quoted), strings on one line ("…" with escapes, '…'), whole numbers,
 * decimals, true and false, arrays of these over several lines, comments. What TOML has besides (dates, inline tables, dotted keys, strings
 * of several lines, numbers with underscores or another base) is refused, and so is whatever is defined twice. */
#ifndef SP_PROFILES_GATE_TOML_H
#define SP_PROFILES_GATE_TOML_H

#include <jansson.h>
#include <stddef.h>

#define SP_TOML_BYTES_MAX (1u << 20)

/* A new object; NULL: *why has a phrase and *line, from 1, the place. The text may be anything. */
json_t *sp_toml_parse(const char *text, size_t length, const char **why, size_t *line);

#endif
