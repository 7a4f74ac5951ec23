/*
 * fathom.h - run DeepSeek-family language models from C.
 *
 * The nouns, and who owns what:
 *
 *   fm_error       a status and one line of text, owned by the caller; filled by calls that fail.
 *   fm_tokenizer   text <-> token ids, read from a model directory. Immutable: any thread.
 *   fm_tokens      a growing list of token ids, owned by the caller.
 *   fm_template    a chat template, parsed. Immutable: any thread.
 *   fm_rendering   what a template made of a conversation: text in spans, the caller's.
 *   fm_decoder     the state that turns a stream of ids back into whole UTF-8; the caller's.
 *   fm_parts       the state that tells reasoning, text and tool calls of an answer apart; the
 *                  caller's.
 *   fm_checkpoint  what lies in a model directory: description and tensors. Immutable: any thread.
 *   fm_model       one checkpoint made ready on its devices, within the limits that
 *                  fm_model_params states. Any number of engines may share it; it outlives them.
 *   fm_engine      caches, workspace and queue of one model. Any thread submits and cancels.
 *                  Engines that share a model share its devices: one thread at a time steps any
 *                  of them, and a second one is refused.
 *   fm_request     what to generate; plain data, copied by fm_engine_submit.
 *   fm_event       what a request's callback receives: a new token, or how the request ended.
 *
 * Whatever an `open` or `new` function returns is freed by the `close` or `free` function of the
 * same noun; NULL is accepted there. No call prints, exits or aborts, and none reads the
 * environment. Where no rule is given, an object is used by one thread at a time.
 *
 * Numbers do not depend on the caller's floating-point environment (rounding mode, flushing of
 * denormals, traps): calls that compute set the default one and put the caller's back.
 *
 * This header includes only standard headers and is valid C11 and C++.
 *
 * Licence: Apache-2.0.
 */
#ifndef FATHOM_H
#define FATHOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The shared library exports what is declared here, and nothing else. */
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/* ---- Status -------------------------------------------------------------------------------------
 * One list makes the codes and their texts. 0 is success, everything else is negative. */

#define FM_STATUS_LIST(X)                                                                          \
    X(OK, 0, "ok")                                                                                 \
    X(ERR_ARG, -1, "invalid argument")                                                             \
    X(ERR_MEMORY, -2, "out of memory")                                                             \
    X(ERR_IO, -3, "input or output failed")                                                        \
    X(ERR_FORMAT, -4, "malformed data")                                                            \
    X(ERR_UNSUPPORTED, -5, "not supported")                                                        \
    X(ERR_LIMIT, -6, "a limit was exceeded")                                                       \
    X(ERR_NOT_FOUND, -7, "not found")                                                              \
    X(ERR_STATE, -8, "called in the wrong state")                                                  \
    X(ERR_NOT_FINITE, -9, "a computed value is not finite")                                        \
    X(ERR_DEVICE, -10, "the device failed")

typedef enum fm_status {
#define FM_STATUS_ENUM(name, value, text) FM_##name = value,
    FM_STATUS_LIST(FM_STATUS_ENUM)
#undef FM_STATUS_ENUM
} fm_status;
/** The fixed English text of a status ("malformed data"); "unknown status" for any other value. */
const char *fm_status_text(fm_status status);

/** A failure in words. `text` is one line without a newline, always terminated: what is wrong,
 * where, and what to do. Functions that take `fm_error *err` fill it only when they fail; NULL is
 * allowed. */
typedef struct fm_error {
    fm_status status;
    char text[500];
} fm_error;

/* ---- Log ------------------------------------------------------------------------------------- */

typedef enum fm_log_level {
    FM_LOG_DEBUG, /* how the device was set up */
    FM_LOG_INFO,  /* what was opened and how much of it was copied */
    FM_LOG_WARN,  /* what is probably a fault of the model directory, and what follows from it */
    FM_LOG_ERROR, /* what a device's own checks found wrong with this library's calls */
} fm_log_level;

/** Receives one line without a newline. May be called from any thread that uses the library, and
 * must leave the floating-point environment as it is. */
typedef void (*fm_log_fn)(void *user, fm_log_level level, const char *line);

/* ---- Number formats -------------------------------------------------------------------------- */

/* X(NAME, name in safetensors files, bits per element). Those above the line are computed with; the
 * others are known by name so that a file that holds them can be described. */
/* clang-format off */
#define FM_DTYPE_LIST(X)                                                                           \
    X(F32, "F32", 32) X(BF16, "BF16", 16) X(F16, "F16", 16) X(I32, "I32", 32)                      \
    /* --- */                                                                                      \
    X(F64, "F64", 64) X(F8_E4M3, "F8_E4M3", 8) X(F8_E5M2, "F8_E5M2", 8) X(F8_E8M0, "F8_E8M0", 8)   \
    X(I8, "I8", 8) X(U8, "U8", 8) X(I16, "I16", 16) X(U16, "U16", 16)                              \
    X(U32, "U32", 32) X(I64, "I64", 64) X(U64, "U64", 64) X(BOOL, "BOOL", 8)
/* clang-format on */

typedef enum fm_dtype {
#define FM_DTYPE_ENUM(name, text, bits) FM_DTYPE_##name,
    FM_DTYPE_LIST(FM_DTYPE_ENUM)
#undef FM_DTYPE_ENUM
        FM_DTYPE_COUNT
} fm_dtype;

