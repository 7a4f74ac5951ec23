/* vk_stretch.c - finds, records and drops kept stretches. */
#include "vk_stretch.h"

#include "vk_device.h"

static bool is_same_key(const fm_record_key *a, const fm_record_key *b) {
    for (int32_t i = 0; i < 4; i++)
        if (a->sizes[i] != b->sizes[i]) return false;
    return a->owner == b->owner;
}

/** The stretch of a key, or NULL. */
static vk_stretch *find_kept(vk_stretches *all, const fm_record_key *key) {
    for (int32_t i = 0; i < VK_STRETCHES_MAX; i++)
        if (all->at[i].is_kept && is_same_key(&all->at[i].key, key)) return &all->at[i];
    return NULL;
}

/** An empty one, else the one that was not used for the longest time. */
static vk_stretch *find_place(vk_stretches *all) {
    vk_stretch *oldest = &all->at[0];
    for (int32_t i = 0; i < VK_STRETCHES_MAX; i++) {
        if (!all->at[i].is_kept && all->at[i].moment != VK_MOMENT_NONE) return &all->at[i];
        if (all->at[i].used < oldest->used) oldest = &all->at[i];
    }
    return oldest;
}

static void encode(fm_device_state *s, vk_stretch *stretch) {
    vk_recorder_add_piece(s, stretch->commands);
    stretch->moment = VK_MOMENT_NONE;
    stretch->used = ++s->recorder.stretches.clock;
}

/** Begins to fill a stretch that no submission uses any more. */
static fm_status begin(fm_device_state *s, vk_stretch *stretch, const fm_record_key *key) {
    stretch->is_kept = false;
    if (stretch->moment == VK_MOMENT_NONE) FM_TRY(vk_recorder_flush(s));
    FM_TRY(vk_recorder_wait(s, stretch->moment));
    FM_TRY(vk_recorder_begin(s, stretch->commands, VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT));
    stretch->key = *key;
    s->recorder.stretches.recording = stretch;
    s->recorder.stretches.is_spoiled = false;
    return FM_OK;
}

fm_status vk_record(fm_device_state *s, const fm_record_key *key, bool *kept) {
    vk_stretches *all = &s->recorder.stretches;
    FM_TRY(vk_recorder_make_room(s));
    vk_stretch *stretch = find_kept(all, key);
    *kept = stretch != NULL;
    if (!stretch) return begin(s, find_place(all), key);
    encode(s, stretch);
    return FM_OK;
}

fm_status vk_record_end(fm_device_state *s, bool keep) {
    vk_stretches *all = &s->recorder.stretches;
    vk_stretch *stretch = all->recording;
    all->recording = NULL;
    FM_TRY(vk_recorder_end(s));
    if (!keep) return FM_OK;
    if (all->is_spoiled) return FM_ERR_STATE;
    stretch->is_kept = true;
    encode(s, stretch);
    log_line(&s->log, FM_LOG_DEBUG, "keeps %d stretches of a step", vk_stretches_count(all));
    return FM_OK;
}

int32_t vk_stretches_count(const vk_stretches *all) {
    int32_t n = 0;
    for (int32_t i = 0; i < VK_STRETCHES_MAX; i++) n += all->at[i].is_kept;
    return n;
}

void vk_stretches_forget(fm_device_state *s) {
    vk_stretches *all = &s->recorder.stretches;
    for (int32_t i = 0; i < VK_STRETCHES_MAX; i++) all->at[i].is_kept = false;
    all->is_spoiled = true;
}

void vk_stretches_submitted(fm_device_state *s, uint64_t moment) {
    vk_stretches *all = &s->recorder.stretches;
    for (int32_t i = 0; i < VK_STRETCHES_MAX; i++)
        if (all->at[i].moment == VK_MOMENT_NONE) all->at[i].moment = moment;
}
