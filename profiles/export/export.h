/* Profiles for other programs: folded stacks, speedscope, pprof, JSON. All are made of a profile that was read from
 * Markdown, so a file written long ago gives what a spool gives. */
#ifndef SP_PROFILES_EXPORT_H
#define SP_PROFILES_EXPORT_H

#include <stddef.h>

#include "profiles/base/buffer.h"
#include "profiles/model/folded.h"
#include "profiles/model/model.h"

/* What a flame graph shows the size of. */
enum sp_export_view {
	SP_VIEW_CPU,
	SP_VIEW_INUSE,
	SP_VIEW_PEAK,
	SP_VIEW_ALLOCATED,
	SP_VIEW_WAIT,
	SP_VIEW_WALL,
	SP_VIEWS
};

struct sp_view_info {
	const char *key, *title;
	const char *unit; /* as speedscope and pprof name it: "nanoseconds", "bytes" */
	enum sp_stack_kind stacks;
	enum sp_path_weight_kind weight;
};
extern const struct sp_view_info sp_view_info[SP_VIEWS];

/* Whether the profile was made with it. */
bool sp_view_on(const struct sp_profile *profile, enum sp_export_view view);
uint64_t sp_view_weight(const struct sp_path *path, enum sp_export_view view);
uint64_t sp_view_value(const double *values, enum sp_export_view view); /* by enum sp_path_weight_kind */

/* The same of one kind, SP_WEIGHT_USER_NS standing for all CPU time. */
uint64_t sp_row_value(const double *values, enum sp_path_weight_kind weight);

/* The kind of stacks that have such a weight. */
enum sp_stack_kind sp_weight_stacks(enum sp_path_weight_kind weight);

/* What the kind's samples are taken of, and what lies between two of them: ns of CPU time, or bytes; 0 unknown, or not the
 * same for all. */
struct sp_export_period {
	const char *type, *unit;
	uint64_t value;
};
struct sp_export_period sp_export_period(const struct sp_profile *profile, enum sp_stack_kind kind);

/* Makes a profile read from Markdown ready for the writers below, once: keeps the stacks that the filter wants (the
 * others become [filtered]) and adds those of CPU time that no sample stands for. Returns NULL, or a phrase when it holds
 * no stacks. */
const char *sp_export_prepare(struct sp_profile *profile, const struct sp_filter *filter);

/* "outer;inner 1234" lines, nanoseconds or bytes; a semicolon in a name becomes a colon. */
void sp_export_folded(struct sp_buffer *out, const struct sp_profile *profile, enum sp_export_view view);

/* One file with a profile a view, `view` the one shown first; frames are functions, or `lines`.
 * https://www.speedscope.app/file-format-schema.json */
void sp_export_speedscope(struct sp_buffer *out, const struct sp_profile *profile, enum sp_export_view view,
	bool lines);

/* A gzipped perftools.profiles.Profile (github.com/google/pprof, proto/profile.proto): samples and CPU time, or
 * for a view of the heap objects and space allocated, in use and at peak, or waits and time off the CPU, or all three times;
 * the view's type is the default. */
void sp_export_pprof(struct sp_buffer *out, const struct sp_profile *profile, enum sp_export_view view);

/* An OTLP ProfilesData (opentelemetry-proto, profiles/v1development), which is also the body of a request to export it: a
 * profile for each type of value, of CPU time, the heap and waits, the view's type first. */
void sp_export_otlp(struct sp_buffer *out, const struct sp_profile *profile, enum sp_export_view view);

/* The same of a resource that is told of by these attributes, and by service.name, process.executable.name, process.pid and
 * process.command_line where they are not among them. id: 16 bytes, from which each profile gets its profile_id; NULL: none. */
struct sp_export_attribute {
	const char *key, *value;
};
struct sp_export_resource {
	const struct sp_export_attribute *list;
	size_t count;
	const unsigned char *id;
};
void sp_export_otlp_of(struct sp_buffer *out, const struct sp_profile *profile, enum sp_export_view view,
	const struct sp_export_resource *resource);

/* The older format of gperftools, times in microseconds; of the heap in use or, for SP_VIEW_PEAK, at peak, and
 * allocated. */
void sp_export_gperftools(struct sp_buffer *out, const struct sp_profile *profile, enum sp_export_view view);

/* Everything; docs/FORMATS.md has the schema. */
void sp_export_json(struct sp_buffer *out, const struct sp_profile *profile);

#endif
