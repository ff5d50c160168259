//! How much the viewer has to do with the author.

use std::sync::Arc;

use crate::component;
use crate::domain::stores::{RealGraph, TieStrength};
use crate::domain::{Candidate, Query, UserId};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// The tie from the viewer to the poster, and to the author of what is passed on.
pub struct RealGraphFeatures {
    /// Ties.
    pub real_graph: Arc<dyn RealGraph>,
}

component!(RealGraphFeatures, "real_graph", "ties from the viewer to the poster and to the original author");

const OF_A_TIE: [&str; 9] = [
    "score",
    "favorites",
    "replies",
    "reposts",
    "mentions",
    "clicks",
    "profile_visits",
    "active_days",
    "days_since_last",
];

impl FeatureFamily for RealGraphFeatures {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        let of = |who: &'static str| {
            OF_A_TIE.iter().map(move |what| FeatureSpec::new(format!("real_graph.{who}_{what}")))
        };
        of("poster").chain(of("author")).collect()
    }

    fn fill(&self, query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        for (first, who) in [
            (0, candidates.iter().map(|candidate| candidate.author_id).collect::<Vec<UserId>>()),
            (OF_A_TIE.len(), candidates.iter().map(Candidate::original_author_id).collect()),
        ] {
            let ties = self.real_graph.ties(query.viewer, &who);
            if ties.len() != who.len() {
                let problem = format!("{} ties for {} accounts", ties.len(), who.len());
                return Err(Failure::failed("real_graph", problem));
            }
            for (index, tie) in ties.into_iter().enumerate() {
                if let Some(tie) = tie {
                    rows.row(index).put_from(first, values(tie));
                }
            }
        }
        Ok(())
    }
}

/// Values in the order of [`OF_A_TIE`].
fn values(tie: TieStrength) -> [f32; OF_A_TIE.len()] {
    [
        tie.score,
        tie.favorites,
        tie.replies,
        tie.reposts,
        tie.mentions,
        tie.clicks,
        tie.profile_visits,
        tie.active_days,
        tie.days_since_last,
    ]
}
