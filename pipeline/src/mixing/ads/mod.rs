//! Where ads stand. `docs/MIXING.md` says it in prose; this is the whole of it.

mod fit;
mod insert;
mod places;

pub use fit::{Neighbour, Risk};
pub use insert::{InsertAds, Placement};
pub use places::{Place, partition, separate};
