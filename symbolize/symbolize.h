/* Address -> function, file, line, inlined frames. Runs in the command only, never in the target.
 *
 * One symbolizer per render, or for several (struct sp_symbolizer_pool). It opens a module's file at most once, checks its build-id against
 * the one recorded in the target, and answers from DWARF, else from ELF symbols, else says so:
 * a wrong name is worse than none. Files are read from the local disk only, unless the options ask
 * for debuginfod. Answers are kept, so asking again is cheap; asking for many at once
 * (sp_symbolizer_prepare) uses all processors and the cache. To be called by one thread at a time. */
#ifndef SP_SYMBOLIZE_SYMBOLIZE_H
#define SP_SYMBOLIZE_SYMBOLIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_symbolizer;

/* How to go about it. All zero is fine. Texts are copied. */
struct sp_symbolizer_options {
	const char *debug_dirs;          /* where separate debug files live, separated by colons; NULL: SP_DEBUG_DIR */
	const char *cache;               /* path of the database of answers (symbolize/cache/cache.h); NULL: none */
	int pid;                         /* the process the modules are of, if it lives; 0: it does not */
	bool names_only;                 /* of an address only the function's name and local_to are wanted, no lines
					 * and no inlined calls: where a .symtab tells, no DWARF is read */
	bool no_inlines;                 /* for whoever asks: of an address only its outermost function is wanted */
	unsigned debuginfod_seconds;     /* ask debuginfod, for at most so long altogether; 0: do not */
	void (*warn)(const char *text);  /* called once when the cache cannot be used; may be NULL */
	struct sp_symbolizer_pool *pool; /* where symbolizers are kept for the next render; NULL: nowhere */
};

/* Symbolizers of several renders, one after the other, of one living process or of processes that have ended (`pid` 0):
 * sp_symbolizer_new takes one with the same options out of it, which knows the modules and answers of the renders before,
 * and sp_symbolizer_free leaves it there. All zero is empty. */
struct sp_symbolizer_pool {
	struct sp_symbolizer *first;
};
void sp_symbolizer_pool_free(struct sp_symbolizer_pool *pool);

#define SP_DEBUG_DIR "/usr/lib/debug"

/* A file as stat(2) tells it. */
struct sp_symbol_file {
	uint64_t device, inode, bytes;
	int64_t modified_ns, changed_ns;
};

struct stat;
struct sp_symbol_file sp_symbol_file_of(const struct stat *status);

/* A module as the target saw it. */
struct sp_symbol_module {
	const char *path;                  /* absolute, or "[vdso]" */
	uint64_t start;                    /* runtime address of its first byte; 0: unknown */
	uint64_t bias;                     /* runtime address - ELF virtual address */
	const uint8_t *build_id;           /* as read from the target's memory */
	size_t build_id_bytes;             /* 0: the module had none */
	const struct sp_symbol_file *file; /* what was mapped, for want of a build-id; changed_ns 0: the path did not
	                                    * lead to it. NULL: whatever the path leads to is taken for it */
};

/* Where a module's names come from, worst first; for the Data Quality section. */
enum sp_symbol_source {
	SP_SYMBOLS_GONE,       /* no file at the path any more */
	SP_SYMBOLS_UNREADABLE, /* one that we may not, or could not, read */
	SP_SYMBOLS_MISMATCH,   /* another file or build-id than the target mapped */
	SP_SYMBOLS_NONE,       /* readable, but without any symbol table */
	SP_SYMBOLS_DYNAMIC,    /* .dynsym only */
	SP_SYMBOLS_ELF,        /* .symtab (of the file, of .gnu_debugdata or a separate file) */
	SP_SYMBOLS_DWARF,      /* DWARF: files and lines too */
	SP_SYMBOLS_PERF_MAP,   /* a just-in-time compiler's own word */
};

/* One frame. Strings belong to the symbolizer and live until sp_symbolizer_free. */
struct sp_symbol {
	const char *function;  /* demangled; NULL: unknown, print module+0xoffset */
	const char *file;      /* absolute or as in the line table; NULL: unknown */
	unsigned line;         /* 0: unknown. For an inlined-into frame: the line of the call */
	const char *decl_file; /* where the function itself is declared; NULL: unknown */
	unsigned decl_line;
	uint64_t function_address; /* ELF virtual address of the enclosing symbol, or of the
	                            * function's unwind entry where nothing names it; 0 unknown */
	bool inlined;              /* this function's code was inlined into the next frame of the answer */
	const char *local_to;      /* source file of a local function, when the module has local functions
				    * of this name in several files; else NULL */
};

/* One address to be asked for. */
struct sp_symbol_query {
	uint64_t address; /* as for sp_symbolize */
	int module;
};

/* options: NULL for the defaults. */
struct sp_symbolizer *sp_symbolizer_new(const struct sp_symbolizer_options *options);
void sp_symbolizer_free(struct sp_symbolizer *s);

