/* Marks what the library exports; preload/exports.map repeats the names for the linker. */
#ifndef SP_PRELOAD_EXPORT_H
#define SP_PRELOAD_EXPORT_H

#define SP_EXPORT __attribute__((visibility("default")))

#endif
