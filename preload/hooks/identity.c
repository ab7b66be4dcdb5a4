/* The process becomes another user: what root has begun is handed over while there is the right to do so.
 *
 * The spool moves to the new user's directory and is theirs from then on, so that what an unprivileged process writes
 * is never read with root's trust. Changes made by system calls of the program's own are noticed later, by
 * sp_upkeep_step, and end the sampling. */
#include <errno.h>
#include <unistd.h>

#include "preload/export.h"
#include "preload/finish/tree.h"
#include "preload/process.h"
#include "preload/real.h"
#include "preload/spool_place.h"
#include "sampler/clock/calibrate.h"
#include "sampler/sys.h"
#include "sampler/upkeep/upkeep.h"

#define UNCHANGED ((uid_t)-1)

/* The real, the effective and the saved user. */
struct ids {
	uid_t real, effective, saved;
};

struct handover {
	bool under_way;
	uint32_t from, to;
	char *path; /* where the spool was; NULL: it has not moved */
};

static struct ids current_ids(void)
{
	struct ids ids = {UNCHANGED, UNCHANGED, UNCHANGED};

	sp_sys(SYS_getresuid, &ids.real, &ids.effective, &ids.saved);
	return ids;
}

/* Hands everything over if the process is about to give its user up for good. */
static struct handover before_change(struct ids after)
{
	int saved_errno = errno, state = sp_agent_state();
	uint32_t now = (uint32_t)sp_sys(SYS_geteuid);
	struct handover h = {.from = state == SP_AGENT_ACTIVE ? sp_agent.uid : now, .to = after.effective};

	if ((state != SP_AGENT_DORMANT && state != SP_AGENT_ACTIVE) || sp_agent.sealed || sp_is_stale_child() ||
		sp_is_vfork_child() || h.from != now || h.to == UNCHANGED || after.real == h.from ||
		after.effective == h.from || after.saved == h.from)
		return h;
	h.under_way = true;
	sp_tree_give_up();
	if (h.from == 0)
		sp_place_for_user(sp_process.output_dir, h.to);
	if (state == SP_AGENT_ACTIVE)
		h.path = sp_spool_hand_over(sp_process.spool_path, h.to);
	errno = saved_errno;
	return h;
}

static int after_change(struct handover *h, int result)
{
	int saved_errno = errno;

	if (!h->under_way)
		return result;
	if (result != 0) {
		if (h->path)
			sp_spool_take_back(h->path, sp_process.spool_path, h->from);
	} else if (sp_agent_state() == SP_AGENT_ACTIVE && !h->path) {
		sp_upkeep_retire(sp_tls.thread); /* it stays root's, and is recovered by root */
	} else {
		sp_agent.uid = h->to;
		if (h->path) {
			sp_process.spool_path = h->path;
			sp_calibrate_place(h->path);
			sp_agent.spool->uid = h->to;
		}
	}
	errno = saved_errno;
	return result;
}

SP_EXPORT int setuid(uid_t uid)
{
	struct ids now = current_ids();
	struct handover h = before_change(now.effective == 0 ? (struct ids){uid, uid, uid}
							     : (struct ids){now.real, uid, now.saved});

	return after_change(&h, SP_REAL(setuid)(uid));
}

SP_EXPORT int seteuid(uid_t uid)
{
	struct ids now = current_ids();
	struct handover h = before_change((struct ids){now.real, uid, now.saved});

	return after_change(&h, SP_REAL(seteuid)(uid));
}

SP_EXPORT int setreuid(uid_t real, uid_t effective)
{
	struct ids now = current_ids(), after = now;
	struct handover h;

	if (effective != UNCHANGED)
		after.effective = effective;
	if (real != UNCHANGED)
		after.real = real;
	if (real != UNCHANGED || after.effective != now.real)
		after.saved = after.effective;
	h = before_change(after);
	return after_change(&h, SP_REAL(setreuid)(real, effective));
}

SP_EXPORT int setresuid(uid_t real, uid_t effective, uid_t saved)
{
	struct ids now = current_ids();
	struct handover h = before_change((struct ids){real == UNCHANGED ? now.real : real,
		effective == UNCHANGED ? now.effective : effective, saved == UNCHANGED ? now.saved : saved});

	return after_change(&h, SP_REAL(setresuid)(real, effective, saved));
}