/** The name used in safetensors files ("BF16"); "?" outside the enumeration. */
const char *fm_dtype_name(fm_dtype dtype);
/** Bytes of one element; 0 outside the enumeration. */
size_t fm_dtype_size(fm_dtype dtype);

/* ---- Tokenizer ------------------------------------------------------------------------------- */

typedef struct fm_tokenizer fm_tokenizer; /* immutable once open: any thread */

/** A growing list of token ids. Start from a zeroed struct. */
typedef struct fm_tokens {
    int32_t *ids;
    size_t count;
    size_t capacity;
} fm_tokens;

/** Appends one id. FM_ERR_MEMORY leaves the list as it was. */
fm_status fm_tokens_append(fm_tokens *tokens, int32_t id);
void fm_tokens_free(fm_tokens *tokens); /* and zeroes the struct */

/** Reads tokenizer.json, and tokenizer_config.json and chat_template.jinja where present, of a
 * model directory; no weights are needed. FM_ERR_NOT_FOUND when tokenizer.json is absent,
 * FM_ERR_FORMAT when a file is malformed, FM_ERR_UNSUPPORTED for a kind of tokenizer that is not
 * built in, FM_ERR_LIMIT for one that is too large, FM_ERR_IO, FM_ERR_MEMORY. *out is NULL then. */
fm_status fm_tokenizer_open(const char *dir, fm_tokenizer **out, fm_error *err);
void fm_tokenizer_close(fm_tokenizer *t);

/** Highest token id plus one, added tokens included. */
int32_t fm_tokenizer_vocab_size(const fm_tokenizer *t);
/** The id of a token by its text (added tokens) or byte-alphabet form (others); -1 when absent. */
int32_t fm_tokenizer_find(const fm_tokenizer *t, const char *token);
/** Ids of the named special tokens, -1 when the directory names none. */
int32_t fm_tokenizer_bos(const fm_tokenizer *t);
int32_t fm_tokenizer_eos(const fm_tokenizer *t);
/** True when a raw completion starts with the BOS token (`add_bos_token`). */
bool fm_tokenizer_adds_bos(const fm_tokenizer *t);
/** True for an added token with the flag `special`: not printed in answers. */
bool fm_tokenizer_is_special(const fm_tokenizer *t, int32_t id);
/** The bytes a token stands for, not terminated; owned by the tokenizer. NULL and *length 0 for an
 * unused id. */
const char *fm_tokenizer_bytes(const fm_tokenizer *t, int32_t id, size_t *length);

typedef enum fm_encode_mode {
    FM_ENCODE_ADDED,  /* added tokens standing in the text become their ids */
    FM_ENCODE_PLAIN,  /* text is text: no added token comes out of it */
    FM_ENCODE_PROMPT, /* as FM_ENCODE_ADDED, of a raw completion: with the BOS token in front where
                         fm_tokenizer_adds_bos says so, unless the text begins with it */
} fm_encode_mode;

/** Appends the ids of `length` bytes of text, brought into normal form C first where tokenizer.json
 * asks for it. Any bytes: what is no UTF-8 counts as a character that no split rule knows.
 * FM_ERR_UNSUPPORTED when the vocabulary has no token for a byte; on failure `out` is as before.
 * Linear up to a logarithm in `length`, also on hostile text. */
fm_status fm_tokenizer_encode(const fm_tokenizer *t, const char *text, size_t length,
                              fm_encode_mode mode, fm_tokens *out, fm_error *err);

/** Turns a stream of ids back into text whose pieces are always whole UTF-8. Start from a zeroed
 * struct; one decoder a stream. */
typedef struct fm_decoder {
    bool skip_special; /* set by the caller: special tokens give no text */
    uint8_t n_pending; /* bytes of a code point that is not complete yet */
    uint8_t pending[4];
} fm_decoder;

/** Appends the text that became complete with `id` to `out` (capacity `out_size`, no terminator),
 * and sets *length. Bytes that can never become UTF-8 give U+FFFD, one for each maximal invalid
 * part (as the Unicode standard recommends). `out_size` is fm_decoder_bound(t) bytes or more. */
fm_status fm_decoder_push(fm_decoder *d, const fm_tokenizer *t, int32_t id, char *out,
                          size_t out_size, size_t *length);
/** Ends the stream: a code point left incomplete gives one U+FFFD. Needs 3 bytes. */
size_t fm_decoder_end(fm_decoder *d, char *out);
/** Bytes that one fm_decoder_push can write at most for this tokenizer. */
size_t fm_decoder_bound(const fm_tokenizer *t);

/* ---- Chat templates -----------------------------------------------------------------------------
 * The templates that checkpoints carry, in the language of Jinja as far as chat templates go. They
 * are evaluated within limits and see nothing but what they are given. What a template wrote and
 * what came in from outside are told apart to the byte, so that a message cannot forge a special
 * token. */

typedef struct fm_template fm_template;   /* immutable once parsed: any thread */
typedef struct fm_rendering fm_rendering; /* owns its spans; freed by fm_rendering_free */

