//! What orders, cuts and places items, one file each. Each works on the items of one [`Among`].

/// A selector's name with the items that it works on, so that a list can hold several of a kind.
macro_rules! named_by_items {
    ($type:ty, $prefix:literal, $about:literal) => {
        impl crate::engine::Component for $type {
            fn name(&self) -> &'static str {
                use crate::mixing::{ItemKind, PeopleKind};
                match self.among {
                    Among::Ranked => concat!($prefix, "_ranked"),
                    Among::Chronological => concat!($prefix, "_chronological"),
                    Among::Pinned => concat!($prefix, "_pinned"),
                    Among::Kind(ItemKind::Post) => concat!($prefix, "_posts"),
                    Among::Kind(ItemKind::Ad) => concat!($prefix, "_ads"),
                    Among::Kind(ItemKind::People(PeopleKind::Follow)) => concat!($prefix, "_who_to_follow"),
                    Among::Kind(ItemKind::People(PeopleKind::Subscribe)) => {
                        concat!($prefix, "_who_to_subscribe")
                    }
                    Among::Kind(ItemKind::Preview) => concat!($prefix, "_previews"),
                    Among::Kind(ItemKind::Edited) => concat!($prefix, "_edited"),
                    Among::Kind(ItemKind::Prompt) => concat!($prefix, "_prompts"),
                    Among::Kind(ItemKind::Pill) => concat!($prefix, "_pill"),
                }
            }

            fn about(&self) -> &'static str {
                $about
            }
        }
    };
}

mod append;
mod bunches;
mod cap;
mod insert;
mod pinned;
mod small_modules;
mod sort;

pub use append::Append;
pub use bunches::BreakBunches;
pub use cap::{Cap, CapPage};
pub use insert::InsertAt;
pub use pinned::DropPinnedElsewhere;
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
