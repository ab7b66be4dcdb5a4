/* What commands need of the history, and the subcommands that read it. */
#ifndef SP_TOOLS_HISTORY_HISTORY_H
#define SP_TOOLS_HISTORY_HISTORY_H

#include "profiles/history/store.h"

/* Opens the history of this place. Returns 0, or 1 after a complaint that names the command. */
int sp_history_open_here(const char *command, enum sp_history_how how, struct sp_history **store);

/* One line about what is wrong; returns 1. */
int sp_history_complain(const char *command, const char *why);

int sp_history_cmd_list(int argc, char **argv);
int sp_history_cmd_show(int argc, char **argv);
int sp_history_cmd_trend(int argc, char **argv);
int sp_history_cmd_note(int argc, char **argv);
int sp_history_cmd_tag(int argc, char **argv);
int sp_history_cmd_where(int argc, char **argv);
int sp_history_cmd_changes(int argc, char **argv);
int sp_history_cmd_alert(int argc, char **argv);
int sp_history_cmd_figures(int argc, char **argv);
int sp_history_cmd_bisect(int argc, char **argv);

#endif
