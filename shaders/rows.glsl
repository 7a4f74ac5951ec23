/*
 * rows.glsl - how operations on rows are divided: a workgroup takes a block of the elements of one
 * row, block after block, row after row. Behind fathom.glsl.
 */

/** Elements first … end - 1 of a row. Workgroups too many get a row behind the last one. */
struct row_block {
    uint row, first, end;
};

row_block group_block(uint width, uint block) {
    uint n_blocks = (width + block - 1) / block;
    uint first = group_index() % n_blocks * block;
    return row_block(group_index() / n_blocks, first, min(first + block, width));
}
