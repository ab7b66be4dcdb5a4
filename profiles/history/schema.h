/* The tables of the history, by version. */
#ifndef SP_PROFILES_HISTORY_SCHEMA_H
#define SP_PROFILES_HISTORY_SCHEMA_H

/* In the header of the file: of SQLite's databases, this is one of ours. */
#define SP_HISTORY_APPLICATION 0x73704869

/* What each version adds to the one before; the first makes an empty database. Once landed, a migration never changes: databases
 * have it. */
extern const char *const sp_history_migrations[];
extern const int sp_history_version; /* how many there are */

#endif