/* Makes a module known and returns its handle, which is not negative. A file that is missing or does not match is not an
 * error: its addresses stay unnamed. */
int sp_symbolizer_add_module(struct sp_symbolizer *s, const struct sp_symbol_module *module);

/* Makes a module of what the perf map of process `pid` (its number in its own pid namespace) names,
 * as sp_perfmap_read (symbolize/perfmap.h) finds it below `root`. Addresses outside of the map have
 * no name. Returns its handle >= 0 or a negative errno. */
int sp_symbolizer_add_perf_map(struct sp_symbolizer *s, const char *root, int pid, unsigned uid, uint64_t since_ns);

/* The best source of names found for a module so far. Opens the file if need be. */
enum sp_symbol_source sp_symbolizer_source(struct sp_symbolizer *s, int module);

/* What a module's answers lack, for the Data Quality section. */
struct sp_symbol_trouble {
	int error;           /* a negative errno: a file could not be read; 0: none */
	const char *missing; /* a file with debug information (.dwo) that is not there; NULL: none. Lives until the next
	                      * question */
	size_t missing_count;
};
void sp_symbolizer_trouble(struct sp_symbolizer *s, int module, struct sp_symbol_trouble *trouble);

/* Works many addresses out ahead, so that sp_symbolize finds them in memory: from the cache, else in
 * parallel; what was worked out goes to the cache. Changes the queries. An address that was not prepared is
 * worked out when asked for. */
void sp_symbolizer_prepare(struct sp_symbolizer *s, struct sp_symbol_query *queries, size_t count);

/* Resolves one runtime address. For a return address pass address - 1. Fills out[0..n), innermost
 * inlined function first and the real function last, and returns n >= 1 (a frame without a name
 * counts); never more than max: of a longer chain, calls just inside the real function are left out. */
size_t sp_symbolize(struct sp_symbolizer *s, int module, uint64_t address, struct sp_symbol *out, size_t max);

/* A hash of the machine code of the function at a runtime address, which is the same in another build where that function was
 * compiled to the same instructions: what only tells where other code and data lie is left out. 0: the file is not to be had,
 * or no symbol tells where the function ends. Opens the file. */
uint64_t sp_symbolize_code(struct sp_symbolizer *s, int module, uint64_t address);

/* Whether all constants and tables of a program's file, but for what tells where code and data lie, are in the file of another build of
 * it, too: 1 or 0. Negative: one of the files is not to be had. */
int sp_symbolize_constants_kept(const char *before, const char *now);

/* The name of the variable that holds a runtime address, and how far into it that is; NULL where nothing names it. The
 * caller's to free. */
char *sp_symbolize_variable(const struct sp_symbol_module *module, uint64_t address, uint64_t *offset);

/* As DWARF numbers them: rax rdx rcx rbx rsi rdi rbp rsp r8 ... r15 rip; on aarch64 x15 x16 x17 x19 ... x30 sp pc. */
#define SP_STACK_REGISTERS 17u

/* A thread's stack as it was copied. */
struct sp_copied_stack {
	uint64_t registers[SP_STACK_REGISTERS];
	const uint64_t *words;
	size_t count;
	uint64_t low;               /* address of the first word */
	uint32_t unknown;           /* registers that are not known, a bit for each */
	uint32_t code_address_bits; /* what is above them in a return address authenticates it; 0: nothing does */
	const uint64_t *known;      /* the inner frames, as the target found them */
	size_t known_count;
	/* The module that holds a runtime address; negative: none does. */
	int (*module_at)(void *context, uint64_t address);
	/* Whether an address is behind a call. Where tables cannot be followed for want of a register, or there are none, a
	 * frame that keeps a frame pointer is looked for with it; NULL: it is not. */
	bool (*is_return)(void *context, uint64_t address);
	size_t *guessed; /* then: index of the first frame that was found so, unchanged if none was */
	void *context;
};

/* How a walk of one ended. */
enum sp_copied_end {
	SP_COPIED_LOST,  /* somewhere */
	SP_COPIED_WHOLE, /* where the thread began */
	SP_COPIED_RULED, /* there, with tables alone, from the interrupted instruction on */
};

/* Walks it by the modules' tables, those of separate debug files included. Through code in no module it goes by the
 * known frames. Fills frames[0..n) as the target would have: the interrupted instruction, then return addresses, and
 * returns n <= max. The copy may be anything. */
size_t sp_symbolizer_walk(struct sp_symbolizer *s, const struct sp_copied_stack *stack, uint64_t *frames, size_t max,
	enum sp_copied_end *end);

/* Where the code whose frame the tables describe at a runtime address begins; 0: they do not. */
uint64_t sp_symbolizer_frame_start(struct sp_symbolizer *s, int module, uint64_t address);

#endif
