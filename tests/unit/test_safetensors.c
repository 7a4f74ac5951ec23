/*
 * test_safetensors.c - checkpoints of one file and of shards, and a table of what is refused.
 * Headers are written with ' for " to keep them readable; no text here needs a real '.
 */
#include "data/safetensors.h"
#include "support/temp_dir.h"

enum { FILE_SIZE = 1 << 16 }; /* bytes, of the largest file made here */

/** A file under construction. */
typedef struct st_file {
    uint8_t bytes[FILE_SIZE];
    size_t size;
} st_file;

static void st_file_put_length(st_file *f, uint64_t length) {
    for (int i = 0; i < 8; i++) f->bytes[i] = (uint8_t)(length >> (8 * i));
}

/** Makes a file of a header and `n_data` bytes 0, 1, 2, … */
static void st_file_make(st_file *f, const char *header, size_t n_data) {
    size_t length = strlen(header);
    assert_true(8 + length + n_data <= FILE_SIZE);
    st_file_put_length(f, length);
    for (size_t i = 0; i < length; i++)
        f->bytes[8 + i] = header[i] == '\'' ? '"' : (uint8_t)header[i];
    for (size_t i = 0; i < n_data; i++) f->bytes[8 + length + i] = (uint8_t)i;
    f->size = 8 + length + n_data;
}

/** Opens from memory that ends exactly where the file does, so that a sanitizer sees reads beyond.
 * The caller frees *memory after the set is closed. */
static fm_status open_file(const st_file *f, safetensors **out, void **memory, fm_error *err) {
    *memory = malloc(f->size > 0 ? f->size : 1);
    assert_non_null(*memory);
    memcpy(*memory, f->bytes, f->size);
    return safetensors_open_bytes("t.safetensors", *memory, f->size, out, err);
}

static void write_file(const temp_dir *dir, const char *name, const char *header, size_t n_data) {
    st_file f;
    st_file_make(&f, header, n_data);
    temp_dir_write(dir, name, f.bytes, f.size);
}

static void write_json(const temp_dir *dir, const char *name, const char *text) {
    char json[4096];
    size_t i = 0;
    for (; text[i]; i++) json[i] = text[i] == '\'' ? '"' : text[i];
    json[i] = '\0';
    temp_dir_write_text(dir, name, json);
}

/* ---- Good files ------------------------------------------------------------------------------ */

static void safetensors_single_file_is_read(void **state) {
    const temp_dir *dir = *state;
    safetensors *s;
    write_file(dir, "model.safetensors",
               "{'__metadata__':{'format':'pt'},"
               "'b.weight':{'dtype':'BF16','shape':[2,3],'data_offsets':[4,16]},"
               "'a.bias':{'dtype':'F32','shape':[],'data_offsets':[0,4]},"
               "'c':{'dtype':'U8','shape':[1,2,1,2,1,1,1,1],'data_offsets':[16,20],'more':[1]}}   ",
               20);
    assert_int_equal(safetensors_open(dir->path, &s, NULL), FM_OK);
    assert_int_equal(safetensors_count(s), 3);
    const st_tensor *a = safetensors_at(s, 0), *b = safetensors_at(s, 1), *c = safetensors_at(s, 2);
    assert_string_equal(a->name, "a.bias");
    assert_int_equal(a->n_dims, 0);
    assert_int_equal(a->dtype, FM_DTYPE_F32);
    assert_memory_equal(a->data, "\0\1\2\3", 4);
    assert_string_equal(b->name, "b.weight");
    assert_int_equal(b->n_dims, 2);
    assert_int_equal(b->size[0], 2);
    assert_int_equal(b->size[1], 3);
    assert_int_equal(b->n_bytes, 12);
    assert_int_equal(((const uint8_t *)b->data)[0], 4);
    assert_int_equal(((const uint8_t *)b->data)[11], 15);
    assert_int_equal(c->n_dims, 8);
    assert_int_equal(c->dtype, FM_DTYPE_U8);
    assert_ptr_equal(safetensors_find(s, "c"), c);
    assert_ptr_equal(safetensors_find(s, "a.bias"), a);
    assert_null(safetensors_find(s, "a"));
    assert_null(safetensors_find(s, "__metadata__"));
    assert_null(safetensors_find(s, ""));
    assert_true(safetensors_file_bytes(s) > 20);
    safetensors_close(s);
    safetensors_close(NULL);
}

