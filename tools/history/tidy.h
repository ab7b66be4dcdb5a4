/* The subcommands of `smartprof history` that look after it: each as those of history.h. */
#ifndef SP_TOOLS_HISTORY_TIDY_H
#define SP_TOOLS_HISTORY_TIDY_H

int sp_history_cmd_clean(int argc, char **argv);
int sp_history_cmd_verify(int argc, char **argv);
int sp_history_cmd_export(int argc, char **argv);
int sp_history_cmd_archive(int argc, char **argv);
int sp_history_cmd_import(int argc, char **argv);

#endif
