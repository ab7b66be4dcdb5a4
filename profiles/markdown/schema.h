/* Schema 1 of the Markdown profile, as tables: its keys, sections and columns (docs/PROFILE.md). */
#ifndef SP_PROFILES_SCHEMA_H
#define SP_PROFILES_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

/* When a key or section has to be there. */
enum sp_when { SP_ALWAYS, SP_WITH_CPU, SP_WITH_HEAP, SP_OPTIONAL };

enum sp_key_type {
	SP_KEY_TEXT,
	SP_KEY_COUNT,   /* whole number, not negative */
	SP_KEY_SIGNED,  /* whole number */
	SP_KEY_DECIMAL, /* number, not negative */
	SP_KEY_EXIT,
	SP_KEY_TIME, /* RFC 3339 */
	SP_KEY_CLOCK,
	SP_KEY_ROLE,
	SP_KEY_HEX,
	SP_KEY_SCHEMA,
};

/* One row a key of the front matter; docs/PROFILE.md lists the same. */
struct sp_schema_key {
	const char *name;
	enum sp_key_type type;
	enum sp_when when;
	const char *absent; /* why it may be */
};

/* One row a section, in the order they stand. */
struct sp_schema_section {
	const char *heading; /* the line starts with it */
	enum sp_when when;
	const char *columns; /* the section's first table starts with these; NULL: it needs none */
	const char *absent;
};

/* What is checked beside numbers and escapes. */
enum sp_table_kind {
	SP_TABLE_FUNCTIONS,
	SP_TABLE_CODE,
	SP_TABLE_OTHER,
	SP_TABLE_MAPPINGS,
	SP_TABLE_FRAMES,
	SP_TABLE_STACKS,
	SP_TABLE_SLICES,
	SP_TABLE_SAMPLES,
	SP_TABLE_TRACES
};

/* A TSV table of the complete part. */
struct sp_schema_table {
	const char *heading;
	const char *columns; /* each ended by a blank; others may stand behind them */
	enum sp_table_kind kind;
	const char *optional; /* likewise, those that not every profile has; NULL: none */
};

#define SP_SCHEMA_KEYS 75u
#define SP_SCHEMA_SECTIONS 52u
#define SP_SCHEMA_TABLES 19u
extern const struct sp_schema_key sp_schema_keys[SP_SCHEMA_KEYS];
extern const struct sp_schema_section sp_schema_sections[SP_SCHEMA_SECTIONS];
extern const struct sp_schema_table sp_schema_tables[SP_SCHEMA_TABLES];

/* The index of the key, SP_SCHEMA_KEYS for an unknown one. */
size_t sp_schema_key(const char *name);

/* The table whose heading the line begins with, or NULL. */
const struct sp_schema_table *sp_schema_table_at(const char *line, size_t length);

/* Whether the table has a column of that name. */
bool sp_schema_has_column(const struct sp_schema_table *table, const char *name, size_t length);

#endif
