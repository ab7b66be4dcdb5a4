/* Figures as Prometheus reads them (OpenMetrics 1.0, and the text format before it). */
#ifndef SP_PROFILES_EXPOSITION_H
#define SP_PROFILES_EXPOSITION_H

#include "profiles/base/buffer.h"

/* name="value", of any bytes. */
void sp_exposition_label(struct sp_buffer *out, const char *name, const char *value);

#endif
