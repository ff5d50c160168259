//! Ads that compete for a page's places.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::component;
use crate::config::AdsConfig;
use crate::domain::stores::PostStore;
use crate::domain::{Ad, Candidate, PostId, Query, SourceKind, SuggestKind, best_first};
use crate::engine::{Failure, Scope, Source};
use crate::mixing::{AdSlot, Item, Shown};

/// Gives the ads with the highest bids whose post is there and not among the page's own, and whose advertiser neither is
/// the viewer nor was shown lately.
pub struct Ads {
    /// Highest bid first.
    ads: Vec<Arc<Ad>>,
    posts: Arc<dyn PostStore>,
    config: AdsConfig,
}

component!(Ads, "ads", "the ads with the highest bids that were not shown lately");

impl Ads {
    /// These ads; of equal bids the lower id comes first.
    pub fn new(ads: &[Ad], posts: Arc<dyn PostStore>, config: AdsConfig) -> Self {
        let mut ads: Vec<Arc<Ad>> = ads.iter().cloned().map(Arc::new).collect();
        ads.sort_by(|a, b| best_first(a.bid.into(), b.bid.into()).then(a.id.cmp(&b.id)));
        Self { ads, posts, config }
    }
}

#[async_trait]
impl Source<Query, Item> for Ads {
    async fn fetch(&self, query: &Query, scope: Scope<'_, Item>) -> Result<Vec<Item>, Failure> {
        let since = query.now - Duration::from_millis(self.config.interval_ms);
        let history = query.facts.history.get().map_or(&[][..], |history| history);
        let lately = history.iter().filter(|response| response.at >= since);
        let shown: HashSet<u64> = lately.flat_map(|response| response.extras.ads.iter().copied()).collect();
        let organic: HashSet<PostId> = scope
            .earlier
            .iter()
            .flat_map(Item::posts)
            .flat_map(|shown| [shown.candidate.post_id, shown.candidate.original_id()])
            .collect();
        let mut advertisers = HashSet::new();
        let slot = |ad: &Arc<Ad>| {
            let is_out = shown.contains(&ad.id)
                || organic.contains(&ad.post)
                || ad.advertiser == query.viewer
                || query.avoids(ad.advertiser);
            let (post, counts) = if is_out { None } else { self.posts.get(ad.post) }?;
            if post.is_repost() || !advertisers.insert(ad.advertiser) {
                return None;
            }
            let candidate = Candidate::of(&post, counts, SourceKind::Named, SuggestKind::Promoted);
            let impression = impression(query, ad.id);
            let shown = Shown::new(candidate);
            Some(Item::Ad(Box::new(AdSlot { ad: Arc::clone(ad), shown, impression })))
        };
        Ok(self.ads.iter().filter_map(slot).take(self.config.max_ads).collect())
    }
}

/// Names the showing of an ad: another one for every viewer, request and ad, the same when a request is replayed.
fn impression(query: &Query, ad: u64) -> u64 {
    let parts = [query.viewer.0, query.now.0.cast_unsigned(), query.request.request_id, ad];
    // SplitMix64's finisher after each part.
    parts.into_iter().fold(0, |hash: u64, part| {
        let mut mixed = hash.wrapping_add(part).wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    })
}
