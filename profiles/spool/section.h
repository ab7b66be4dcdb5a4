/* Reading parts of a spool, for what reads spools as a whole. Private to profiles/spool. */
#ifndef SP_PROFILES_SPOOL_SECTION_H
#define SP_PROFILES_SPOOL_SECTION_H

#include "profiles/spool/read.h"

/* All return 0, or a negative errno and a phrase in *why. */
int sp_spool_read_header(struct sp_spool_header *header, int fd, const char **why);

/* The memory that a section's records are read to. Of them the first `known` are there already. All zero at first. */
struct sp_section_room {
	size_t capacity, known;
};

/* Copies the visible records of one section, of `size` bytes each, to *array, which is made anew when it is too small;
 * behind the last record stands a NUL. The header is read already. */
int sp_section_read(const struct sp_snapshot *s, int fd, enum sp_section which, size_t size, void *array, size_t *count,
	struct sp_section_room *room, const char **why);

/* Reads all visible records of a section, some at a time, into memory that stays in a processor's cache; `take` gets
 * them with the number of the first. */
typedef void sp_section_block_fn(void *context, size_t from, const void *records, size_t count);
int sp_section_stream(const struct sp_snapshot *s, int fd, enum sp_section which, size_t size,
	sp_section_block_fn *take, void *context, size_t *count, const char **why);

/* Copies the `count` records from number `from` on, which stay all zero where there is none. */
int sp_section_part(const struct sp_snapshot *s, int fd, enum sp_section which, size_t size, uint64_t from,
	size_t count, void *records, const char **why);

/* Copies the records at these places, which stay all zero where there is none. */
int sp_section_pick(const struct sp_snapshot *s, int fd, enum sp_section which, size_t size, const uint32_t *places,
	size_t count, void *records, const char **why);

/* Once the whole is read: whether its process is there, and since when it was read. */
void sp_snapshot_set_time(struct sp_snapshot *s, int fd);

/* What struct sp_snapshot guarantees: of all that was read, and of these alone. */
void sp_snapshot_check(struct sp_snapshot *s);
void sp_snapshot_check_stacks(struct sp_snapshot *s);
void sp_snapshot_check_modules(struct sp_snapshot *s);
void sp_snapshot_check_threads(struct sp_snapshot *s);

#endif
