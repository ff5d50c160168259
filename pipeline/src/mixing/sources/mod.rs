//! Where items come from, one file each.

mod ads;
mod chronological;
mod conversations;
mod edits;
mod people;
mod pill;
mod previews;
mod prompts;
mod push_to_home;
mod ranked_posts;
mod recommended;

pub use ads::Ads;
pub use chronological::{Chronological, Whose};
pub use edits::Edits;
pub use people::{PeopleToMeet, Recommender, Suggestion};
pub use pill::NewPostsPill;
pub use previews::Previews;
pub use prompts::Prompts;
pub use push_to_home::PushToHome;
pub use ranked_posts::RankedPosts;
pub use recommended::RecommendedPeople;
