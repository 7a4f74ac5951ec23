/* split.c - the chains of splitters that the rules stand for, and the walk along one. */
#include "split.h"

#include "splitters.h"

static splitter *const chains[SPLIT_RULE_COUNT][SPLIT_MAX_STEPS + 1] = {
    [SPLIT_RULE_DEEPSEEK_LLM] = {splitter_newline, splitter_llm_letters, splitter_llm_punctuation,
                                 splitter_trailing_space, splitter_cjk, splitter_digit},
    [SPLIT_RULE_DEEPSEEK_LLM_RUNS] = {splitter_newline, splitter_llm_letters,
                                      splitter_llm_punctuation, splitter_trailing_space,
                                      splitter_cjk, splitter_numbers},
    [SPLIT_RULE_DEEPSEEK_CODER] = {splitter_newline, splitter_coder_letters,
                                   splitter_coder_punctuation, splitter_cjk, splitter_digit},
    [SPLIT_RULE_DEEPSEEK_CODER_GGUF] = {splitter_newline, splitter_coder_letters,
                                        splitter_coder_punctuation, splitter_cjk, splitter_number},
    [SPLIT_RULE_DEEPSEEK_V3] = {splitter_v3_numbers_and_han, splitter_v3},
    [SPLIT_RULE_LLAMA3] = {splitter_llama3},
    [SPLIT_RULE_QWEN2] = {splitter_qwen2},
    [SPLIT_RULE_GPT2] = {splitter_gpt2},
    [SPLIT_RULE_SMOLLM] = {splitter_digit, splitter_gpt2},
};

split split_begin(split_rule rule, const uint8_t *text, size_t length) {
    return (split){.rule = rule, .text = text, .length = length};
}

/* A splitter whose piece is used up goes on to its next one; those behind it have used up theirs,
 * too, as their pieces lie inside. */
bool split_next(split *s, size_t *start, size_t *end) {
    if (s->end == s->length) return false;
    splitter *const *chain = chains[s->rule];
    size_t bound = s->length;
    for (int i = 0; chain[i]; i++) {
        if (s->ends[i] == s->end) s->ends[i] = chain[i]((span){s->text, bound}, s->end);
        bound = s->ends[i];
    }
    *start = s->end;
    *end = s->end = bound;
    return true;
}
