// reduce: sum or maximum over a workgroup; every invocation gets the result.
//
//   Tree       a binary tree in workgroup memory
//   Subgroup   the subgroup's own reduction, then the subgroups' results in order; any subgroup size
//   Barriers   (1) all parts are written before they are read   (2) all are read before the next reduction writes
//   Numerics   the order of the sum depends on WG_SIZE and the subgroup size only, never on the batch
// Must be called in uniform control flow, with the same `operation` by all. A call is long once compiled: where several
// reductions follow each other, a loop around one call compiles it once.

const REDUCE_SUM = 0u;
const REDUCE_MAX = 1u;

// Which invocation this is.
struct Thread {
    index: u32,         // [0, WG_SIZE)
//# if SUBGROUP
    subgroup: u32,      // [0, num_subgroups)
    num_subgroups: u32,
//# end
}

// One part an invocation, or a subgroup, of which there are at most WG_SIZE.
var<workgroup> smem_parts: array<f32, WG_SIZE>;

fn combine(operation: u32, a: f32, b: f32) -> f32 {
    return select(a + b, max(a, b), operation == REDUCE_MAX);
}

//# if SUBGROUP
fn reduce(thread: Thread, operation: u32, value: f32) -> f32 {
    smem_parts[thread.subgroup] = select(subgroupAdd(value), subgroupMax(value), operation == REDUCE_MAX);
    workgroupBarrier();  // (1)
    var total = smem_parts[0];
    for (var i = 1u; i < thread.num_subgroups; i++) {
        total = combine(operation, total, smem_parts[i]);
    }
    workgroupBarrier();  // (2)
    return total;
}
//# else
fn reduce(thread: Thread, operation: u32, value: f32) -> f32 {
    smem_parts[thread.index] = value;
    workgroupBarrier();  // (1)
    for (var width = WG_SIZE / 2u; width > 0u; width /= 2u) {
        if thread.index < width {
            let other = smem_parts[thread.index + width];
            smem_parts[thread.index] = combine(operation, smem_parts[thread.index], other);
        }
        workgroupBarrier();  // (1), one level up
    }
    let total = smem_parts[0];
    workgroupBarrier();  // (2)
    return total;
}
//# end
