//! Every constant of the funnel by its name, in one file.
//!
//! The defaults are the July 2023 pipelines with the score weights of April 2023, out-of-network factor 0.75 and no boost
//! for verified accounts. Other generations are other files. `pipeline/config/default.yaml` is this module's defaults
//! written out; a test keeps them equal.

mod discovery;
mod fetch;
mod heuristics;
mod mixing;
mod scoring;
mod selection;
mod timelines;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use discovery::{
    AccountsConfig, CommunitySearchConfig, ListsConfig, PopularVideosConfig, RecommendedAuthorsConfig,
    SecondDegreeConfig, SimilarConfig,
};
pub use fetch::{BackfillConfig, CacheConfig, FetchConfig, InNetworkConfig, LightRankerConfig, QueryConfig};
pub use heuristics::{CreatorFactors, DiversityConfig, FeedbackConfig, HeuristicsConfig, VerifiedFactors};
pub use mixing::{
    AdsConfig, ClientConfig, EditsConfig, MixingConfig, PeopleConfig, PillConfig, PreviewsConfig,
    PromptsConfig,
};
pub use scoring::{ScoreWeights, ScoringConfig};
pub use selection::{FilterConfig, SelectionConfig};
pub use timelines::{ChronologicalConfig, RankingConfig};

use crate::engine::EngineConfig;

/// Every constant of the funnel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineConfig {
    /// Time limits.
    pub engine: EngineConfig,
    /// What is found out about the viewer.
    pub query: QueryConfig,
    /// Where candidates come from.
    pub fetch: FetchConfig,
    /// Lists and ages that filters go by.
    pub filters: FilterConfig,
    /// What the model scores and how its answer becomes a score.
    pub scoring: ScoringConfig,
    /// The factors a score is multiplied with.
    pub heuristics: HeuristicsConfig,
    /// How many are chosen.
    pub selection: SelectionConfig,
    /// The ranking as a whole.
    pub ranking: RankingConfig,
    /// Timelines whose posts stand newest first.
    pub chronological: ChronologicalConfig,
    /// What is mixed into the posts.
    pub mixing: MixingConfig,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's own error.
        source: io::Error,
    },
    /// The text is not a configuration.
    #[error("{}: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line and problem.
        problem: String,
    },
    /// A value is outside of what it means.
    #[error("{field}: {problem}")]
    Value {
        /// The field, as a path from the root.
        field: &'static str,
        /// What was expected and what was found.
        problem: String,
    },
}