static void safetensors_every_dtype_is_known(void **state) {
    (void)state;
#define CHECK_DTYPE(id, text, bits)                                                                \
    {                                                                                              \
        char header[200];                                                                          \
        st_file f;                                                                                 \
        safetensors *s;                                                                            \
        void *memory;                                                                              \
        snprintf(header, sizeof header,                                                            \
                 "{'x':{'dtype':'" text "','shape':[3],'data_offsets':[0,%d]}}", 3 * (bits) / 8);  \
        st_file_make(&f, header, 3 * (bits) / 8);                                                  \
        assert_int_equal(open_file(&f, &s, &memory, NULL), FM_OK);                                 \
        assert_int_equal(safetensors_at(s, 0)->dtype, FM_DTYPE_##id);                              \
        safetensors_close(s);                                                                      \
        free(memory);                                                                              \
    }
    FM_DTYPE_LIST(CHECK_DTYPE)
#undef CHECK_DTYPE
}

typedef struct good_file {
    const char *header;
    size_t n_data, n_tensors;
} good_file;

static void safetensors_unusual_but_legal_files_are_read(void **state) {
    (void)state;
    static const good_file cases[] = {
        {"{}", 0, 0},
        {"{'__metadata__':{}}", 0, 0},
        {"{'':{'dtype':'U8','shape':[1],'data_offsets':[0,1]}}", 1, 1},
        {"{'x':{'dtype':'F32','shape':[0],'data_offsets':[0,0]}}", 0, 1},
        {"{'x':{'dtype':'F32','shape':[5,0,7],'data_offsets':[3,3]}}", 3, 1},
        /* an empty tensor inside another shares no byte with it */
        {"{'x':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},"
         "'y':{'dtype':'U8','shape':[0],'data_offsets':[2,2]}}",
         4, 2},
        /* a gap, and bytes behind the last tensor */
        {"{'x':{'dtype':'U8','shape':[1],'data_offsets':[1,2]},"
         "'y':{'dtype':'U8','shape':[1],'data_offsets':[3,4]}}",
         9, 2},
        {"\n{'\\u00e4\\ud83d\\ude00':{'data_offsets':[0,2],'shape':[1],'dtype':'I16'}}\n", 2, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        st_file f;
        safetensors *s;
        void *memory;
        fm_error err = {0};
        st_file_make(&f, cases[i].header, cases[i].n_data);
        if (open_file(&f, &s, &memory, &err) != FM_OK) fail_msg("%s", err.text);
        assert_int_equal(safetensors_count(s), cases[i].n_tensors);
        assert_int_equal(safetensors_file_bytes(s), f.size);
        safetensors_close(s);
        free(memory);
    }
}

static void safetensors_shards_are_one_set(void **state) {
    const temp_dir *dir = *state;
    safetensors *s;
    write_file(dir, "model-00001-of-00002.safetensors",
               "{'d':{'dtype':'U8','shape':[2],'data_offsets':[0,2]},"
               "'a':{'dtype':'U8','shape':[1],'data_offsets':[2,3]}}",
               3);
    write_file(dir, "model-00002-of-00002.safetensors",
               "{'c':{'dtype':'U8','shape':[1],'data_offsets':[5,6]},"
               "'b':{'dtype':'U8','shape':[1],'data_offsets':[0,1]},"
               "'not.in.index':{'dtype':'U8','shape':[1],'data_offsets':[1,2]}}",
               6);
    write_json(dir, "model.safetensors.index.json",
               "{'metadata':{'total_size':5},'weight_map':{"
               "'a':'model-00001-of-00002.safetensors','b':'model-00002-of-00002.safetensors',"
               "'c':'model-00002-of-00002.safetensors','d':'model-00001-of-00002.safetensors'}}");
    assert_int_equal(safetensors_open(dir->path, &s, NULL), FM_OK);
    assert_int_equal(safetensors_count(s), 5);
    static const char *const names[] = {"a", "b", "c", "d", "not.in.index"};
    static const int first_bytes[] = {2, 0, 5, 0, 1};
    for (size_t i = 0; i < 5; i++) {
        const st_tensor *t = safetensors_at(s, i);
        assert_string_equal(t->name, names[i]);
        assert_int_equal(*(const uint8_t *)t->data, first_bytes[i]);
        assert_ptr_equal(safetensors_find(s, names[i]), t);
    }
    safetensors_close(s);
}

static void safetensors_single_file_goes_before_an_index(void **state) {
    const temp_dir *dir = *state;
    safetensors *s;
    write_file(dir, "model.safetensors", "{}", 0);
    write_json(dir, "model.safetensors.index.json", "broken");
    assert_int_equal(safetensors_open(dir->path, &s, NULL), FM_OK);
    safetensors_close(s);
}

/* ---- Broken files ---------------------------------------------------------------------------- */

typedef struct broken_file {
    const char *header;
    size_t n_data;
    fm_status status;
    const char *part; /* of the error text */
} broken_file;

/* A tensor 'x' of one byte whose parts are as given. */
#define X(dtype, shape, offsets)                                                                   \
    "{'x':{'dtype':" dtype ",'shape':" shape ",'data_offsets':" offsets "}}"

static const broken_file broken_files[] = {
    /* the header as JSON */
    {"", 0, FM_ERR_FORMAT, "line 1: the text ends where a value"},
    {"{", 0, FM_ERR_FORMAT, "the text ends where a key"},
    {"x", 0, FM_ERR_FORMAT, "'x' stands where a value"},
    {"[]", 0, FM_ERR_FORMAT, "its header is no JSON object"},
    {"7", 0, FM_ERR_FORMAT, "its header is no JSON object"},
    {"{} x", 0, FM_ERR_FORMAT, "'x' stands where the end"},
    {"{'\xFF':1}", 0, FM_ERR_FORMAT, "no UTF-8"},
    {"{'x':{'dtype':'U8','shape':[1],'data_offsets':[0,1]},"
     "'x':{'dtype':'U8','shape':[1],'data_offsets':[1,2]}}",
     2, FM_ERR_FORMAT, "the key \"x\" stands twice"},
    {"{'x':{'dtype':'U8','shape':[1],'data_offsets':[0,1]},"
     "'\\u0078':{'dtype':'U8','shape':[1],'data_offsets':[1,2]}}",
     2, FM_ERR_FORMAT, "the key \"x\" stands twice"},
    {"{'x':{'dtype':'U8','dtype':'I8','shape':[1],'data_offsets':[0,1]}}", 1, FM_ERR_FORMAT,
     "the key \"dtype\" stands twice"},
    {"{'__metadata__':[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}", 0, FM_ERR_LIMIT,
     "nested deeper than 16"},
    /* the entry */
    {"{'x':7}", 1, FM_ERR_FORMAT, "tensor x is not described by an object"},
    {"{'x':[]}", 1, FM_ERR_FORMAT, "tensor x is not described by an object"},
    {"{'x':{}}", 1, FM_ERR_FORMAT, "tensor x has no dtype"},
    {"{'x':{'dtype':'U8','data_offsets':[0,1]}}", 1, FM_ERR_FORMAT, "tensor x has no shape"},
    {"{'x':{'dtype':'U8','shape':[1]}}", 1, FM_ERR_FORMAT, "tensor x has no data_offsets"},
    /* dtype */
    {X("7", "[1]", "[0,1]"), 1, FM_ERR_FORMAT, "has no dtype"},
    {X("'F4'", "[1]", "[0,1]"), 1, FM_ERR_UNSUPPORTED, "has dtype F4, which is not known"},
    {X("'bf16'", "[1]", "[0,2]"), 2, FM_ERR_UNSUPPORTED, "has dtype bf16"},
    {X("''", "[1]", "[0,1]"), 1, FM_ERR_UNSUPPORTED, "has dtype"},
    /* shape */
    {X("'U8'", "1", "[0,1]"), 1, FM_ERR_FORMAT, "has no shape"},
    {X("'U8'", "[-1]", "[0,1]"), 1, FM_ERR_FORMAT, "a size that is no whole number"},
    {X("'U8'", "[1.5]", "[0,1]"), 1, FM_ERR_FORMAT, "a size that is no whole number"},
    {X("'U8'", "['1']", "[0,1]"), 1, FM_ERR_FORMAT, "a size that is no whole number"},
    {X("'U8'", "[9007199254740992]", "[0,1]"), 1, FM_ERR_FORMAT, "a size that is no whole number"},
    {X("'U8'", "[1e300]", "[0,1]"), 1, FM_ERR_FORMAT, "a size that is no whole number"},
    {X("'U8'", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, FM_ERR_UNSUPPORTED, "more than 8 dimensions"},
    {X("'U8'", "[4294967296,4294967296]", "[0,0]"), 0, FM_ERR_FORMAT, "size overflows"},
    {X("'F64'", "[4503599627370496,512]", "[0,0]"), 0, FM_ERR_FORMAT, "size overflows"},
    {X("'U8'", "[0,4294967296,4294967296]", "[0,0]"), 0, FM_ERR_FORMAT, "size overflows"},
    {X("'U8'", "[4294967296,4294967296,0]", "[0,0]"), 0, FM_ERR_FORMAT, "size overflows"},
    /* data_offsets */
    {X("'U8'", "[1]", "7"), 1, FM_ERR_FORMAT, "no data_offsets of two whole numbers"},
    {X("'U8'", "[1]", "[0]"), 1, FM_ERR_FORMAT, "no data_offsets of two whole numbers"},
    {X("'U8'", "[1]", "[0,1,2]"), 2, FM_ERR_FORMAT, "no data_offsets of two whole numbers"},
    {X("'U8'", "[1]", "[-1,0]"), 1, FM_ERR_FORMAT, "no data_offsets of two whole numbers"},
    {X("'U8'", "[1]", "[0,'1']"), 1, FM_ERR_FORMAT, "no data_offsets of two whole numbers"},
    {X("'U8'", "[1]", "[0.5,1.5]"), 2, FM_ERR_FORMAT, "no data_offsets of two whole numbers"},
    {X("'U8'", "[1]", "[1,0]"), 1, FM_ERR_FORMAT, "run backwards"},
    {X("'U8'", "[1]", "[0,2]"), 2, FM_ERR_FORMAT, "needs 1 bytes by dtype and shape, but"},
    {X("'U8'", "[2]", "[0,1]"), 2, FM_ERR_FORMAT, "needs 2 bytes by dtype and shape, but"},
    {X("'F32'", "[1]", "[0,2]"), 2, FM_ERR_FORMAT, "needs 4 bytes by dtype and shape, but"},
    {X("'F32'", "[0]", "[0,4]"), 4, FM_ERR_FORMAT, "needs 0 bytes by dtype and shape, but"},
    {X("'U8'", "[1234]", "[0,1234]"), 0, FM_ERR_FORMAT,
     "t.safetensors: tensor x ends 1234 bytes behind the end of the file: the download is "
     "incomplete"},
    {X("'U8'", "[1]", "[1,2]"), 1, FM_ERR_FORMAT, "ends 1 bytes behind the end"},
    {X("'U8'", "[0]", "[5,5]"), 1, FM_ERR_FORMAT, "ends 4 bytes behind the end"},
    {X("'U8'", "[1]", "[9007199254740990,9007199254740991]"), 1, FM_ERR_FORMAT, "behind the end"},
    /* tensors that share bytes */
    {"{'x':{'dtype':'U8','shape':[2],'data_offsets':[0,2]},"
     "'y':{'dtype':'U8','shape':[2],'data_offsets':[1,3]}}",
     3, FM_ERR_FORMAT, "tensor y overlaps tensor x"},
    {"{'x':{'dtype':'U8','shape':[1],'data_offsets':[1,2]},"
     "'y':{'dtype':'U8','shape':[3],'data_offsets':[0,3]}}",
     3, FM_ERR_FORMAT, "tensor x overlaps tensor y"},
    {"{'x':{'dtype':'U8','shape':[1],'data_offsets':[0,1]},"
     "'y':{'dtype':'U8','shape':[1],'data_offsets':[0,1]}}",
     1, FM_ERR_FORMAT, "overlaps tensor"},
};

static void check_refused(const st_file *f, fm_status status, const char *part) {
    safetensors *s = (safetensors *)&f;
    void *memory;
    fm_error err = {0};
    fm_status got = open_file(f, &s, &memory, &err);
    free(memory);
    assert_null(s);
    if (got != status || !strstr(err.text, part) || strncmp(err.text, "t.safetensors: ", 15) != 0)
        fail_msg("wanted %d, %s; got %d, %s", (int)status, part, (int)got, err.text);
}

static void safetensors_broken_headers_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof broken_files / sizeof broken_files[0]; i++) {
        st_file f;
        st_file_make(&f, broken_files[i].header, broken_files[i].n_data);
        check_refused(&f, broken_files[i].status, broken_files[i].part);
    }
}

static void safetensors_broken_lengths_are_refused(void **state) {
    (void)state;
    st_file f;
    for (size_t size = 0; size < 8; size++) {
        st_file_make(&f, "{}", 0);
        f.size = size;
        check_refused(&f, FM_ERR_FORMAT, "too few for a header");
    }
    static const struct {
        uint64_t length;
        fm_status status;
        const char *part;
    } cases[] = {
        {3, FM_ERR_FORMAT, "its header has 3 bytes, but the file ends after 2"},
        {100000000, FM_ERR_FORMAT, "the download is incomplete"},
        {100000001, FM_ERR_LIMIT, "at most 100000000 are read"},
        {UINT64_MAX, FM_ERR_LIMIT, "18446744073709551615 bytes"},
        {UINT64_MAX - 7, FM_ERR_LIMIT, "at most 100000000"},
        {0, FM_ERR_FORMAT, "the text ends where a value"},
        {1, FM_ERR_FORMAT, "the text ends where a key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        st_file_make(&f, "{}", 0);
        st_file_put_length(&f, cases[i].length);
        check_refused(&f, cases[i].status, cases[i].part);
    }
}

static void safetensors_lfs_pointer_is_recognised(void **state) {
    (void)state;
    static const char text[] = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
    st_file f = {.size = strlen(text)};
    memcpy(f.bytes, text, f.size);
    check_refused(&f, FM_ERR_FORMAT, "git lfs pull");
}

static void safetensors_every_cut_file_is_refused(void **state) {
    (void)state;
    st_file f;
    st_file_make(&f,
                 "{'x':{'dtype':'F32','shape':[2],'data_offsets':[0,8]},"
                 "'y':{'dtype':'U8','shape':[1],'data_offsets':[8,9]}}",
                 9);
    for (size_t whole = f.size; f.size > 0;) {
        f.size--;
        check_refused(&f, FM_ERR_FORMAT, f.size > whole - 10 ? "incomplete" : "");
    }
}

static void safetensors_long_hostile_names_stay_one_line(void **state) {
    (void)state;
    char header[3000];
    st_file f;
    safetensors *s;
    void *memory;
    fm_error err = {0};
    int n = snprintf(header, sizeof header, "{'\\u001b[2J\\n");
    for (int i = 0; i < 300; i++) n += snprintf(header + n, 8, "%s", "\xE2\x82\xAC");
    snprintf(header + n, sizeof header - (size_t)n, "':{'dtype':'U8'}}");
    st_file_make(&f, header, 0);
    assert_int_equal(open_file(&f, &s, &memory, &err), FM_ERR_FORMAT);
    free(memory);
    assert_non_null(strstr(err.text, "tensor ?[2J?\xE2\x82\xAC"));
    assert_non_null(strstr(err.text, "\xE2\x82\xAC has no shape"));
}

/* ---- Broken directories ---------------------------------------------------------------------- */

static fm_status open_dir(const temp_dir *dir, fm_error *err) {
    safetensors *s = NULL;
    fm_status status = safetensors_open(dir->path, &s, err);
    if (status == FM_OK)
        safetensors_close(s);
    else
        assert_null(s);
    return status;
}

static void safetensors_directory_without_weights_is_not_found(void **state) {
    const temp_dir *dir = *state;
    safetensors *s;
    char path[TEMP_PATH_SIZE];
    fm_error err = {0};
    assert_int_equal(open_dir(dir, &err), FM_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "neither model.safetensors nor model.safetensors.index.json"));
    temp_dir_path(dir, "absent", path);
    assert_int_equal(safetensors_open(path, &s, &err), FM_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "absent: no such directory"));
    temp_dir_write_text(dir, "file", "x");
    temp_dir_path(dir, "file", path);
    assert_int_equal(safetensors_open(path, &s, &err), FM_ERR_NOT_FOUND);
}

