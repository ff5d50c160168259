// reduce: sum and maximum over a workgroup; every invocation gets the result.
//
//   Tree       a binary tree in workgroup memory
//   Subgroup   the subgroup's own reduction, then the subgroups' results in order; any subgroup size
//   Barriers   (1) all parts are written before they are read   (2) all are read before the next reduction writes
//   Numerics   the order of the sum depends on WG_SIZE and the subgroup size only, never on the batch
// Must be called in uniform control flow.

// Which invocation this is.
struct Thread {
    index: u32,         // [0, WG_SIZE)
//# if SUBGROUP
    subgroup: u32,      // [0, num_subgroups)
    num_subgroups: u32,
//# end
}

//# if SUBGROUP
// One part a subgroup; there are at most WG_SIZE of them.
var<workgroup> smem_parts: array<f32, WG_SIZE>;

fn reduce_sum(thread: Thread, value: f32) -> f32 {
    smem_parts[thread.subgroup] = subgroupAdd(value);
    workgroupBarrier();  // (1)
    var sum = smem_parts[0];
    for (var i = 1u; i < thread.num_subgroups; i++) {
        sum += smem_parts[i];
    }
    workgroupBarrier();  // (2)
    return sum;
}

fn reduce_max(thread: Thread, value: f32) -> f32 {
    smem_parts[thread.subgroup] = subgroupMax(value);
    workgroupBarrier();  // (1)
    var most = smem_parts[0];
    for (var i = 1u; i < thread.num_subgroups; i++) {
        most = max(most, smem_parts[i]);
    }
    workgroupBarrier();  // (2)
    return most;
}
//# else
var<workgroup> smem_parts: array<f32, WG_SIZE>;

fn reduce_sum(thread: Thread, value: f32) -> f32 {
    smem_parts[thread.index] = value;
    workgroupBarrier();  // (1)
    for (var width = WG_SIZE / 2u; width > 0u; width /= 2u) {
        if thread.index < width {
            smem_parts[thread.index] += smem_parts[thread.index + width];
        }
        workgroupBarrier();  // (1), one level up
    }
    let sum = smem_parts[0];
    workgroupBarrier();  // (2)
    return sum;
}

fn reduce_max(thread: Thread, value: f32) -> f32 {
    smem_parts[thread.index] = value;
    workgroupBarrier();  // (1)
    for (var width = WG_SIZE / 2u; width > 0u; width /= 2u) {
        if thread.index < width {
            smem_parts[thread.index] = max(smem_parts[thread.index], smem_parts[thread.index + width]);
        }
        workgroupBarrier();  // (1), one level up
    }
    let most = smem_parts[0];
    workgroupBarrier();  // (2)
    return most;
}
//# end
