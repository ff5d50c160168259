//! Weights of the score: `score = Σ weight · probability`. Configuration, not part of a model: they may change with
//! every call.

use std::path::{Path, PathBuf};

use crate::config::{Task, parse_numbers, read_numbers, shown, suggestion};
use crate::{Error, Result};

/// In front of an engagement's name in the ranking service's configuration.
const CONFIG_PREFIX: &str = "scored_tweets_model_weight_";

/// Engagement, task name, and the weight published in April 2023.
const PUBLISHED: [(&str, &str, f32); 10] = [
    ("fav", "recap.engagement.is_favorited", 0.5),
    ("retweet", "recap.engagement.is_retweeted", 1.0),
    ("reply", "recap.engagement.is_replied", 13.5),
    ("good_profile_click", "recap.engagement.is_profile_clicked_and_profile_engaged", 12.0),
    ("video_playback50", "recap.engagement.is_video_playback_50", 0.005),
    ("reply_engaged_by_author", "recap.engagement.is_replied_reply_engaged_by_author", 75.0),
    ("good_click", "recap.engagement.is_good_clicked_convo_desc_favorited_or_replied", 11.0),
    ("good_click_v2", "recap.engagement.is_good_clicked_convo_desc_v2", 10.0),
    ("negative_feedback_v2", "recap.engagement.is_negative_feedback_v2", -74.0),
    ("report", "recap.engagement.is_report_tweet_clicked", -369.0),
];

/// A weight for every task, by name.
///
/// The default are the ten weights that were published in April 2023; a model may have fewer tasks than they name.
/// Weights that a caller gives must name exactly the model's tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreWeights {
    /// The file, for errors; none for the published weights.
    file: Option<PathBuf>,
    weights: Vec<(String, f32)>,
}

impl Default for ScoreWeights {
    fn default() -> Self {
        let weights = PUBLISHED.iter().map(|&(_, task, weight)| (task.to_owned(), weight)).collect();
        Self { file: None, weights }
    }
}