impl PipelineConfig {
    /// Reads a YAML or JSON file. Fields that it does not name keep their defaults.
    ///
    /// # Errors
    /// The file cannot be read, names an unknown field, or has a value out of range.
    pub fn open(path: &Path) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read { path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(read)?;
        let syntax = |problem: String| ConfigError::Syntax { path: path.to_owned(), problem };
        let config: Self = serde_norway::from_str(&text).map_err(|error| syntax(error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    /// Checks every value that has a range.
    ///
    /// # Errors
    /// Names the first field that is out of range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let heuristics = &self.heuristics;
        let factor = &self.scoring.quality_factor;
        let unit = 0.0..=1.0;
        let positive = f64::MIN_POSITIVE..=f64::MAX;
        for (field, value, range) in [
            ("heuristics.diversity.decay", heuristics.diversity.decay, &unit),
            ("heuristics.diversity.floor", heuristics.diversity.floor, &unit),
            ("heuristics.out_of_network_factor", heuristics.out_of_network_factor, &positive),
            ("heuristics.reply_factor", heuristics.reply_factor, &positive),
            ("heuristics.verified.in_network", heuristics.verified.in_network, &positive),
            ("heuristics.verified.out_of_network", heuristics.verified.out_of_network, &positive),
            ("heuristics.creator.in_network", heuristics.creator.in_network, &positive),
            ("heuristics.creator.out_of_network", heuristics.creator.out_of_network, &positive),
            ("heuristics.feedback.floor", heuristics.feedback.floor, &unit),
            ("scoring.epsilon", self.scoring.epsilon, &(f64::MIN_POSITIVE..=1.0)),
            ("scoring.quality_factor.target_percentile", factor.target_percentile, &(1.0..=99.999)),
            ("scoring.quality_factor.start", factor.start, &(factor.min..=factor.max)),
            ("scoring.quality_factor.max", factor.max, &unit),
            ("scoring.quality_factor.min", factor.min, &unit),
        ] {
            if !range.contains(&value) {
                let problem = format!("expected {} to {}, got {value}", range.start(), range.end());
                return Err(ConfigError::Value { field, problem });
            }
        }
        if let Some((task, weight)) = self.scoring.weights.iter().find(|(_, weight)| !weight.is_finite()) {
            let problem = format!("weight of {} is {weight}, expected a finite number", task.name());
            return Err(ConfigError::Value { field: "scoring.weights", problem });
        }
        Ok(())
    }

    /// The configuration as YAML.
    pub fn to_yaml(&self) -> String {
        // Serialising plain structs of numbers and strings cannot fail.
        serde_norway::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/default.yaml");

    #[test]
    fn the_shipped_file_is_the_defaults() {
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            fs::write(DEFAULT_FILE, PipelineConfig::default().to_yaml()).expect("the file can be written");
        }
        let shipped = fs::read_to_string(DEFAULT_FILE).expect("the file is there");
        assert_eq!(shipped, PipelineConfig::default().to_yaml(), "run with UPDATE_GENERATED=1 to write it");
        assert_eq!(
            PipelineConfig::open(Path::new(DEFAULT_FILE)).expect("it parses"),
            PipelineConfig::default()
        );
    }

    #[test]
    fn the_file_for_measuring_holds_the_number_of_candidates() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/candidates-500.yaml");
        let config = PipelineConfig::open(Path::new(path)).expect("it parses");
        assert_eq!(config.scoring.max_candidates, Some(500));
        let factors =
            [config.scoring.quality_factor, config.fetch.quality_factor, config.ranking.quality_factor];
        assert!(factors.iter().all(|factor| (factor.min, factor.start, factor.max) == (1.0, 1.0, 1.0)));
        let defaults = PipelineConfig::default();
        let targets = |config: &PipelineConfig| {
            [config.scoring.quality_factor, config.fetch.quality_factor, config.ranking.quality_factor]
                .map(|factor| factor.target_latency_ms)
        };
        assert_eq!(targets(&config), targets(&defaults));
    }

    #[test]
    fn a_file_names_only_what_differs() {
        let config: PipelineConfig = serde_norway::from_str(
            "heuristics: {out_of_network_factor: 1.0}\nscoring: {weights: {reply: 5.0}}",
        )
        .expect("parses");
        assert_eq!(config.heuristics.out_of_network_factor, 1.0);
        assert_eq!(config.scoring.weights.reply, 5.0);
        assert_eq!(config.scoring.weights.favorite, 0.5);
        let json: PipelineConfig =
            serde_norway::from_str(r#"{"selection": {"page": 10}}"#).expect("JSON is read as well");
        assert_eq!(json.selection.page, 10);
    }

    #[test]
    fn unknown_fields_and_values_out_of_range_are_refused() {
        assert!(serde_norway::from_str::<PipelineConfig>("heuristics: {reply_facto: 1.0}").is_err());
        for text in [
            "heuristics: {reply_factor: 0.0}",
            "heuristics: {reply_factor: .nan}",
            "heuristics: {diversity: {decay: 1.5}}",
            "scoring: {weights: {reply: .inf}}",
            "scoring: {quality_factor: {target_percentile: 100.0}}",
        ] {
            let config: PipelineConfig = serde_norway::from_str(text).expect("the text parses");
            assert!(config.check().is_err(), "{text}");
        }
    }
}
