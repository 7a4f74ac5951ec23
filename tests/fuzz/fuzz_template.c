/*
 * fuzz_template.c - any bytes as a template and its input. The input stands behind the first line
 * that holds "@@@" alone; without one it is a short conversation. What is rendered must be UTF-8 in
 * spans that alternate; what is refused must leave one clean line.
 */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "fathom.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static void check_utf8(const char *text, size_t length) {
    for (size_t i = 0, n; i < length; i += n) {
        n = utf8_length(text + i, length - i);
        require(n > 0);
    }
}

static void check_error(fm_status status, const fm_error *err) {
    require(status == err->status && err->text[0] != '\0' && !strchr(err->text, '\n'));
    check_utf8(err->text, strlen(err->text));
}

static void check_rendering(const fm_rendering *r) {
    size_t n;
    const fm_span *spans = fm_rendering_spans(r, &n);
    for (size_t i = 0; i < n; i++) {
        require(spans[i].length > 0);
        require(i == 0 || spans[i].is_template != spans[i - 1].is_template);
        check_utf8(spans[i].text, spans[i].length);
    }
}

static void render(const fm_template *t, const char *input, size_t length) {
    static const fm_template_name names[] = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
    fm_rendering *r;
    fm_error err = {0};
    fm_status status = fm_template_render(t, input, length, names, 2, 1700000000, &r, &err);
    if (status == FM_OK)
        check_rendering(r);
    else
        check_error(status, &err);
    fm_rendering_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char separator[] = "\n@@@\n";
    static const char conversation[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a \xE4\xBD\xA0<b>\"},{\"role\":\"x\"}],"
        "\"n\":7,\"x\":1.5,\"l\":[3,1,2],\"d\":{\"b\":1,\"a\":null},\"add_generation_prompt\":"
        "true}";
    const char *text = (const char *)data, *input = conversation;
    size_t length = size, input_length = strlen(conversation);
    for (size_t i = 0; i + strlen(separator) <= size; i++) {
        if (memcmp(text + i, separator, strlen(separator)) != 0) continue;
        length = i;
        input = text + i + strlen(separator);
        input_length = size - (i + strlen(separator));
        break;
    }
    fm_template *t;
    fm_error err = {0};
    fm_status status = fm_template_parse(text, length, &t, &err);
    if (status == FM_OK)
        render(t, input, input_length);
    else
        check_error(status, &err);
    fm_template_free(t);
    return 0;
}