impl ScoreWeights {
    /// Reads a YAML or JSON map of names to numbers. All names are task names (`recap.engagement.is_favorited`), or all
    /// are the ranking service's (`scored_tweets_model_weight_fav`).
    ///
    /// # Errors
    /// The file cannot be read or is no such map; a number is not finite as f32; a name repeats, is not one of the
    /// service's, or the two namings are mixed. The error names the name.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::from_names(read_numbers(path)?, path)
    }

    /// The same from memory; `name` stands for the file in errors.
    ///
    /// # Errors
    /// As [`ScoreWeights::read`].
    pub fn from_text(text: &str, name: impl AsRef<Path>) -> Result<Self> {
        Self::from_names(parse_numbers(text, name.as_ref())?, name.as_ref())
    }

    /// Weights by name, in either naming.
    ///
    /// # Errors
    /// As [`ScoreWeights::read`].
    pub fn new<N: Into<String>>(weights: impl IntoIterator<Item = (N, f32)>) -> Result<Self> {
        let weights = weights.into_iter().map(|(name, weight)| (name.into(), weight)).collect();
        Self::from_names(weights, Path::new("score weights"))
    }

    fn from_names(mut weights: Vec<(String, f32)>, file: &Path) -> Result<Self> {
        let wrong = |name: &str, problem: String| Err(Error::config(file, shown(name), problem));
        let by_service = weights.iter().filter(|(name, _)| name.starts_with(CONFIG_PREFIX)).count();
        if by_service > 0
            && let Some((other, _)) = weights.iter().find(|(name, _)| !name.starts_with(CONFIG_PREFIX))
        {
            return wrong(
                other,
                format!("expected all names to start with {CONFIG_PREFIX} or none, found both"),
            );
        }
        for (name, _) in &mut weights {
            let Some(engagement) = name.strip_prefix(CONFIG_PREFIX) else { continue };
            match PUBLISHED.iter().find(|(known, ..)| *known == engagement) {
                Some((_, task, _)) => *name = (*task).to_owned(),
                None => {
                    let hint = suggestion(engagement, PUBLISHED.iter().map(|(known, ..)| *known));
                    return wrong(name, format!("unknown engagement \"{}\"{hint}", shown(engagement)));
                }
            }
        }
        for (index, (name, weight)) in weights.iter().enumerate() {
            if !weight.is_finite() {
                return wrong(name, format!("expected a finite weight, found {weight}"));
            }
            if weights[..index].iter().any(|(other, _)| other == name) {
                return wrong(name, "expected one weight, found two".to_owned());
            }
        }
        Ok(Self { file: Some(file.to_owned()), weights })
    }

    /// The weight of a task, by its task name.
    #[must_use]
    pub fn get(&self, task: &str) -> Option<f32> {
        self.weights.iter().find(|(name, _)| name == task).map(|(_, weight)| *weight)
    }

    /// One weight a task, in the tasks' order: what a scorer takes.
    ///
    /// # Errors
    /// A task has no weight; or, unless these are the published weights, a weight has no task. The error names it.
    pub fn resolve(&self, tasks: &[Task]) -> Result<Vec<f32>> {
        let file = self.file.as_deref().unwrap_or(Path::new("published score weights"));
        let named = tasks.iter().map(|task| task.name.as_str());
        if self.file.is_some()
            && let Some((name, _)) =
                self.weights.iter().find(|(name, _)| !named.clone().any(|task| task == name))
        {
            let hint = suggestion(name, named);
            return Err(Error::config(file, shown(name), format!("the model has no such task{hint}")));
        }
        tasks
            .iter()
            .map(|task| {
                let missing =
                    || Error::config(file, &task.name, "expected a weight for this task, found none");
                self.get(&task.name).ok_or_else(missing)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Mlp, Network};

    fn tasks(names: &[&str]) -> Vec<Task> {
        let mlp =
            Mlp { layer_sizes: vec![1], batch_norm: None, dropout: false, final_layer_activation: false };
        let task = |name: &&str| Task {
            name: (*name).to_owned(),
            tower: Network::Mlp(mlp.clone()),
            affine_map: None,
            calibration_ratio: 1.0,
        };
        names.iter().map(task).collect()
    }

    const FAV: &str = "recap.engagement.is_favorited";
    const REPORT: &str = "recap.engagement.is_report_tweet_clicked";

    #[test]
    fn the_published_weights_serve_any_released_task() {
        let weights = ScoreWeights::default();
        assert_eq!(weights.resolve(&tasks(&[REPORT, FAV])).unwrap(), [-369.0, 0.5]);
        let error = weights.resolve(&tasks(&["recap.engagement.is_shared"])).unwrap_err().to_string();
        assert!(error.contains("recap.engagement.is_shared: expected a weight"), "{error}");
    }

    #[test]
    fn both_namings_in_both_formats() {
        let texts = [
            format!("{FAV}: 2\n{REPORT}: -3.5e1\n"),
            format!("{{\n\t\"{FAV}\": 2.0,\n\t\"{REPORT}\": -35}}"),
            "scored_tweets_model_weight_report: -35\nscored_tweets_model_weight_fav: 2".to_owned(),
            r#"{"scored_tweets_model_weight_fav":2,"scored_tweets_model_weight_report":-35.0}"#.to_owned(),
        ];
        for text in texts {
            let weights = ScoreWeights::from_text(&text, "w").unwrap();
            assert_eq!(weights.resolve(&tasks(&[FAV, REPORT])).unwrap(), [2.0, -35.0], "{text}");
        }
    }

    #[test]
    fn every_error_names_the_name() {
        let unread = [
            ("scored_tweets_model_weight_favv: 1", "unknown engagement \"favv\"; did you mean \"fav\"?"),
            (
                "scored_tweets_model_weight_fav: 1\nrecap.engagement.is_replied: 2",
                "is_replied: expected all names",
            ),
            ("a: .nan", "a\"]: expected a finite number that fits f32, found NaN"),
            ("a.b: 1e39", "expected a finite number that fits f32, found 1e39"),
            ("a: [1]", "found a list of 1"),
            ("a:", "found null"),
            ("a: 1\na: 2", "duplicate key \"a\""),
            (r#"{"a": 1, "a": 2}"#, "duplicate key \"a\""),
            ("[1]", "expected a map"),
            ("", "document"),
        ];
        for (text, expected) in unread {
            let error = ScoreWeights::from_text(text, "w.yaml").unwrap_err().to_string();
            let expected = expected.replace("a\"]: ", "a: ");
            assert!(error.starts_with("w.yaml: ") && error.contains(&expected), "{text}: {error}");
        }
        let twice = ScoreWeights::new([(FAV, 1.0), (FAV, 2.0)]).unwrap_err().to_string();
        assert!(twice.contains("is_favorited: expected one weight, found two"), "{twice}");
        assert!(ScoreWeights::new([(FAV, f32::NAN)]).is_err());
        let extra = ScoreWeights::new([(FAV, 1.0), ("recap.engagement.is_favorite", 1.0)]).unwrap();
        let error = extra.resolve(&tasks(&[FAV])).unwrap_err().to_string();
        assert!(error.contains("is_favorite: the model has no such task; did you mean"), "{error}");
        let error =
            extra.resolve(&tasks(&[FAV, REPORT, "recap.engagement.is_favorite"])).unwrap_err().to_string();
        assert!(
            error.contains("is_report_tweet_clicked: expected a weight for this task, found none"),
            "{error}"
        );
    }
}
