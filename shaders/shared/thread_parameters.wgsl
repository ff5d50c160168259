    @builtin(local_invocation_index) index: u32,
//# if SUBGROUP
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) num_subgroups: u32,
//# end