/** A piece of rendered text. Pieces beside each other are of different kinds. */
typedef struct fm_span {
    const char *text; /* not terminated, UTF-8 */
    size_t length;    /* bytes, at least 1 */
    bool is_template; /* written in the template, or a name's text; false: came with the input */
} fm_span;

/** A variable whose text counts as the template's: a special token ("bos_token"). */
typedef struct fm_template_name {
    const char *name, *text; /* terminated */
} fm_template_name;

/** Parses a template of `length` bytes, at most 1 MiB, and keeps a copy. FM_ERR_FORMAT with "line
 * L, column C: …" when it is no template, FM_ERR_LIMIT when it nests deeper than 64 levels or is
 * too large, FM_ERR_MEMORY. *out is NULL then. */
fm_status fm_template_parse(const char *text, size_t length, fm_template **out, fm_error *err);
void fm_template_free(fm_template *t);

/** Renders a template. `input` is a JSON object of `length` bytes whose members are the template's
 * variables: messages, tools, add_generation_prompt, …; the last of members alike counts, and goes
 * before a name alike. `now`, in seconds since 1970, is what strftime_now writes, in UTC.
 * FM_ERR_FORMAT for input that is no JSON object, FM_ERR_ARG with the text that the template itself
 * refuses the input with, or "line L: …" when an operation has no meaning, FM_ERR_UNSUPPORTED for a
 * method that is not built in, FM_ERR_LIMIT when a limit is reached (10^6 steps, 64 MiB of values,
 * 16 MiB of output, calls inside each other: the text says which), FM_ERR_MEMORY. *out is NULL
 * then. */
fm_status fm_template_render(const fm_template *t, const char *input, size_t length,
                             const fm_template_name *names, size_t n_names, int64_t now,
                             fm_rendering **out, fm_error *err);
/** The text, in order; owned by the rendering. *n may be 0. */
const fm_span *fm_rendering_spans(const fm_rendering *r, size_t *n);
void fm_rendering_free(fm_rendering *r);

/** Appends the ids of spans, which are encoded as the one text that they make; but added tokens are
 * recognised within spans of the template alone, and what came with the input stays text; but for
 * those that are a mere letter and not special, which are that letter everywhere. Fails as
 * fm_tokenizer_encode does. */
fm_status fm_tokenizer_encode_spans(const fm_tokenizer *t, const fm_span *spans, size_t n,
                                    fm_tokens *out, fm_error *err);

/* ---- Chats --------------------------------------------------------------------------------------
 * Where the template of a chat comes from: the model directory, or a layout that is built in. */

typedef struct fm_chat_template fm_chat_template; /* a directory's template and names; any thread */

/** Reads the chat template of a model directory: chat_template.jinja, else the key chat_template of
 * tokenizer_config.json. `name` chooses among several; NULL: the one that is called default. The
 * names are the special tokens that tokenizer_config.json names, and are there without a template
 * too. FM_ERR_NOT_FOUND when the directory, or a template that `name` asks for, is absent;
 * FM_ERR_FORMAT, FM_ERR_LIMIT, FM_ERR_IO, FM_ERR_MEMORY. *out is NULL then. */
fm_status fm_chat_template_open(const char *dir, const char *name, fm_chat_template **out,
                                fm_error *err);
void fm_chat_template_close(fm_chat_template *c);
/** The template's text, *length bytes; NULL when the directory carries none. */
const char *fm_chat_template_text(const fm_chat_template *c, size_t *length);
const fm_template_name *fm_chat_template_names(const fm_chat_template *c, size_t *n);

/** The template text, terminated, of a built-in layout: "deepseek-v3", "deepseek-r1",
 * "deepseek-v3.1", "deepseek-llm", "deepseek-coder" or "chatml"; NULL for another name. */
const char *fm_chat_layout_text(const char *name);

typedef struct fm_message {
    const char *role; /* "system", "user" or "assistant" */
    const char *content;
} fm_message;

/** The layout that fits the directory's tokenizer, by name, or NULL when its vocabulary has the
 * marks of none. */
const char *fm_chat_layout(const fm_tokenizer *t);

/** Appends the prompt of a conversation in a built-in layout (`layout` NULL: fm_chat_layout's),
 * BOS included where the layout has one, ending where the assistant's answer begins. The layout's
 * marks become single ids; contents are plain text and cannot produce them. */
fm_status fm_chat_encode(const fm_tokenizer *t, const char *layout, const fm_message *messages,
                         size_t n_messages, fm_tokens *out, fm_error *err);

/* ---- Parts of an answer ------------------------------------------------------------------------
 * Reasoning, text and tool calls, told while the text of an answer comes. An answer format names
 * the marks that models write around them: "deepseek-r1" (<think>, and calls of type, name and
 * arguments in a ```json fence), "deepseek-v3" (the same calls alone), "deepseek-v3.1" (<think>,
 * and calls of name and arguments), "think" (<think> alone), "none" (all is text). */

enum {
    FM_MAX_CALLS = 128,                  /* of an answer; what looks like one more is text */
    FM_MAX_CALL_NAME = 256,              /* bytes; a longer one makes the call text */
    FM_MAX_CALL_ARGUMENTS = 1024 * 1024, /* bytes; the same */
};

typedef struct fm_parts_format {
    const char *name;
    bool in_reasoning; /* the answer begins inside reasoning: the prompt has the opening tag */
} fm_parts_format;

