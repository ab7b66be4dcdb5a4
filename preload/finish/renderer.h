/* Starts the renderer, and waits for it. */
#ifndef SP_PRELOAD_FINISH_RENDERER_H
#define SP_PRELOAD_FINISH_RENDERER_H

#include <stdbool.h>

#include "sampler/agent.h"

/* Starts the renderer on the spool (NULL: none) and on what the tree's members have left (`tree`: path of its file, NULL:
 * that can wait), and, `patient`, waits for it a bounded time, signals held. Returns 0, or a negative errno when it
 * did not start. */
int sp_render(const char *spool, const char *tree, bool patient) SP_HIDDEN;

/* Starts the process that writes what the spool's timing log has to the file; it ends with this one. Returns 0, or a negative
 * errno when it did not start; -ECHILD: this process adopts orphans. Normal context or a private stack. */
int sp_log_writer_start(const char *spool, const char *file) SP_HIDDEN;

#endif
