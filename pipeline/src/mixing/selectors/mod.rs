//! What orders, cuts and places items, one file each. Each works on the items of one [`Among`].

mod append;
mod bunches;
mod cap;
mod insert;
mod small_modules;
mod sort;

pub use append::Append;
pub use bunches::BreakBunches;
pub use cap::{Cap, CapPage};
pub use insert::InsertAt;
pub use small_modules::DropSmallModules;
pub use sort::{ItemOrder, SortItems};

use super::{Item, ItemKind};
use crate::domain::SourceKind;

/// Which items a selector works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// Ranked posts and conversations.
    Ranked,
    /// Posts and conversations that stand newest first.
    Chronological,
    /// A notification's post.
    Pinned,
    /// Items of another kind than posts.
    Kind(ItemKind),
}

impl Among {
    /// Whether an item is one of them.
    pub fn has(self, item: &Item) -> bool {
        let Some(focal) = item.focal() else { return self == Self::Kind(item.kind()) };
        match self {
            Self::Pinned => focal.is_pinned,
            Self::Chronological => !focal.is_pinned && focal.candidate.source == SourceKind::Chronological,
            Self::Ranked => !focal.is_pinned && focal.candidate.source != SourceKind::Chronological,
            Self::Kind(_) => false,
        }
    }
}
