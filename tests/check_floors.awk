# check_floors.awk - the rules of check_floors.sh that can be read off the text of the sources.
# Input: source files, relative to the root; -v list=FILE names a file with all of them. Prints one
# line per violation, "FILE:LINE: what is wrong". Plain awk; run it with LC_ALL=C: it counts bytes.

BEGIN {
    while ((getline path < list) > 0) known[path] = 1
    n_std = split("assert complex ctype errno fenv float inttypes iso646 limits locale math " \
                  "setjmp signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib " \
                  "stdnoreturn string tgmath threads time uchar wchar wctype", std_names, " ")
    forbidden = "(getenv|secure_getenv|exit|_exit|_Exit|quick_exit|abort" \
                "|printf|fprintf|vprintf|vfprintf|puts|putchar|perror)"
    for (i = 1; i <= n_std; i++) is_standard[std_names[i] ".h"] = 1
}

function violation(line, what) {
    printf "%s:%d: %s\n", FILENAME, line, what
}

# ---- Floors --------------------------------------------------------------------------------------

# The part of the house a file belongs to: the folder in core/ or backends/, else the first folder.
function area_of(path,    parts, n) {
    n = split(path, parts, "/")
    if (path == "core/fathom.h") return "public"
    if (parts[1] == "core") return n == 2 ? "contract" : parts[2]
    if (parts[1] == "backends") return "backends/" parts[2]
    return parts[1]
}

# The floor of an area; -1 for an area that is no floor of the core or of the programs.
function floor_of(area) {
    if (area == "public" || area == "base") return 0
    if (area == "data" || area == "text") return 1
    if (area == "contract") return 2
    if (area == "model") return 3
    if (area == "engine" || area == "train") return 4
    if (area == "native" || area == "web") return 5
    return -1
}

# Resolves "a/b/../c" and "./".
function normal_path(path,    parts, n, i, kept, out) {
    n = split(path, parts, "/")
    kept = 0
    for (i = 1; i <= n; i++) {
        if (parts[i] == "." || parts[i] == "") continue
        if (parts[i] == ".." && kept > 0) kept--
        else parts[++kept] = parts[i]
    }
    out = parts[1]
    for (i = 2; i <= kept; i++) out = out "/" parts[i]
    return out
}

# The tracked file that an #include "…" means, or "".
function include_target(name,    folder, path) {
    folder = FILENAME
    sub(/[^\/]*$/, "", folder)
    path = normal_path(folder name)
    if (path in known) return path
    path = normal_path("core/" name)
    if (path in known) return path
    path = normal_path("tests/" name)
    return (path in known) && area == "tests" ? path : ""
}

function check_own_include(name,    path, target) {
    path = include_target(name)
    if (area == "tests") return
    if (path == "") {
        violation(FNR, "includes \"" name "\", which is no tracked file")
        return
    }
    target = area_of(path)
    if (area == "public")
        violation(FNR, "fathom.h includes \"" name "\": only standard headers are allowed there")
    else if (target == "public" || target == area)
        return
    else if (area == "native" && name == "base/json.h")
        return
    else if (is_program)
        violation(FNR, "includes " path ": programs see fathom.h and their own headers only, and " \
                  "native/ base/json.h")
    else if (is_backend) {
        if (path != "core/backend.h" && target != "data" && target != "base")
            violation(FNR, "includes " path ": a backend sees core/backend.h, data and base")
    } else if (floor_of(target) < 0)
        violation(FNR, "includes " path ", which is on no floor of the core")
    else if (floor_of(target) > floor_of(area))
        violation(FNR, "includes " path ", which is on a higher floor")
    else if ((area == "data" && target == "text") || (area == "text" && target == "data"))
        violation(FNR, "includes " path ": DATA and TEXT do not include each other")
}

function check_system_include(name) {
    if (area == "public" && !(name in is_standard))
        violation(FNR, "fathom.h includes <" name ">: only standard headers are allowed there")
    if ((name ~ /^(cuda|cublas|nccl)/ && area != "backends/cuda") ||
        (name ~ /^vulkan/ && !is_vulkan))
        violation(FNR, "includes <" name "> outside the folder of its backend")
}

