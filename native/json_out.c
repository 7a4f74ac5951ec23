/* json_out.c - writes the program's JSON. */
#include "json_out.h"

#include "terminal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Adds what `json` holds as the value of a member, and frees it. */
static bool add_raw(cJSON *object, const char *key, bytes *json, bool complete) {
    bool ok =
        complete && bytes_append(json, "", 1) && cJSON_AddRawToObject(object, key, json->data);
    bytes_free(json);
    return ok;
}

/* Appends one byte of a string. cJSON ends strings at the first NUL, so texts are escaped here. */
static bool append_escaped(bytes *json, char byte) {
    unsigned char code = (unsigned char)byte;
    char escape[8];
    if (byte == '"' || byte == '\\')
        snprintf(escape, sizeof escape, "\\%c", byte);
    else if (code < 0x20 || code == 0x7f)
        snprintf(escape, sizeof escape, "\\u%04x", code);
    else
        return bytes_append(json, &byte, 1);
    return bytes_append(json, escape, strlen(escape));
}

bool json_out_quote(bytes *json, const char *text, size_t length) {
    bool ok = bytes_append(json, "\"", 1);
    for (size_t i = 0; ok && i < length; i++) ok = append_escaped(json, text[i]);
    return ok && bytes_append(json, "\"", 1);
}

bool json_out_text(cJSON *object, const char *key, const char *text, size_t length) {
    bytes json = {0};
    bool ok = json_out_quote(&json, text, length);
    return add_raw(object, key, &json, ok);
}

bool json_out_ids(cJSON *object, const char *key, const int32_t *ids, size_t count) {
    bytes json = {0};
    bool ok = bytes_append(&json, "[", 1);
    for (size_t i = 0; ok && i < count; i++) {
        char number[16];
        int length = snprintf(number, sizeof number, "%s%" PRId32, i > 0 ? "," : "", ids[i]);
        ok = bytes_append(&json, number, (size_t)length);
    }
    ok = ok && bytes_append(&json, "]", 1);
    return add_raw(object, key, &json, ok);
}

bool json_out_count(cJSON *object, const char *key, uint64_t value) {
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, value);
    return cJSON_AddRawToObject(object, key, number) != NULL;
}

bool json_out_rate(cJSON *object, const char *key, double value) {
    double rounded = isfinite(value) ? round(value * 100) / 100 : 0;
    return cJSON_AddNumberToObject(object, key, rounded) != NULL;
}

int json_out_print(cJSON *object, bool complete) {
    char *line = complete && object ? cJSON_PrintUnformatted(object) : NULL;
    cJSON_Delete(object);
    if (!line) return terminal_fail("out of memory for the answer");
    terminal_write(line, strlen(line));
    terminal_write("\n", 1);
    cJSON_free(line);
    return STATUS_DONE;
}
