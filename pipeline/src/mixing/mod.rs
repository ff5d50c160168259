//! Mixing different kinds of items into one timeline.

pub mod ads;
pub mod decorators;
pub mod filters;
pub mod gates;
mod item;
mod lift;
pub mod selectors;
pub mod sources;

pub use item::{
    AdSlot, Item, ItemKind, Offer, People, PeopleKind, Pill, PromptForm, PromptText, Reason, Shown, Thread,
};
pub use lift::{EachPost, SinglePosts, each_post, of_posts, single_posts};
