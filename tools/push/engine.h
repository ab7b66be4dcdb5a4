/* The engines that profiles are sent to: a row of one table each (engines.c).
 *
 * A target is written KIND+http://HOST:PORT/PATH, or KIND:DIRECTORY. What an engine gets is made of a profile that was read
 * back from its Markdown, so that one which was written long ago, or waited in the outbox, is sent as a new one is. */
#ifndef SP_TOOLS_PUSH_ENGINE_H
#define SP_TOOLS_PUSH_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiles/model/model.h"
#include "tools/push/http.h"
#include "tools/push/labels.h"

#define SP_PUSH_ADDRESS_BYTES 2048u
#define SP_PUSH_USER_BYTES 128u
#define SP_PUSH_ID_BYTES 16u

struct sp_push_engine;

struct sp_push_target {
	const struct sp_push_engine *engine;
	char text[SP_PUSH_ADDRESS_BYTES]; /* as it was given */
	char base
		[SP_PUSH_ADDRESS_BYTES]; /* the address, without a user and without slashes at its end; or the directory */
	char user[SP_PUSH_USER_BYTES]; /* empty: none */
};

/* How sending goes on this machine, as engines of figures are told. */
struct sp_push_health {
	uint64_t sent, refused, dropped, failures;
	uint64_t waiting, waiting_bytes;
};

/* A profile that is to be sent. */
struct sp_push_item {
	struct sp_profile *profile; /* ready for the exporting writers (sp_export_prepare), its facts without secrets */
	const struct sp_buffer *markdown;
	const struct sp_push_labels *labels; /* with service, version, host, environment, program: sp_push_labels_of */
	unsigned char id[SP_PUSH_ID_BYTES];  /* of its text: the same profile has it whenever it is sent */
	uint64_t start_ns, end_ns;           /* since 1970; 0 unknown */
	const struct sp_push_health *health; /* where the engine is told */
};

/* One thing to be done for it: a request, or, where the engine reads files, a file. */
struct sp_push_request {
	const char *method;
	char *url;        /* or the file's name; its own, as the headers are */
	char *headers[4]; /* "Name: value", the last one NULL */
	struct sp_buffer body;
	bool gzip;
	char *unless; /* an address to ask first: unless it answers 0, this was done already; NULL: none */
};

/* All of it, in order; when one fails, all are sent again later. */
struct sp_push_parcel {
	struct sp_push_request *list;
	size_t count, capacity;
	char note[200]; /* what of the profile is not in it, a phrase; empty: nothing */
};

/* A new one, in the parcel; the strings are formatted and copied. It lives until the next call. */
struct sp_push_request *sp_push_parcel_add(struct sp_push_parcel *parcel, const char *method, const char *url_format,
	...) __attribute__((format(printf, 3, 4)));
void sp_push_header(struct sp_push_request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sp_push_parcel_free(struct sp_push_parcel *parcel);

/* Fills the parcel. false with a phrase in *why: there is nothing in the profile that the engine takes. */
typedef bool sp_push_pack_fn(struct sp_push_parcel *parcel, const struct sp_push_item *item,
	const struct sp_push_target *target, const char **why);

/* Looks at an answer that says 2xx: false, and *why filled, where it refuses all the same. */
typedef bool sp_push_check_fn(const struct sp_http_answer *answer, char *why, size_t size);

/* Makes what the engine needs before the first profile, push --init. Returns the exit status, after a complaint. */
typedef int sp_push_init_fn(struct sp_http *http, const struct sp_push_target *target);

/* What an engine takes by default, as its documentation says; 0: it says nothing. */
struct sp_push_limits {
	size_t bytes_most;                         /* of a profile, uncompressed */
	size_t stacks_most;                        /* of a profile; more are added up */
	unsigned old_most_s;                       /* since the end of what was measured */
	const char *old_setting;                   /* what of the engine's changes that */
	size_t labels_most, name_most, value_most; /* names and values in bytes */
};

struct sp_push_engine {
	const char *name;
	const char *what;                /* one line of help */
	bool is_directory, tells_health; /* it gets figures of sending, too */
	sp_push_pack_fn *pack;
	sp_push_check_fn *check; /* NULL: 2xx is all it says */
	sp_push_init_fn *init;   /* NULL: it needs nothing */
	struct sp_push_limits limits;
};

/* By number; NULL behind the last. */
const struct sp_push_engine *sp_push_engine(size_t index);

/* false with a phrase in *why. A relative directory becomes an absolute one. */
bool sp_push_target_parse(struct sp_push_target *target, const char *text, const char **why);

/* Reads the profile. labels: what the user gave; they are completed and belong to the item. false with a phrase in *why. */
bool sp_push_item_read(struct sp_push_item *item, const struct sp_buffer *markdown, struct sp_push_labels *labels,
	const char **why);
void sp_push_item_free(struct sp_push_item *item);

/* Makes a profile's stacks of each kind at most so many: the lightest are added up in one, [rest]. Returns how many were. */
size_t sp_push_bound_stacks(struct sp_profile *profile, size_t most);

/* The rows of the table. */
sp_push_pack_fn sp_push_pyroscope, sp_push_parca, sp_push_otlp, sp_push_textfile, sp_push_pushgateway, sp_push_victoria,
	sp_push_clickhouse;
sp_push_check_fn sp_push_otlp_check;
sp_push_init_fn sp_push_clickhouse_init;

#endif
