//! Accounts.

use serde::{Deserialize, Serialize};

use super::{Language, Millis, UserId};

/// Which check marks an account has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Verification {
    /// Pays for it.
    pub blue: bool,
    /// A business.
    pub gold: bool,
    /// A government.
    pub gray: bool,
    /// Was verified under the old rules.
    pub legacy: bool,
}

impl Verification {
    /// Whether there is any check mark.
    pub fn any(self) -> bool {
        self.blue || self.gold || self.gray || self.legacy
    }
}

/// An account, as others see it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// Snowflake id.
    pub id: UserId,
    /// The unique name, without the sign.
    pub screen_name: String,
    /// The name it shows.
    pub name: String,
    /// When it was opened.
    pub created_at: Millis,
    /// How many accounts follow it.
    pub followers: u32,
    /// How many accounts it follows.
    pub following: u32,
    /// How many posts it has written.
    pub posts: u32,
    /// Standing in the follow graph, 0 to 100.
    pub reputation: f32,
    /// The language it mostly writes in.
    pub language: Language,
    /// ISO 3166 country code, lower case; empty when unknown.
    pub country: String,
    /// Check marks.
    pub verification: Verification,
    /// Whether it is in the creators' programme.
    pub is_creator: bool,
    /// Whether only approved followers may see its posts.
    pub is_protected: bool,
    /// Whether it mostly posts adult media.
    pub is_adult: bool,
    /// Whether it is suspended or closed: nothing of it is shown.
    pub is_withdrawn: bool,
    /// Whether it answers customers automatically.
    pub is_support: bool,
}
