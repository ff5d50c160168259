//! An explanation for a terminal.

use std::fmt;

use super::{Answered, Explanation, Fate};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Post {}", self.post)?;
        if let Some(author) = self.author {
            write!(f, " by {author}")?;
        }
        writeln!(f, " in the timeline of viewer {}: {}", self.viewer, self.outcome)?;
        writeln!(f, "\nSources")?;
        for source in &self.sources {
            writeln!(f, "  {:<26} {}", source.pipeline, source.answer)?;
        }
        if !self.steps.is_empty() {
            writeln!(f, "\nSteps (position and rank by score, from 1)")?;
        }
        for step in &self.steps {
            let verdict =
                step.removed_by.map_or_else(|| "goes on".to_owned(), |rule| format!("REMOVED: {rule}"));
            let place = format!("{}/{}", step.place + 1, step.of);
            let stage = step.stage.name();
            writeln!(
                f,
                "  {:<26} {stage:<21} {:<30} {place:>9} rank {:>4} score {:<12.6} {verdict}",
                step.pipeline,
                step.component,
                step.rank + 1,
                step.score
            )?;
        }
        if let Some(scoring) = &self.scoring {
            writeln!(f, "\nScore")?;
            writeln!(f, "  found by {}, light ranker {:.6}", scoring.source.name(), scoring.light_score)?;
            for (task, probability) in &scoring.probabilities {
                writeln!(f, "  p({task}) = {probability:.6}")?;
            }
            if let Some(score) = scoring.model_score {
                writeln!(f, "  weighted sum {score:.6}")?;
            }
            for factor in &scoring.factors {
                writeln!(f, "  x {:.4} {}", factor.value, factor.name)?;
            }
            writeln!(f, "  score {:.6}", scoring.score)?;
        }
        if !self.features.is_empty() {
            writeln!(f, "\nFeatures that are not 0")?;
        }
        for family in &self.features {
            let set: Vec<_> = family.values.iter().filter(|(_, value)| *value != 0.0).collect();
            writeln!(f, "  {} ({} of {}): {}", family.family, set.len(), family.values.len(), family.about)?;
            // Embeddings have no names to read.
            if !family.family.ends_with("_embedding") {
                for (name, value) in set {
                    writeln!(f, "    {name} = {value}")?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Served { position, shown_as } => {
                write!(f, "served at position {} as post {shown_as}", position + 1)
            }
            Self::Removed { pipeline, stage, component, rule } => {
                write!(
                    f,
                    "removed by {component} ({rule}), a {} of {pipeline}",
                    stage.name().replace('_', " ")
                )
            }
            Self::NotFound => write!(f, "no source found it"),
            Self::Unknown => write!(f, "there is no such post"),
            Self::NoTimeline { why } => write!(f, "there was no timeline: {why}"),
        }
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found { place, of, light_score } => {
                write!(f, "found it: {} of {of}, light ranker {light_score:.6}", place + 1)
            }
            Self::PassedOver { why } => write!(f, "passed it over: {why}"),
            Self::NotAsked { gate } => write!(f, "was not asked: the gate {gate} was closed"),
            Self::Failed => write!(f, "failed"),
        }
    }
}
