//! Constants of filters and selection.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::UserId;

/// Lists and ages that filters go by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilterConfig {
    /// How old a post may be.
    pub max_age_ms: u64,
    /// Authors whose posts are not recommended outside of their network.
    pub competitor_authors: BTreeSet<UserId>,
    /// Links whose posts are not recommended outside of their author's network.
    pub competitor_urls: BTreeSet<String>,
    /// Whether an author's check mark stands in for social proof.
    pub verified_authors_need_no_proof: bool,
    /// Whether a topic stands in for social proof.
    pub topic_is_proof: bool,
}

impl Default for FilterConfig {
    fn default() -> Self {
        Self {
            max_age_ms: 48 * 3_600_000,
            competitor_authors: BTreeSet::new(),
            competitor_urls: BTreeSet::new(),
            verified_authors_need_no_proof: true,
            topic_is_proof: true,
        }
    }
}

/// How many are chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelectionConfig {
    /// Most ranked posts of the viewer's network.
    pub max_in_network: usize,
    /// Most ranked posts from outside of it.
    pub max_out_of_network: usize,
    /// Most backfilled posts.
    pub max_backfill: usize,
    /// Posts on a page, when the caller does not say.
    pub page: usize,
    /// Most posts on a page, whatever the caller says.
    pub max_page: usize,
    /// Out-of-network posts in a row before one of the network is moved between them.
    pub max_bunch: usize,
}

impl Default for SelectionConfig {
    fn default() -> Self {
        Self {
            max_in_network: 60,
            max_out_of_network: 60,
            max_backfill: 50,
            page: 35,
            max_page: 500,
            max_bunch: 2,
        }
    }
}