typedef enum fm_part_kind {
    FM_PART_ANSWER,        /* text for the reader */
    FM_PART_REASONING,     /* told once with no bytes where the answer has the opening tag */
    FM_PART_REASONING_END, /* no bytes. Reasoning without it was never closed */
    FM_PART_CALL,          /* a whole call */
    FM_PART_CALLS_END,     /* no bytes: a block of calls was closed */
} fm_part_kind;

/** A part, or of text and reasoning a piece of one. Texts are not terminated, and valid during the
 * callback. */
typedef struct fm_part {
    fm_part_kind kind;
    int32_t call;     /* number of a call in the answer, from 0; else -1 */
    const char *name; /* of a call, [name_length] bytes */
    size_t name_length;
    const char *text; /* [length] bytes; of a call its arguments as they were written */
    size_t length;
    bool is_json; /* the arguments are JSON: UTF-8, nested at most 256 deep, no key twice */
} fm_part;

typedef void (*fm_part_fn)(void *user, const fm_part *part);
typedef struct fm_parts fm_parts;

/** The format in which the tokenizer's model writes, by its vocabulary and chat template, and
 * whether a prompt, [n_prompt] ids, ends with the opening tag. Any thread. */
fm_parts_format fm_parts_format_get(const fm_tokenizer *t, const int32_t *prompt, size_t n_prompt);

/** Begins an answer. FM_ERR_ARG for a format that is not known, or has no reasoning to begin in. */
fm_status fm_parts_new(fm_parts_format format, fm_part_fn on_part, void *user, fm_parts **out,
                       fm_error *err);
void fm_parts_free(fm_parts *p);

/** Takes in the next bytes of the answer and tells what became certain; the beginning of a mark or
 * a call waits. What turns out to be none is text, all of it: so is a call that a mark interrupts
 * outside the strings of its arguments, and the beginning of a block whose first call is none.
 * White space between marks is text, except for the newline that a format has between two calls:
 * where it is missing, an empty FM_PART_ANSWER stands. How the answer is cut changes nothing but
 * the pieces, which are whole UTF-8 if those that come in are. Linear in `length`; holds a bit more
 * than one call. The callback must not use `p`. FM_ERR_MEMORY ends the stream: later calls give it
 * again. FM_ERR_STATE after fm_parts_end. */
fm_status fm_parts_push(fm_parts *p, const char *text, size_t length);
fm_status fm_parts_end(fm_parts *p); /* tells what waited */

/** Receives the next bytes of an answer; `is_mark`: the format's own, the only ones in which a
 * tokenizer may look for added tokens. */
typedef void (*fm_parts_write_fn)(void *user, const char *text, size_t length, bool is_mark);

/** The reverse: writes parts, [n_parts], with the marks between them. All that was told of an
 * answer, pieces joined or not, gives its bytes again. `call` and `is_json` are not read.
 * FM_ERR_ARG for parts that no answer can have in this order and format, and for a name that is
 * empty or has a '<' or control character; FM_ERR_LIMIT. Nothing is written then. */
fm_status fm_parts_write(fm_parts_format format, const fm_part *parts, size_t n_parts,
                         fm_parts_write_fn on_text, void *user, fm_error *err);

/* ---- Checkpoint ------------------------------------------------------------------------------ */

/* What lies in a model directory: its description and its tensors, mapped but not read. Immutable
 * once open: any thread. */
typedef struct fm_checkpoint fm_checkpoint;

typedef struct fm_checkpoint_info {
    char model_type[32]; /* as config.json says: "llama", "deepseek_v3" */
    int32_t n_layers;
    int32_t hidden_size;
    int32_t vocab_size;
    int32_t max_context;      /* tokens */
    int32_t n_routed_experts; /* 0: dense */
    int32_t n_experts_per_token;
    size_t n_tensors;         /* in the files */
    uint64_t n_params;        /* elements of the tensors that the model uses */
    uint64_t n_params_active; /* of these, read for one token; embedding table included once */
    uint64_t n_bytes;         /* of the weight files */
} fm_checkpoint_info;

typedef struct fm_tensor_info {
    const char *name; /* owned by the checkpoint */
    fm_dtype dtype;
    int32_t n_dims;
    int64_t size[8];
    uint64_t n_bytes;
    bool used; /* false: the model skips it (an MTP layer, a cached rotary table) */
} fm_tensor_info;

/** Opens config.json, generation_config.json where present, and the weight files of a Hugging Face
 * directory. FM_ERR_NOT_FOUND for an absent directory or file, FM_ERR_FORMAT for a malformed one or
 * a missing tensor, FM_ERR_UNSUPPORTED for a model that is not built in. *out is NULL then. */
fm_status fm_checkpoint_open(const char *dir, fm_checkpoint **out, fm_error *err);
void fm_checkpoint_close(fm_checkpoint *c);
void fm_checkpoint_get_info(const fm_checkpoint *c, fm_checkpoint_info *out);
/** The i-th tensor in the order of names; i < n_tensors. */
void fm_checkpoint_get_tensor(const fm_checkpoint *c, size_t i, fm_tensor_info *out);

/* ---- Devices --------------------------------------------------------------------------------- */

