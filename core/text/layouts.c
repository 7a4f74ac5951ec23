/*
 * layouts.c - the built-in chat layouts. They are templates like those that checkpoints bring, so
 * that there is one way to a prompt. Besides `messages` and `add_generation_prompt` they see
 * `thinking` (deepseek-v3.1).
 */
#include "layouts.h"

#include <string.h>

#include "../fathom.h"

#define BOS       "<｜begin▁of▁sentence｜>"
#define EOS       "<｜end▁of▁sentence｜>"
#define USER      "<｜User｜>"
#define ASSISTANT "<｜Assistant｜>"

/* All system messages together stand in front, two newlines between them. */
#define GATHERED_SYSTEM                                                                            \
    "{%- set ns = namespace(system='', found=false) -%}"                                           \
    "{%- for m in messages if m.role == 'system' -%}"                                              \
    "{%- set ns.system = ns.system + ('\\n\\n' if ns.found else '') + m.content -%}"               \
    "{%- set ns.found = true -%}"                                                                  \
    "{%- endfor -%}"                                                                               \
    "{{- ns.system -}}"

/* The turns of the V3 family. ANSWER is what an earlier answer shows, NEXT where the next
 * begins. */
#define V3_TURNS(ANSWER, NEXT)                                                                     \
    BOS GATHERED_SYSTEM "{%- for m in messages -%}"                                                \
                        "{%- if m.role == 'user' -%}{{- '" USER "' + m.content -}}"                \
                        "{%- elif m.role == 'assistant' -%}{{- " ANSWER " + '" EOS "' -}}"         \
                        "{%- endif -%}"                                                            \
                        "{%- endfor -%}"                                                           \
                        "{%- if add_generation_prompt -%}{{- " NEXT " -}}{%- endif -%}"

#define WITHOUT_REASONING "(m.content.split('</think>')|last)"

static const chat_layout layouts[] = {
    {
        .name = "deepseek-v3",
        .text = V3_TURNS("'" ASSISTANT "' + m.content", "'" ASSISTANT "'"),
        .marks = {BOS, USER, ASSISTANT, EOS},
    },
    {
        .name = "deepseek-r1",
        .text = V3_TURNS("'" ASSISTANT "' + " WITHOUT_REASONING, "'" ASSISTANT "<think>\\n'"),
        .marks = {BOS, USER, ASSISTANT, EOS, "<think>"},
    },
    {
        .name = "deepseek-v3.1",
        .text = V3_TURNS("'" ASSISTANT "</think>' + " WITHOUT_REASONING,
                         "'" ASSISTANT "' + ('<think>' if thinking else '</think>')"),
        .marks = {BOS, USER, ASSISTANT, EOS, "<think>", "</think>"},
    },
    {
        .name = "deepseek-llm",
        .text = BOS "{%- for m in messages -%}"
                    "{%- if m.role == 'user' -%}{{- 'User: ' + m.content + '\\n\\n' -}}"
                    "{%- elif m.role == 'assistant' -%}"
                    "{{- 'Assistant: ' + m.content + '" EOS "' -}}"
                    "{%- else -%}{{- m.content + '\\n\\n' -}}"
                    "{%- endif -%}"
                    "{%- endfor -%}"
                    "{%- if add_generation_prompt -%}{{- 'Assistant:' -}}{%- endif -%}",
        .marks = {BOS, EOS},
    },
    {
        .name = "deepseek-coder",
        .text = BOS "{%- for m in messages -%}"
                    "{%- if m.role == 'user' -%}"
                    "{{- '### Instruction:\\n' + m.content + '\\n' -}}"
                    "{%- elif m.role == 'assistant' -%}"
                    "{{- '### Response:\\n' + m.content + '\\n<|EOT|>\\n' -}}"
                    "{%- else -%}{{- m.content + '\\n' -}}"
                    "{%- endif -%}"
                    "{%- endfor -%}"
                    "{%- if add_generation_prompt -%}{{- '### Response:\\n' -}}{%- endif -%}",
        .marks = {BOS, "<|EOT|>"},
    },
    {
        .name = "chatml",
        .text = "{%- for m in messages -%}"
                "{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' -}}"
                "{%- endfor -%}"
                "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}",
        .marks = {"<|im_start|>", "<|im_end|>"},
    },
};

const char layout_names[] =
    "deepseek-v3, deepseek-r1, deepseek-v3.1, deepseek-llm, deepseek-coder or chatml";

const chat_layout *layout_find(const char *name) {
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++)
        if (strcmp(layouts[i].name, name) == 0) return &layouts[i];
    return NULL;
}

const char *fm_chat_layout_text(const char *name) {
    const chat_layout *layout = layout_find(name);
    return layout ? layout->text : NULL;
}
