/* Asking the holder of a lock. One that is not in the registry, or has ended, does not answer: blocks are never unmapped. */
#include "sampler/threads/holder.h"

#include "sampler/threads/registry.h"

void sp_holder_ask_thread(struct sp_holder *h, int tid, const int *owner, int mine)
{
	h->tid = tid;
	h->t = tid > 0 ? sp_registry_find(tid, NULL) : NULL;
	h->stack = h->call = h->span = 0;
	if (!h->t)
		return;
	h->span = sp_load(&h->t->span_node);
	h->asked_tsc = sp_tsc();
	sp_store(&h->t->wait.asked_mine, mine);
	__atomic_store_n(&h->t->wait.asked, owner, __ATOMIC_RELEASE);
}

void sp_holder_ask(struct sp_holder *h, const int *owner)
{
	int tid = sp_load(owner);

	sp_holder_ask_thread(h, tid, owner, tid);
}

void sp_holder_answer(struct sp_holder *h)
{
	uint64_t told_tsc;

	if (!h->t || sp_load(&h->t->tid) != h->tid)
		return;
	told_tsc = __atomic_load_n(&h->t->wait.told_tsc, __ATOMIC_ACQUIRE);
	if (told_tsc < h->asked_tsc)
		return;
	h->stack = sp_load(&h->t->wait.told_stack);
	h->call = sp_load(&h->t->wait.told_call);
	h->caller = sp_load(&h->t->wait.told_caller);
}

/* It may have given the lock away since, and that may be gone. */
void sp_holder_tell(struct sp_thread *t, uint32_t stack, uint32_t call, uint64_t caller)
{
	const int *owner = __atomic_exchange_n(&t->wait.asked, NULL, __ATOMIC_ACQUIRE);
	int word;

	if (!owner || !sp_read_memory(&word, owner, sizeof word) || word != sp_load(&t->wait.asked_mine))
		return;
	sp_store(&t->wait.told_stack, stack);
	sp_store(&t->wait.told_call, call);
	sp_store(&t->wait.told_caller, caller);
	__atomic_store_n(&t->wait.told_tsc, sp_tsc(), __ATOMIC_RELEASE);
}