static void safetensors_empty_file_is_refused(void **state) {
    const temp_dir *dir = *state;
    fm_error err = {0};
    temp_dir_write_text(dir, "model.safetensors", "");
    assert_int_equal(open_dir(dir, &err), FM_ERR_FORMAT);
    assert_non_null(strstr(err.text, "/model.safetensors: has 0 bytes"));
}

typedef struct broken_index {
    const char *index;
    fm_status status;
    const char *part;
} broken_index;

/* One shard, a.safetensors, holds 'x'; another, b.safetensors, holds 'y'. */
static const broken_index broken_indexes[] = {
    {"", FM_ERR_FORMAT, "index.json: line 1: the text ends"},
    {"[]", FM_ERR_FORMAT, "has no object weight_map"},
    {"{}", FM_ERR_FORMAT, "has no object weight_map"},
    {"{'weight_map':[]}", FM_ERR_FORMAT, "has no object weight_map"},
    {"{'weight_map':{'x':7}}", FM_ERR_FORMAT, "no file name for tensor x"},
    {"{'weight_map':{'x':null}}", FM_ERR_FORMAT, "no file name for tensor x"},
    {"{'weight_map':{'x':'a.safetensors','x':'a.safetensors'}}", FM_ERR_FORMAT, "stands twice"},
    {"{'weight_map':{'x':''}}", FM_ERR_FORMAT, "only a plain file name"},
    {"{'weight_map':{'x':'.'}}", FM_ERR_FORMAT, "only a plain file name"},
    {"{'weight_map':{'x':'..'}}", FM_ERR_FORMAT, "only a plain file name"},
    {"{'weight_map':{'x':'../a.safetensors'}}", FM_ERR_FORMAT, "only a plain file name"},
    {"{'weight_map':{'x':'/etc/passwd'}}", FM_ERR_FORMAT, "only a plain file name"},
    {"{'weight_map':{'x':'sub/a.safetensors'}}", FM_ERR_FORMAT, "only a plain file name"},
    {"{'weight_map':{'x':'sub\\\\a.safetensors'}}", FM_ERR_FORMAT, "only a plain file name"},
    {"{'weight_map':{'x':'c:a.safetensors'}}", FM_ERR_FORMAT, "only a plain file name"},
    {"{'weight_map':{'x':'absent.safetensors'}}", FM_ERR_NOT_FOUND,
     "/absent.safetensors: is named by model.safetensors.index.json and absent"},
    {"{'weight_map':{'x':'sub'}}", FM_ERR_IO, "/sub: is a directory"},
    {"{'weight_map':{'z':'a.safetensors'}}", FM_ERR_FORMAT, "tensor z is not in a.safetensors"},
    {"{'weight_map':{'x':'b.safetensors','y':'a.safetensors'}}", FM_ERR_FORMAT,
     "tensor x is not in b.safetensors"},
    {"{'weight_map':{'x':'a.safetensors','x2':'twin.safetensors'}}", FM_ERR_FORMAT,
     "tensor x stands in two shards"},
    {"{'weight_map':{'x':'cut.safetensors'}}", FM_ERR_FORMAT,
     "/cut.safetensors: tensor x ends 1 bytes behind"},
};

