//! What is found out about the viewer, one file each.

mod cached_posts;
mod dismissals;
mod feedback;
mod impressions;
mod last_visit;
mod lists;
mod real_graph;
mod served_authors;
mod served_history;
mod social_graph;
mod viewer;
mod viewer_embeddings;

pub use cached_posts::CachedPosts;
pub use dismissals::Dismissals;
pub use feedback::FeedbackHistory;
pub use impressions::Impressions;
pub use last_visit::LastVisit;
pub use lists::Lists;
pub use real_graph::StrongestTies;
pub use served_authors::ServedAuthors;
pub use served_history::ServedHistory;
pub use social_graph::Relations;
pub use viewer::Viewer;
pub use viewer_embeddings::ViewerEmbeddings;
