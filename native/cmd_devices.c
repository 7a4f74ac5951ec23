/* cmd_devices.c - what a model can run on here: one line for each device. */
#include "command.h"
#include "json_out.h"
#include "terminal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_LISTED = 64 };

/* Names come from drivers: a control character in one must not reach the terminal. */
static void print_text(const char *text) {
    while (*text) {
        size_t length = terminal_char(text);
        if (length > 0)
            fwrite(text, 1, length, stdout);
        else
            putchar('?');
        text += length > 0 ? length : 1;
    }
}

static void print_device(const fm_device_desc *d) {
    if (*d->missing) {
        printf("%s: ", d->device);
        print_text(d->missing);
        putchar('\n');
        return;
    }
    printf("%-10s  ", d->device);
    print_text(d->name);
    printf("  %.1f GB free of %.1f GB%s%s", (double)d->memory_free / 1e9,
           (double)d->memory_total / 1e9, d->unified ? ", the host's" : "",
           *d->abilities ? "  " : "");
    print_text(d->abilities);
    printf("%s\n", d->software ? "  (software: not chosen by auto)" : "");
}

static bool add_device(cJSON *list, const fm_device_desc *d) {
    cJSON *item = cJSON_CreateObject();
    if (!item || !cJSON_AddItemToArray(list, item) ||
        !cJSON_AddStringToObject(item, "device", d->device))
        return false;
    if (*d->missing) return json_out_text(item, "missing", d->missing, strlen(d->missing));
    return json_out_text(item, "name", d->name, strlen(d->name)) &&
           json_out_count(item, "memory_total_bytes", d->memory_total) &&
           json_out_count(item, "memory_free_bytes", d->memory_free) &&
           cJSON_AddBoolToObject(item, "unified", d->unified) &&
           cJSON_AddBoolToObject(item, "software", d->software) &&
           json_out_text(item, "abilities", d->abilities, strlen(d->abilities));
}

static int print_json(const fm_device_desc *devices, int32_t n) {
    cJSON *object = cJSON_CreateObject();
    cJSON *list = object ? cJSON_AddArrayToObject(object, "devices") : NULL;
    bool ok = list != NULL;
    for (int32_t i = 0; ok && i < n; i++) ok = add_device(list, &devices[i]);
    return json_out_print(object, ok);
}

int cmd_devices(const options *o) {
    fm_device_desc devices[MAX_LISTED];
    int32_t n = fm_device_list(devices, MAX_LISTED);
    if (n > MAX_LISTED) n = MAX_LISTED;
    if (o->json) return print_json(devices, n);
    for (int32_t i = 0; i < n; i++) print_device(&devices[i]);
    return STATUS_DONE;
}
