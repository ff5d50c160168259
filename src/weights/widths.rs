//! What weights tell about the widths of the inputs.

use super::{Weights, names};
use crate::config::{EMBEDDINGS, ModelConfig, Network, Sharing, Widths};
use crate::{Error, Result};

/// Widths as far as a weights file tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WidthsSeen {
    /// From the batch norm over the continuous features.
    pub continuous: Option<usize>,
    /// Continuous and binary features: from the norm over both, or from what the first linear layer reads.
    pub dense: Option<usize>,
    /// From the embeddings' norms; 0 where there is none.
    pub embeddings: [usize; 3],
}

impl Weights {
    /// Reads widths off the shapes; nothing has been checked yet, so an odd shape tells nothing.
    #[must_use]
    pub fn widths_seen(&self, config: &ModelConfig) -> WidthsSeen {
        let width = |name: &str| match self.find(name)?.shape {
            &[width] => Some(width),
            _ => None,
        };
        let embeddings =
            EMBEDDINGS.map(|name| width(&format!("{}.weight", names::embedding_norm(name))).unwrap_or(0));
        let input_dim = self.find(&first_linear(config)).and_then(|weight| match weight.shape {
            &[_, input_dim] => Some(input_dim),
            _ => None,
        });
        let embedded = embeddings.iter().try_fold(0_usize, |sum, &width| sum.checked_add(width));
        let left = input_dim.zip(embedded).and_then(|(input_dim, embedded)| input_dim.checked_sub(embedded));
        WidthsSeen {
            continuous: width(&format!("{}.running_mean", names::FEATURE_BATCH_NORM)),
            dense: width(&format!("{}.weight", names::FEATURE_LAYER_NORM)).or(left),
            embeddings,
        }
    }

    /// The widths, when the weights alone tell them all.
    ///
    /// # Errors
    /// The weights do not tell continuous from binary features, which only a batch norm over the features shows.
    pub fn widths(&self, config: &ModelConfig) -> Result<Widths> {
        let seen = self.widths_seen(config);
        let [user_embedding, user_eng_embedding, author_embedding] = seen.embeddings;
        let split = seen
            .continuous
            .zip(seen.dense)
            .and_then(|(continuous, dense)| Some((continuous, dense.checked_sub(continuous)?)));
        let Some((continuous, binary)) = split else {
            return Err(Error::Argument {
                argument: "widths",
                expected: "a segdense schema, a case.json or given widths".into(),
                found: format!(
                    "none of them, and the weights {} do not tell continuous from binary features",
                    self.file().display()
                ),
            });
        };
        Ok(Widths { continuous, binary, user_embedding, user_eng_embedding, author_embedding })
    }
}

impl WidthsSeen {
    /// The first width that contradicts `widths`: its name, the one expected and the one seen.
    #[must_use]
    pub fn contradiction(&self, widths: Widths) -> Option<(&'static str, usize, usize)> {
        let embeddings = EMBEDDINGS.into_iter().zip(widths.embeddings()).zip(self.embeddings);
        let embeddings = embeddings.map(|((name, wanted), seen)| (name, wanted, Some(seen)));
        [("continuous", widths.continuous, self.continuous)]
            .into_iter()
            .chain(embeddings)
            .chain([("continuous + binary", widths.dense(), self.dense)])
            .find_map(|(name, wanted, seen)| {
                seen.filter(|&seen| seen != wanted).map(|seen| (name, wanted, seen))
            })
    }
}

/// A linear layer that reads the whole input.
fn first_linear(config: &ModelConfig) -> String {
    let (prefix, network) = match (&config.backbone, config.tasks.first()) {
        (Some(backbone), _) if config.sharing != Sharing::None => ("_backbone".to_owned(), backbone),
        (_, Some(task)) => (format!("_towers.{}", task.module_name()), &task.tower),
        (_, None) => return String::new(),
    };
    match network {
        Network::Mlp(_) => format!("{prefix}.layers.0.weight"),
        Network::MaskNet(_) => format!("{prefix}._mask_blocks.0._mask_layer.0.weight"),
    }
}
