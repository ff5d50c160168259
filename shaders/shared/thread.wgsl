//# if SUBGROUP
    let thread = Thread(index, subgroup, num_subgroups);
//# else
    let thread = Thread(index);
//# end
