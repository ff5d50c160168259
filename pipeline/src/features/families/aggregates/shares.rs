//! Shares and trends of counts: a kind against all kinds, the last hours against the last days.

use crate::component;
use crate::domain::{Candidate, EngagementKind, Query, WINDOWS};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// For each scope and kind: its share of all engagements, of the last day's and of all time's, and how much of the last
/// three days' count the last day's is.
pub struct Shares;

component!(Shares, "shares", "shares of engagements by kind, and their trends, by scope");

/// Scopes, whose families begin with the cut of everything and all kinds.
const SCOPES: [&str; 5] =
    ["post_received", "author_received", "viewer_author", "topic_received", "community_received"];
const KINDS: usize = EngagementKind::ALL.len();
const VALUES: [&str; 3] = ["share_24h", "share_total", "trend"];
/// Positions of the windows that are compared.
const DAY: usize = 1;
const THREE_DAYS: usize = 2;
const TOTAL: usize = 4;

impl FeatureFamily for Shares {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        let mut specs = Vec::new();
        for scope in SCOPES {
            for value in VALUES {
                let name = |kind: EngagementKind| format!("shares.{scope}.{}.{value}", kind.name());
                specs.extend(EngagementKind::ALL.map(|kind| FeatureSpec::new(name(kind))));
            }
        }
        specs
    }

    fn after(&self) -> &'static [&'static str] {
        &SCOPES
    }

    fn fill(&self, _query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        for index in 0..candidates.len() {
            let mut row = rows.row(index);
            for scope in 0..SCOPES.len() {
                let counts = row.of(scope);
                let window = |window: usize| -> [f32; KINDS] {
                    std::array::from_fn(|kind| counts.get(kind * WINDOWS + window).copied().unwrap_or(0.0))
                };
                let (day, three_days, total) = (window(DAY), window(THREE_DAYS), window(TOTAL));
                let ratio = |part: f32, whole: f32| if whole > 0.0 { part / whole } else { 0.0 };
                let share = |counts: [f32; KINDS]| {
                    let all: f32 = counts.iter().sum();
                    counts.map(|count| ratio(count, all))
                };
                let first = scope * VALUES.len() * KINDS;
                row.put_from(first, share(day));
                row.put_from(first + KINDS, share(total));
                let trend = std::array::from_fn::<f32, KINDS, _>(|kind| ratio(day[kind], three_days[kind]));
                row.put_from(first + 2 * KINDS, trend);
            }
        }
        Ok(())
    }
}