static void safetensors_broken_indexes_are_refused(void **state) {
    const temp_dir *dir = *state;
    write_file(dir, "a.safetensors", X("'U8'", "[1]", "[0,1]"), 1);
    write_file(dir, "b.safetensors", "{'y':{'dtype':'U8','shape':[1],'data_offsets':[0,1]}}", 1);
    write_file(dir, "twin.safetensors", X("'U8'", "[1]", "[0,1]"), 1);
    write_file(dir, "cut.safetensors", X("'U8'", "[1]", "[0,1]"), 0);
    write_file(dir, "sub/a.safetensors", X("'U8'", "[1]", "[0,1]"), 1);
    for (size_t i = 0; i < sizeof broken_indexes / sizeof broken_indexes[0]; i++) {
        fm_error err = {0};
        write_json(dir, "model.safetensors.index.json", broken_indexes[i].index);
        fm_status status = open_dir(dir, &err);
        if (status != broken_indexes[i].status || !strstr(err.text, broken_indexes[i].part))
            fail_msg("%s: got %d, %s", broken_indexes[i].index, (int)status, err.text);
    }
    write_json(dir, "model.safetensors.index.json",
               "{'weight_map':{'x':'a.safetensors','y':'b.safetensors'}}");
    assert_int_equal(open_dir(dir, NULL), FM_OK);
}

