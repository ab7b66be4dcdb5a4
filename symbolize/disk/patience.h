/* File systems that may never answer: a network's, or a program's. */
#ifndef SP_SYMBOLIZE_DISK_PATIENCE_H
#define SP_SYMBOLIZE_DISK_PATIENCE_H

/* Calls fn(arg), which looks at the file `path`, and returns what it returns, or -ETIMEDOUT after two seconds; then,
 * and for other files in that directory from then on, fn's work is given up, memory it took included. Where something
 * that may hang is mounted fn runs in a process of its own that shares our memory but not our descriptors: it leaves
 * none open. */
int sp_patiently(int (*fn)(void *arg), void *arg, const char *path);

#endif