/** A device that a model can run on here, or a kind of device that this machine lacks. */
typedef struct fm_device_desc {
    char device[32]; /* what fm_model_params.device calls it: "cpu", "vulkan:0" */
    char name[96];
    uint64_t memory_total; /* bytes; 0: not known */
    uint64_t memory_free;
    bool unified;        /* no memory of its own: it takes the host's */
    bool software;       /* the host's own cores emulate it: "auto" never chooses it */
    char abilities[160]; /* what it can and how it runs, in words, for people */
    char missing[500]; /* "": it is there; else one line that says why there are none of this kind,
                          whose name is `device`; the rest is empty */
} fm_device_desc;

/** Fills at most `max` entries, the CPU first, and returns how many there are. Looks at drivers,
 * which may take a moment. Any thread. */
int32_t fm_device_list(fm_device_desc *out, int32_t max);

/* ---- Model ----------------------------------------------------------------------------------- */

typedef struct fm_model fm_model;

/* Where the layers of a model are is written as
 *
 *     auto                the first Vulkan device that is no software and has room for the model,
 * or when there is none the CPU PART+PART…          runs of layers, in order, at most
 * FM_MAX_DEVICES
 *
 *     PART   = DEVICE*LAYERS, the next LAYERS layers; the last part may leave *LAYERS out and takes
 * the rest. All layers have to be placed. DEVICE = cpu, or vulkan:N, the Nth Vulkan device from 0;
 * vulkan is vulkan:0. Behind it options of the device may follow, each behind a comma; none has a
 * "+" or "*" in it.
 *
 * as in "vulkan:0*20+cpu": 20 layers on a Vulkan device, the others on the CPU. The embedding is
 * where the first layer is, the head where the last one is. Weights, caches and workspace of a
 * layer are on its device; the hidden state of a step goes from one to the next through the host.
 */
enum { FM_MAX_DEVICES = 4 };

/** How to run a model, and the limits of its engines, from which the device plans its memory. Zero
 * in a field takes the default given beside it. */
typedef struct fm_model_params {
    const char *device;      /* where layers are, see above; default "auto" */
    const char *dtype;       /* of weights: "auto" (as in the files), "f32", "bf16" or "f16";
                                default "auto" */
    const char *cache_dtype; /* "auto" (f32 with f32 weights, else bf16), "f32" or "bf16";
                                default "auto" */
    const char *isa;         /* CPU instruction set, for tests: "scalar_soft" (no fma), "scalar",
                                "avx2" or "avx512"; default the best there is. All give the same
                                bits. */
    int32_t n_threads;       /* default: physical cores within the cgroup's quota */
    int32_t max_context;     /* tokens of one sequence; default: the model's, at most 4096 */
    int32_t max_chunk;       /* prompt tokens of one step, over all its sequences; default 256 */
    int32_t max_sequences;   /* that run at the same time in an engine; default 16 */
    bool deterministic;      /* results on a GPU depend on the request alone, as they always do on a
                                CPU, at some cost of speed */
    fm_log_fn log;           /* default: silent */
    void *log_user;
} fm_model_params;

/** Opens a checkpoint for running; NULL for `params` takes all defaults. Matrices in a format that
 * the device reads as it lies in the files are used in place, so the files must not change while
 * the model is open. Norms, biases, and whatever is asked for in another format, are copied.
 * Fails like fm_checkpoint_open; besides, FM_ERR_ARG for a parameter out of range and
 * FM_ERR_UNSUPPORTED for a device or instruction set that this machine lacks. */
fm_status fm_model_open(const char *dir, const fm_model_params *params, fm_model **out,
                        fm_error *err);
/** Its engines must have been freed. */
void fm_model_close(fm_model *m);
int32_t fm_model_vocab_size(const fm_model *m);
/** The limits in force, defaults resolved. */
int32_t fm_model_max_context(const fm_model *m);
/** What the calls of one kind to the device came to, since the profile was started. */
typedef struct fm_profile {
    const char
        *name; /* of the operation ("matmul"), or "write", "read", "copy", "submit", "wait" */
    int64_t calls;
    double seconds;
    uint64_t bytes; /* read and written, were every element moved once: attention without keys and
                       values, experts as if no two tokens shared one */
} fm_profile;

enum { FM_MAX_PROFILE = 32 };

/** Starts counting time and bytes of every operation from zero, or stops. No call that computes may
 * be under way. */
void fm_model_profile(fm_model *m, bool on);
/** Fills one entry for each kind of call that was made; returns their number. The same rule. */
int32_t fm_model_get_profile(const fm_model *m, fm_profile out[FM_MAX_PROFILE]);

/** One line that says device, instruction set, threads and number formats. Owned by the model. */
const char *fm_model_summary(const fm_model *m);

/* ---- Engine ---------------------------------------------------------------------------------- */

/* Runs requests together, step by step: each step takes the newest token of every sequence that
 * generates, and chunks of the prompts that still have to be read. A request's tokens depend on the
 * request alone: never on what runs beside it, on chunks, threads, cached prefixes or preemption.
 *
 * Threads. fm_engine_submit, fm_engine_cancel and fm_engine_wait may be called from any thread at
 * any time, the first two from callbacks. Of the calls that compute, fork, save or restore, one at
 * a time is under way on a model, its callbacks included: any further one, of whichever of its
 * engines and on whichever thread, gives FM_ERR_STATE at once. All others come from one thread at a
 * time.
 *
 * A callback runs inside fm_engine_step or a call that computes logits, on its thread, in the
 * caller's floating-point environment. It must not free the engine or close the model. */