static void safetensors_number_of_shards_is_limited(void **state) {
    const temp_dir *dir = *state;
    fm_error err = {0};
    char *text = malloc(1 << 20);
    assert_non_null(text);
    int n = sprintf(text, "{\"weight_map\":{\"x\":\"s\"");
    for (int i = 0; i < 10000; i++) n += sprintf(text + n, ",\"x%d\":\"s%d\"", i, i);
    sprintf(text + n, "}}");
    temp_dir_write_text(dir, "model.safetensors.index.json", text);
    free(text);
    assert_int_equal(open_dir(dir, &err), FM_ERR_LIMIT);
    assert_non_null(strstr(err.text, "names 10001 shards, at most 10000"));
}

static void safetensors_path_too_long_is_refused(void **state) {
    (void)state;
    char path[6000];
    safetensors *s;
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    assert_int_equal(safetensors_open(path, &s, NULL), FM_ERR_NOT_FOUND);
    assert_null(s);
}

int main(void) {
#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)
    const struct CMUnitTest tests[] = {
        WITH_DIR(safetensors_single_file_is_read),
        cmocka_unit_test(safetensors_every_dtype_is_known),
        cmocka_unit_test(safetensors_unusual_but_legal_files_are_read),
        WITH_DIR(safetensors_shards_are_one_set),
        WITH_DIR(safetensors_single_file_goes_before_an_index),
        cmocka_unit_test(safetensors_broken_headers_are_refused),
        cmocka_unit_test(safetensors_broken_lengths_are_refused),
        cmocka_unit_test(safetensors_lfs_pointer_is_recognised),
        cmocka_unit_test(safetensors_every_cut_file_is_refused),
        cmocka_unit_test(safetensors_long_hostile_names_stay_one_line),
        WITH_DIR(safetensors_directory_without_weights_is_not_found),
        WITH_DIR(safetensors_empty_file_is_refused),
        WITH_DIR(safetensors_broken_indexes_are_refused),
        WITH_DIR(safetensors_number_of_shards_is_limited),
        cmocka_unit_test(safetensors_path_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
