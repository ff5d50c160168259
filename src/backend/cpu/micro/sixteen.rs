//! Steps of K written out.
//!
//! Each broadcast of A then has an address of its own in the program and meets, step after step, lines that are a panel's
//! 1 KiB apart: a stride that the processor foresees. In a loop all sixteen are one load, whose address goes on by 4 bytes
//! fifteen times and then jumps, and A comes late from L2.

/// Sixteen times the same, the constant `$k` counting.
macro_rules! sixteen {
    ($k:ident, $body:block) => {
        sixteen!($k, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    ($k:ident, $body:block, $($at:literal)*) => {
        $({
            const $k: usize = $at;
            $body
        })*
    };
}

pub(super) use sixteen;