function check_directive(line,    name) {
    if (match(line, /^[ \t]*#[ \t]*include[ \t]*["<][^">]*[">]/)) {
        name = substr(line, RSTART, RLENGTH)
        sub(/^[^"<]*/, "", name)
        if (substr(name, 1, 1) == "\"") check_own_include(substr(name, 2, length(name) - 2))
        else check_system_include(substr(name, 2, length(name) - 2))
    }
    if (!is_core) return
    if (line ~ /^[ \t]*#[ \t]*(if|ifdef|elif)[ \t(!].*(CUDA|VULKAN|FATHOM_)/ ||
        (line ~ /^[ \t]*#[ \t]*ifndef[ \t].*(CUDA|VULKAN|FATHOM_)/ && line !~ /_H[ \t]*$/))
        violation(FNR, "a branch of the preprocessor over a backend or option: choose at run time")
}

# ---- Names ---------------------------------------------------------------------------------------

function check_names(code) {
    if (area != "backends/cuda" && code ~ /(^|[^A-Za-z0-9_])(cuda[A-Z]|cu[A-Z][a-z]+\()/)
        violation(FNR, "a CUDA name outside backends/cuda")
    if (!is_vulkan && code ~ /(^|[^A-Za-z0-9_])(vk|Vk)[A-Z]/)
        violation(FNR, "a Vulkan name outside backends/vulkan")
    if (is_core && match(code, "(^|[^A-Za-z0-9_])" forbidden "[ \t]*[(]"))
        violation(FNR, "the core never reads the environment, prints or exits:" \
                  substr(code, RSTART, RLENGTH) ")")
}

# ---- Code without comments and strings -----------------------------------------------------------

# Strings keep their quotes and lose their contents. Uses the global in_comment.
function strip(line,    out, token) {
    out = ""
    while (line != "") {
        if (in_comment) {
            if (!match(line, /\*\//)) return out
            line = substr(line, RSTART + 2)
            in_comment = 0
            continue
        }
        if (!match(line, /\/\*|\/\/|"|'/)) return out line
        out = out substr(line, 1, RSTART - 1)
        token = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
        if (token == "//") return out
        if (token == "/*") {
            in_comment = 1
            continue
        }
        out = out token token
        if (token == "\"" ? match(line, /^([^"\\]|\\.)*"/) : match(line, /^([^'\\]|\\.)*'/))
            line = substr(line, RLENGTH + 1)
    }
    return out
}

# ---- Declarations and functions ------------------------------------------------------------------
# `head` is the text of the current declaration up to what ends or fills it; `depth` counts braces.

function trim(text) {
    gsub(/[ \t]+/, " ", text)
    sub(/^ /, "", text)
    sub(/ $/, "", text)
    return text
}

# True when a declaration makes an object that can be written.
function is_mutable(text,    at) {
    for (at = length(text); at > 0 && substr(text, at, 1) != "*"; at--) continue
    return substr(text, at + 1) !~ /(^|[^A-Za-z0-9_])const([^A-Za-z0-9_]|$)/
}

# "function", "object" or "" for anything else.
function kind_of(text, is_static,    at) {
    if (text ~ /^(typedef|extern|_Static_assert|enum)([^A-Za-z0-9_]|$)/) return ""
    if (!is_static && text ~ /^(struct|union)( [A-Za-z0-9_]+)?$/) return ""
    at = index(text, "(")
    if (at > 0 && substr(text, at + 1) !~ /^ ?\*/) return "function"
    return text ~ /[A-Za-z0-9_*] ?[A-Za-z0-9_]+/ && text ~ / |\*/ ? "object" : ""
}

function judge_head(text,    is_static, head_kind) {
    text = trim(text)
    gsub(/[[][^]]*[]]/, "", text)
    if (match(text, /(^|[^A-Za-z0-9_])static /)) {
        text = substr(text, RSTART + (substr(text, RSTART, 1) == "s" ? 0 : 1))
        is_static = 1
    }
    if (!is_static && depth > 0) return ""
    head_kind = kind_of(text, is_static)
    if (head_kind == "object" && has_no_globals && is_mutable(text))
        violation(FNR, "a mutable " (is_static ? "static" : "global") ": " text)
    return head_kind
}

function scan_brace_open() {
    if (trim(head) ~ /^extern ""$/) { # extern "C" {: not a body
        head = ""
        return
    }
    kind = is_filled ? "" : judge_head(head)
    if (depth == 0 && kind == "function") {
        in_function = 1
        function_line = head_line
    }
    is_filled = 0
    depth++
    head = ""
}

function scan_brace_close() {
    if (depth > 0) depth--
    head = ""
    is_filled = 0
    if (depth > 0) return
    if (in_function && FNR - function_line + 1 > 100 && !is_kernel)
        violation(function_line, "a function of " (FNR - function_line + 1) " lines (at most 100)")
    is_filled = !in_function # what may follow a type's braces is a name
    in_function = 0
}

function scan(code,    token) {
    while (match(code, /[{};=()]/)) {
        token = substr(code, RSTART, 1)
        if (trim(head) == "" && substr(code, 1, RSTART) ~ /[^ \t;]/) head_line = FNR
        head = head substr(code, 1, RSTART - 1)
        code = substr(code, RSTART + 1)
        if (token == "(" || token == ")") {
            paren += token == "(" ? 1 : -1
            head = head token
        } else if (token == "{") {
            scan_brace_open()
        } else if (token == "}") {
            scan_brace_close()
        } else if (paren <= 0) {
            if (!is_filled) judge_head(head)
            is_filled = token == "="
            if (token == ";") {
                head = ""
                paren = 0
            }
        }
    }
    if (trim(head) == "" && code ~ /[^ \t]/) head_line = FNR
    head = head code " "
}

# ---- Lines ---------------------------------------------------------------------------------------

FNR == 1 {
    check_file_end()
    file = FILENAME
    area = area_of(FILENAME)
    is_core = FILENAME ~ /^core\//
    is_backend = FILENAME ~ /^backends\//
    is_vulkan = area == "backends/vulkan" || FILENAME ~ /^tests\/vulkan\//
    is_program = area == "native" || area == "web"
    is_c = FILENAME ~ /\.(c|h|cu|cuh)$/
    is_kernel = FILENAME ~ /kernel/ || FILENAME ~ /\.(comp|cu)$/
    has_no_globals = is_core || is_backend
    in_comment = in_directive = depth = paren = in_function = is_filled = 0
    head = ""
    if (is_core && floor_of(area) < 0) violation(1, "core/" area " is on no floor of the core")
}

function check_file_end() {
    # The public header is one by design: programs include nothing else.
    max_lines = file == "core/fathom.h" ? 1000 : 520
    if (file != "" && n_lines > max_lines && !is_kernel && file !~ /unicode_table\.h$/)
        printf "%s:%d: a file of %d lines (at most %d)\n", file, n_lines, n_lines, max_lines
}

{
    n_lines = FNR
    text = $0
    gsub(/[\200-\277]/, "", text) # a column for each code point
    total_lines++
    if (length(text) > 100) wide[++n_wide] = FILENAME ":" FNR ": " length(text) " columns"
    if (FILENAME !~ /check_floors/) {
        gsub(/TODO\(#[0-9]+\)/, "", text)
        if (text ~ /TODO/) violation(FNR, "a TODO without the number of its issue: TODO(#N)")
    }
}

is_c {
    code = strip($0)
    is_directive = in_directive || code ~ /^[ \t]*#/
    in_directive = is_directive && $0 ~ /\\$/
    if (is_directive && code ~ /^[ \t]*#/) check_directive(code ~ /include/ ? $0 : code)
    if (area !~ /^(tests|shaders)$/) check_names(code)
    if (!is_directive) scan(code)
}

END {
    check_file_end()
    # The 99th percentile: a table row may be wide, a habit may not.
    if (n_wide * 100 > total_lines)
        for (i = 1; i <= n_wide; i++) print wide[i] " (at most 100)"
}