typedef struct fm_engine fm_engine;

/** What an engine holds. Zero in a field takes the default given beside it. The limits of a step
 * and of a sequence are the model's. */
typedef struct fm_engine_params {
    int32_t cache_tokens; /* that the caches hold, over all sequences, in pages of 64; default: a
                               quarter of max_sequences full contexts, and at least one. At least
                               max_context, so that any sequence fits alone. */
    int32_t max_queued;   /* requests that wait for their first step at most; default 1024, at most
                             8192 */
    bool no_prefix_sharing; /* default: prompts that begin alike share what is computed for the
                               whole pages they have in common */
} fm_engine_params;

typedef struct fm_logit_bias {
    int32_t id;
    float bias; /* added to the id's logit; finite */
} fm_logit_bias;
enum {
    FM_LOGIT_BIAS_MAX = 1024, /* entries of fm_sampling.bias */
    FM_MAX_LOGPROBS = 20,     /* alternatives of a token */
    FM_MAX_STOPS = 16,        /* stop strings of a request */
    FM_MAX_STOP_LENGTH = 256, /* bytes of one */
};

/** How the next token is drawn. The order is: repetition penalty, frequency and presence penalties,
 * bias, mask, temperature, top-k, top-p, min-p; ties go to the lower id. A zeroed struct is greedy.
 * */
typedef struct fm_sampling {
    float temperature;        /* 0: greedy, what comes behind it and the seed are ignored */
    int32_t top_k;            /* 0: off */
    float top_p;              /* 0 or 1: off; in (0, 1], share of what top-k leaves */
    float min_p;              /* 0: off; share of the best token's probability, in [0, 1] */
    float repetition_penalty; /* 0 or 1: off; else in [0.01, 100]. The logit of a token of prompt or
                                 answer is divided by it when positive, else multiplied */
    float frequency_penalty;  /* in [-2, 2]; taken off for each time the answer has the token */
    float presence_penalty;   /* in [-2, 2]; taken off when the answer has the token */
    const fm_logit_bias *bias; /* [n_bias] ids of the vocabulary, each once */
    size_t n_bias;             /* at most FM_LOGIT_BIAS_MAX */
    uint64_t seed;             /* the same request with the same seed gives the same tokens */
} fm_sampling;

/** A token, and the natural logarithm of the probability that the model itself gave it: before
 * penalties, bias, mask and temperature. */
typedef struct fm_logprob {
    int32_t id;
    float logprob;
} fm_logprob;

/** Says which tokens may come next. `mask` is [(vocab_size + 31) / 32], id i at bit i % 32 of word
 * i / 32, all bits set: clears those of tokens that may not follow the answer so far, but not
 * all. Called on the stepping thread before each token, and on a device that computes by itself
 * before the event of the token before: go by `answer`, not by the events. False cancels the
 * request. */
typedef bool (*fm_mask_fn)(void *user, const int32_t *answer, int32_t n_answer, uint32_t *mask);

typedef enum fm_finish {
    FM_FINISH_NONE,      /* not finished */
    FM_FINISH_STOP,      /* an end token (which is not delivered) or a stop string */
    FM_FINISH_LENGTH,    /* max_new tokens, or the context is full */
    FM_FINISH_CANCELLED, /* the callback said stop, or fm_engine_cancel */
    FM_FINISH_DEADLINE,  /* the request's time was over */
    FM_FINISH_ERROR,     /* see status */
} fm_finish;

/** What the callback receives: one event for each new token, and one last event with `finish` set
 * and id -1. Its pointers are valid during the call. Counts and seconds are those of the whole
 * request and stand in the last event only. Seconds are those of steps that the request took part
 * in, whatever else these steps did. */
typedef struct fm_event {
    uint64_t request; /* as fm_engine_submit named it */
    int32_t id;       /* the new token */
    fm_finish finish;
    const char *text;      /* with a tokenizer in the request: what became certain of the answer,
                              whole UTF-8, not terminated; the last event brings the rest */
    size_t text_length;    /* bytes */
    float logprob;         /* of `id`, where n_logprobs asked for it */
    const fm_logprob *top; /* [n_top] the most likely tokens, best first */
    int32_t n_top;
    fm_status status;    /* with FM_FINISH_ERROR */
    int32_t n_prompt;    /* tokens of the prompt */
    int32_t n_prefilled; /* of these, what was run, again after a preemption too */
    int32_t n_shared;    /* tokens that were found computed, after a preemption too */
    int32_t n_generated; /* tokens delivered */
    int32_t n_preempted; /* times that the sequence lost its cache to others and began again */
    double wait_seconds; /* from submission to the first step */
    double prefill_seconds, decode_seconds;
} fm_event;

/** Returns false to cancel the request; at the last event the value has no meaning. */
typedef bool (*fm_event_fn)(void *user, const fm_event *event);

