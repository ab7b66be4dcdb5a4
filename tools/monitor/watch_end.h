/* What a watch learns at the end of its command. Private to watch.c. */
#ifndef SP_TOOLS_MONITOR_WATCH_END_H
#define SP_TOOLS_MONITOR_WATCH_END_H

struct sp_watch;
struct sp_keeper_told;

void sp_watch_take_ended(struct sp_watch *watch, const struct sp_keeper_told *told);
void sp_watch_take_over(struct sp_watch *watch, const struct sp_keeper_told *told);

/* Once, when it is over: the output's end, the machine's part, what was left running. */
void sp_watch_complete(struct sp_watch *watch);

#endif
