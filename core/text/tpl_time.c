/* tpl_time.c - dates without the C library's locale and time zone: the calendar is computed
 * here. */
#include <stdio.h>
#include <string.h>

#include "tpl_eval.h"

typedef struct moment {
    int64_t year;
    int month, day; /* from 1 */
    int hour, minute, second;
    int weekday;     /* from Sunday, 0 */
    int yearday;     /* from 1 January, 0 */
    int64_t seconds; /* since 1970 */
} moment;

static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

static bool is_leap(int64_t year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/** The calendar's day of a number of days since 1970; years are counted from 1 March, so that the
 * leap day ends one, and in eras of 400, which all have 146097 days. */
static void set_date(moment *m, int64_t days) {
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    m->day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    m->month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    m->year = year_of_era + era * 400 + (m->month <= 2);
    m->yearday = before[m->month - 1] + m->day - 1 + (m->month > 2 && is_leap(m->year));
    m->weekday = (int)(((days + 4) % 7 + 7) % 7);
}

static moment moment_of(int64_t seconds) {
    int64_t days = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    moment m = {.seconds = seconds};
    set_date(&m, days);
    m.hour = (int)(rest / 3600);
    m.minute = (int)(rest / 60 % 60);
    m.second = (int)(rest % 60);
    return m;
}

/** The week and year of ISO 8601: weeks begin on Monday and belong to the year of their
 * Thursday. */
static int iso_week(const moment *m, int64_t *year) {
    int monday = (m->weekday + 6) % 7;
    int week = (m->yearday - monday + 10) / 7;
    *year = m->year;
    if (week < 1) {
        --*year;
        int days = 365 + is_leap(*year);
        return (m->yearday + days - monday + 10) / 7;
    }
    int days = 365 + is_leap(m->year);
    if (week == 53 && m->yearday - monday + 3 >= days) {
        ++*year;
        return 1;
    }
    return week;
}

static int twelve_hours(int hour) {
    return hour % 12 == 0 ? 12 : hour % 12;
}

/** A number as a directive writes it: with zeros, with blanks, or ('-') with neither. */
static void put_number(char out[64], char flag, char pad, int width, int64_t value) {
    if (flag == '-')
        snprintf(out, 64, "%lld", (long long)value);
    else if (flag == '_' || (pad == ' ' && flag != '0'))
        snprintf(out, 64, "%*lld", width, (long long)value);
    else
        snprintf(out, 64, "%0*lld", width, (long long)value);
}

/** Directives that are numbers; false for another letter. */
static bool put_digits(char out[64], char letter, char flag, const moment *m) {
    int64_t iso_year;
    int week = iso_week(m, &iso_year);
    const struct {
        char letter, pad;
        int width;
        int64_t value;
    } rows[] = {
        {'d', '0', 2, m->day},
        {'e', ' ', 2, m->day},
        {'m', '0', 2, m->month},
        {'y', '0', 2, m->year % 100},
        {'Y', '0', 1, m->year},
        {'C', '0', 2, m->year / 100},
        {'H', '0', 2, m->hour},
        {'k', ' ', 2, m->hour},
        {'I', '0', 2, twelve_hours(m->hour)},
        {'l', ' ', 2, twelve_hours(m->hour)},
        {'M', '0', 2, m->minute},
        {'S', '0', 2, m->second},
        {'j', '0', 3, m->yearday + 1},
        {'w', '0', 1, m->weekday},
        {'u', '0', 1, m->weekday == 0 ? 7 : m->weekday},
        {'f', '0', 6, 0},
        {'U', '0', 2, (m->yearday + 7 - m->weekday) / 7},
        {'W', '0', 2, (m->yearday + 7 - (m->weekday + 6) % 7) / 7},
        {'V', '0', 2, week},
        {'G', '0', 1, iso_year},
        {'g', '0', 2, iso_year % 100},
        {'s', '0', 1, m->seconds},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].letter != letter) continue;
        put_number(out, flag, rows[i].pad, rows[i].width, rows[i].value);
        return true;
    }
    return false;
}

static bool put_words(char out[64], char letter, const moment *m) {
    switch (letter) {
    case 'a':
        snprintf(out, 64, "%.3s", weekdays[m->weekday]);
        return true;
    case 'A':
        snprintf(out, 64, "%s", weekdays[m->weekday]);
        return true;
    case 'b':
    case 'h':
        snprintf(out, 64, "%.3s", months[m->month - 1]);
        return true;
    case 'B':
        snprintf(out, 64, "%s", months[m->month - 1]);
        return true;
    case 'p':
    case 'P':
        snprintf(out, 64,
                 letter == 'p' ? (m->hour < 12 ? "AM" : "PM") : (m->hour < 12 ? "am" : "pm"));
        return true;
    case 'n':
    case 't':
    case '%':
        snprintf(out, 64, "%s", letter == 'n' ? "\n" : letter == 't' ? "\t" : "%");
        return true;
    case 'z': /* the time has no zone of its own */
    case 'Z':
        out[0] = '\0';
        return true;
    default:
        return false;
    }
}

/** What a directive is short for; NULL for one that is not. */
static const char *expansion(char letter) {
    switch (letter) {
    case 'c':
        return "%a %b %e %H:%M:%S %Y";
    case 'D':
    case 'x':
        return "%m/%d/%y";
    case 'F':
        return "%Y-%m-%d";
    case 'R':
        return "%H:%M";
    case 'T':
    case 'X':
        return "%H:%M:%S";
    case 'r':
        return "%I:%M:%S %p";
    default:
        return NULL;
    }
}

/** Appends a format's directives, of which none is short for one that is short for another. */
static void add_time(tpl_builder *b, const tpl_text *format, const moment *m, bool expands) {
    size_t shown = 0;
    for (size_t at = 0; at + 1 < format->length && b->status == FM_OK; at++) {
        char put[64], flag = '\0';
        if (format->bytes[at] != '%') continue;
        size_t end = at + 1;
        if (strchr("-_0", format->bytes[end]) && end + 1 < format->length)
            flag = format->bytes[end++];
        char letter = format->bytes[end];
        const char *longer = expands ? expansion(letter) : NULL;
        bool is_template = format->marks ? format->marks[at] : format->is_template;
        bool known = longer || put_digits(put, letter, flag, m) || put_words(put, letter, m);
        if (known) {
            tpl_add_part(b, format, shown, at - shown);
            if (!longer) tpl_add_word(b, put, is_template);
            const tpl_text inner = {.bytes = longer ? longer : "",
                                    .length = longer ? strlen(longer) : 0,
                                    .is_template = is_template};
            if (longer) add_time(b, &inner, m, false);
            shown = end + 1;
        }
        at = end;
    }
    tpl_add_part(b, format, shown, format->length - shown);
}

fm_status tpl_format_time(tpl_run *r, const tpl_text *format, int64_t seconds, tpl_value *out) {
    tpl_builder b = {.r = r};
    const int64_t year_9999 = 253402300799, year_1 = -62135596800;
    if (seconds > year_9999 || seconds < year_1)
        return tpl_fail(r, FM_ERR_ARG, "the time is outside the years 1 to 9999");
    FM_TRY(tpl_spend_bytes(r, 8 * format->length));
    moment m = moment_of(seconds);
    add_time(&b, format, &m, true);
    return tpl_built_value(&b, out);
}