typedef struct fm_request {
    const int32_t *ids; /* the prompt, [n_ids]; at least one, at most the model's context */
    size_t n_ids;
    int32_t max_new; /* new tokens at most; 0: until the context is full */
    fm_sampling sampling;
    const int32_t *end_ids; /* end the answer, [n_end_ids]; NULL: the checkpoint's own */
    size_t n_end_ids;
    int32_t n_logprobs; /* -1: log-probability of the tokens; N: of N alternatives as well, at most
                           FM_MAX_LOGPROBS; 0: none */
    const fm_tokenizer *tokenizer; /* makes the events' text; outlives the request. NULL: no text */
    const char *const *stop; /* [n_stop] strings that end the answer; need a tokenizer. They are no
                                part of its text, the tokens they came in are delivered */
    size_t n_stop;
    uint64_t tenant;         /* requests of different tenants share nothing that was computed */
    double deadline_seconds; /* from submission; 0: none */
    fm_mask_fn mask;         /* NULL: none */
    void *mask_user;
    fm_event_fn on_event;
    void *user;
} fm_request;

/** Makes an engine; NULL for `params` takes all defaults. FM_ERR_MEMORY, with the number that would
 * fit, when the device has no room for its caches and workspace. All memory that steps need is
 * allocated here and by fm_engine_submit; steps allocate none. */
fm_status fm_engine_new(fm_model *m, const fm_engine_params *params, fm_engine **out,
                        fm_error *err);
/** Frees an engine. Requests that still run end without an event. */
void fm_engine_free(fm_engine *e);

/** The part of a plan that one device has. */
typedef struct fm_plan_device {
    char name[96];
    int32_t first_layer, n_layers;
    uint64_t weights_copied, cache, workspace; /* as in fm_plan */
    uint64_t memory_free;                      /* now */
    int32_t memory; /* index of the first device that takes its memory from the same place: the same
                       one, or as both have the host's */
} fm_plan_device;

/** What a model and one engine would take, in bytes, counted by making them on devices that only
 * plan. Lists and scratch on the host are not in it: about 6 bytes for each cached token, 155 for
 * each token of the vocabulary and max_sequences / 8 more for its masks, 12 for each token of the
 * context (of the vocabulary, where that is smaller) of up to 32 sequences, and what requests
 * bring. */
typedef struct fm_plan {
    uint64_t weights_in_place; /* of the files that are read where they lie, by each device; the
                                   system may drop and read them again */
    uint64_t weights_copied;   /* weights and tables beside the files */
    uint64_t cache;            /* for cache_tokens */
    uint64_t cache_per_token;  /* of one token more in cache_tokens */
    uint64_t workspace;        /* everything else on the devices */
    uint64_t memory_free;      /* now, of all devices */
    bool fits;                 /* all but weights_in_place are no more than is free, on each */
    int32_t max_context, max_chunk, max_sequences, cache_tokens; /* with defaults resolved */
    int64_t cache_tokens_that_fit; /* no more than cache_tokens; 0: not even the rest fits */
    char advice[320]; /* "" when it fits; else the setting nearest to this one that would fit, as
                         options of the program, or what there is left to do */
    int32_t n_devices;
    fm_plan_device devices[FM_MAX_DEVICES];
} fm_plan;

/** Says it before anything is loaded. NULL parameters take all defaults. Fails like fm_model_open
 * and fm_engine_new, but not for lack of memory. */
fm_status fm_plan_make(const char *dir, const fm_model_params *model,
                       const fm_engine_params *engine, fm_plan *out, fm_error *err);

/** Takes a request, which the next step sees. Arguments are copied, except the tokenizer. *id,
 * where `id` is not NULL, is set to a number that names the request: never 0, never used again by
 * this engine; 0 when the call fails. FM_ERR_LIMIT when the queue is full, FM_ERR_ARG and
 * FM_ERR_LIMIT for what cannot be run. Any thread. */
fm_status fm_engine_submit(fm_engine *e, const fm_request *request, uint64_t *id, fm_error *err);

/** Asks that a request end with FM_FINISH_CANCELLED. Its last event comes in the next step, which
 * computes nothing more of it; called while a step is under way, in that one or the next. When it
 * has an end already that was not told, that becomes FM_FINISH_CANCELLED, unless it is an error.
 * FM_ERR_NOT_FOUND when the last event was, or is being, told. Any thread. */
fm_status fm_engine_cancel(fm_engine *e, uint64_t id, fm_error *err);

/** Blocks until there is something to step, at most `seconds`; true when there is. Any thread. */
bool fm_engine_wait(fm_engine *e, double seconds);

/** Runs one step of all requests that can run. *active is set to the number of requests whose last
 * event has not come. When the step could not be computed its status is returned; the requests in
 * it are tried once more and end with FM_FINISH_ERROR when that fails, too. FM_ERR_DEVICE ends
 * all that the step knew.
 *
 * The events of a step come before the call returns. Where the last layers are on a device that
 * computes by itself (Vulkan) they come during the next call, while the device computes, and a call
 * with nothing to compute brings what is left. Only the events are put off: every call waits for
 * its step and draws its tokens before it returns. So it is right to step until *active is 0, and
 * there a request that its callback ends has taken part in one step more, whose token nobody sees.
 */
fm_status fm_engine_step(fm_engine *e, int32_t *active, fm_error *err);

