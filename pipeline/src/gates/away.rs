//! The viewer has been away.

use std::time::Duration;

use crate::component;
use crate::domain::Query;
use crate::engine::Gate;

/// Open when the last visit lies longer back than `for_at_least`, or is not known.
pub struct Away {
    /// How long.
    pub for_at_least: Duration,
}

component!(Away, "away", "open when the viewer has been away for a while, or nobody knows");

impl<C> Gate<Query, C> for Away {
    fn is_open(&self, query: &Query, _earlier: &[C]) -> bool {
        query.facts.last_visit.get_or(None).is_none_or(|visit| query.now.since(visit) > self.for_at_least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Feature, Millis, RequestFacts, UserId};

    #[test]
    fn it_opens_after_the_time_and_when_nothing_is_known() {
        let gate = Away { for_at_least: Duration::from_secs(10) };
        let mut query = Query::new(UserId(1), Millis(100_000), RequestFacts::default());
        for (visit, open) in [
            (Feature::Missing, true),
            (Feature::Failed(None), true),
            (Feature::Value(None), true),
            (Feature::Value(Some(Millis(90_000))), false),
            (Feature::Value(Some(Millis(89_999))), true),
            (Feature::Value(Some(Millis(200_000))), false),
        ] {
            query.facts.last_visit = visit.clone();
            assert_eq!(Gate::<Query, ()>::is_open(&gate, &query, &[]), open, "{visit:?}");
        }
    }
}
