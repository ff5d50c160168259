//! Memory with its shadow: every word knows who wrote it last and who read it since.

mod clock;
mod global;
mod shadow;
mod shared;

pub(crate) use clock::{Clock, Sync};
pub use global::BufferId;
pub(crate) use global::{Access, Device, address};
pub(crate) use shadow::{Actor, Conflict};
pub(crate) use shared::{Shared, Wrong};

use crate::fault::Space;

/// Bytes of one access, as little-endian words; an access smaller than a word lies in the low bits of the first.
pub(crate) type Bytes = [u32; 8];

/// Bit position of the tag in a generic address. Global memory has tag 0.
const TAG: u32 = 60;

/// Generic address of `address` in `space`.
pub(crate) fn generic(space: Space, address: u64) -> u64 {
    let tag: u64 = match space {
        Space::Global | Space::Generic => 0,
        Space::Shared => 1,
        Space::Local => 2,
        Space::Param => 3,
        Space::Const => 4,
    };
    address | tag << TAG
}

/// Space and address in it of a generic address.
pub(crate) fn specific(address: u64) -> (Space, u64) {
    let space = match address >> TAG {
        1 => Space::Shared,
        2 => Space::Local,
        3 => Space::Param,
        4 => Space::Const,
        _ => Space::Global,
    };
    (space, if space == Space::Global { address } else { address & ((1 << TAG) - 1) })
}