/** How a fork goes on. */
typedef struct fm_fork {
    int32_t n_back; /* tokens of the parent's answer that the fork does not take over */
    const fm_sampling *sampling; /* NULL: the parent's */
    int32_t max_new;             /* as in fm_request, what is taken over counted; 0: the parent's */
    fm_mask_fn mask; /* NULL: none, whatever the parent has: a mask that keeps its place in
                                    the answer in mask_user is of no use to two. It gets the answer
                                    whole, with what is taken over */
    void *mask_user;
    fm_event_fn on_event;
    void *user;
} fm_fork;

/** A second request that has the prompt, and the answer so far as its events brought it, of one
 * that has not ended, shares what is computed for them, and goes on by itself. With the same
 * sampling it gives the same tokens. Events come for further tokens and their text only; its
 * counts include what was taken over, and it has the parent's end tokens, stop strings, tokenizer
 * (which outlives the fork, too), log-probabilities, tenant and deadline. Between steps.
 * FM_ERR_NOT_FOUND when the parent has ended. */
fm_status fm_engine_fork(fm_engine *e, uint64_t parent, const fm_fork *fork, uint64_t *id,
                         fm_error *err);

/** Writes a request, with the answer that its events brought and what is computed for it, to a
 * file, which appears when it is complete. The request goes on. Between steps. FM_ERR_NOT_FOUND
 * when it has ended, FM_ERR_STATE when it has no token left to give, FM_ERR_IO. */
fm_status fm_engine_save(fm_engine *e, uint64_t id, const char *path, fm_error *err);

/** What a saved request is given that a file cannot hold. */
typedef struct fm_restore {
    const fm_tokenizer *tokenizer; /* as in fm_request; needed where there are stop strings */
    uint64_t tenant;
    double deadline_seconds; /* from now; 0: none */
    fm_mask_fn mask;
    void *mask_user;
    fm_event_fn on_event;
    void *user;
} fm_restore;

/** Takes a saved request up where it was: it gives the tokens that it would have given, and events
 * for those only. Where there are no free pages, or a window has lost some, its tokens are run
 * again. Between steps. The call holds the whole file in memory while it runs. A file that is
 * damaged gives FM_ERR_FORMAT; one of another model (by its description and a sample of its
 * weights) or of other number formats FM_ERR_UNSUPPORTED; FM_ERR_LIMIT when the queue is full or
 * the context is too short. Damage is found; forgery is not: restore only files that you have
 * written. */
fm_status fm_engine_restore(fm_engine *e, const char *path, const fm_restore *how, uint64_t *id,
                            fm_error *err);

/** Writes what is cached of a prompt's beginning, in whole pages of 64 tokens, to a file; *n_saved,
 * where it is not NULL, is set to the number of tokens. FM_ERR_NOT_FOUND when not one page is,
 * FM_ERR_UNSUPPORTED for a prefix longer than a window that the model has. */
fm_status fm_engine_save_prefix(fm_engine *e, uint64_t tenant, const int32_t *ids, size_t n_ids,
                                const char *path, int32_t *n_saved, fm_error *err);

/** Puts a saved prefix, of a prompt or of a request, into the cache, where the tenant's next
 * requests find it. *n_tokens is set to the number of its tokens. FM_ERR_MEMORY when the pages are
 * in use, FM_ERR_STATE in an engine that shares no prefixes. */
fm_status fm_engine_restore_prefix(fm_engine *e, uint64_t tenant, const char *path,
                                   int32_t *n_tokens, fm_error *err);

/** Counts of an engine since it was made, and its state between two steps. */
typedef struct fm_engine_stats {
    uint64_t n_steps, n_tokens_run;
    uint64_t n_tokens_shared; /* that were found computed, for saved prefixes too */
    uint64_t n_preempted, n_pages_evicted, n_pages_copied;
    int32_t n_running, n_waiting;
    int32_t n_pages, n_pages_free, n_pages_cached; /* cached: free as soon as they are needed */
} fm_engine_stats;

void fm_engine_get_stats(const fm_engine *e, fm_engine_stats *out);

/** Receives `n_rows` rows of logits, [n_rows, vocab_size] float32; the memory is the engine's. Any
 * status but FM_OK stops the run and becomes its result. */
typedef fm_status (*fm_logits_fn)(void *user, const float *logits, int32_t n_rows);

/** Runs `n_ids` tokens as one fresh sequence and delivers the logits of every one, in order.
 * FM_ERR_STATE while a request runs. */
fm_status fm_engine_logits(fm_engine *e, const int32_t *ids, size_t n_ids, fm_logits_fn sink,
                           void *user, fm_error *err);

/** Asked now and then while a long call runs; false ends the call. */
typedef bool (*fm_go_on_fn)(void *user);

/** The same, written to a NumPy file: float32 [n_ids, vocab_size]. It appears under `path` only
 * when it is complete, and replaces an older file then, whose permissions it keeps. `go_on` (NULL:
 * always true) is asked before each group of rows, at least once a step; when it says false nothing
 * is left behind, and the call gives FM_ERR_IO, as where `path` names anything but a plain file or
 * a link to one. */
fm_status fm_engine_write_logits(fm_engine *e, const int32_t *ids, size_t n_ids, const char *path,
                                 fm_go_on_fn go_on, void *user, fm_error *err);

const char *fm_version(void); /* "0.1.0" */

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
