//! What the funnel is about: ids, posts, users, queries, candidates, and the stores that know them.
//!
//! Nothing here knows how a pipeline is run ([`crate::engine`] does) or where data lies (a store's implementation does).

mod ad;
mod candidate;
mod clock;
mod counts;
mod cursor;
mod embedding;
mod engagement;
mod feature;
mod feedback;
mod id_map;
mod id_set;
mod ids;
mod post;
mod query;
mod ranking;
mod scorer_client;
mod settings;
pub mod stores;
mod tally;
mod timeline_kind;
mod traits;
mod user;

pub use ad::{Ad, BrandSafety};
pub use candidate::{
    AuthorFacts, Candidate, CandidateKind, Conversation, Factor, SocialProof, SourceKind, SuggestKind,
};
pub use clock::{Clock, ManualClock, Millis, SystemClock};
pub use counts::{
    DecayTable, Decayed, EventWeight, EventWeights, HALF_LIVES_MS, PostCounts, WINDOW_NAMES, WINDOWS,
};
pub use cursor::{Cursor, PageKind};
pub use embedding::{DenseEmbedding, SparseEmbedding};
pub use engagement::{Engagement, EngagementKind, Task};
pub use feature::Feature;
pub use feedback::{Dismissal, Feedback, FeedbackKind};
pub use id_map::{IdHash, IdHashSet, IdHasher, IdMap};
pub use id_set::IdSet;
pub use ids::{ListId, PostId, SNOWFLAKE_EPOCH_MS, TopicId, UserId};
pub use post::{Language, Media, Post, PostRef, SafetyLabels};
pub use query::{
    CachedPost, DeviceContext, Platform, Query, RealGraphScores, RequestFacts, ServedExtras, ServedResponse,
    ViewerFacts,
};
pub use ranking::best_first;
pub use scorer_client::{FeatureBatch, ModelInputs, Predictions, RequestColumns, ScorerClient, ScorerError};
pub use settings::{SensitiveMedia, ViewerSettings, ViewerState};
pub use tally::{Cut, Row, RowKey, Rows, Tally, TallyKind, cuts_of, habit_code};
pub(crate) use tally::{make_room, rank};
pub use timeline_kind::TimelineKind;
pub use traits::{
    Carries, Cell, EventTraits, Form, Habit, PostTraits, country_code, hour_and_weekday, language_code,
    topic_code,
};
pub use user::{User, Verification};
