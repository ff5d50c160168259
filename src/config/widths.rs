//! Widths of a model's inputs.

/// How many features each input has; 0 means that the model does not have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Widths {
    /// Continuous features.
    pub continuous: usize,
    /// Binary features.
    pub binary: usize,
    /// The viewer's follow embedding.
    pub user_embedding: usize,
    /// The viewer's engagement embedding.
    pub user_eng_embedding: usize,
    /// The author's embedding.
    pub author_embedding: usize,
}

/// The three embeddings, in the order in which the input concatenates them.
pub const EMBEDDINGS: [&str; 3] = ["user_embedding", "user_eng_embedding", "author_embedding"];

impl Widths {
    /// The production model's: those of the released schema, cut as its training did. `x` has 2,776 columns.
    pub const PRODUCTION: Self = Self {
        continuous: 2117,
        binary: 59,
        user_embedding: 200,
        user_eng_embedding: 200,
        author_embedding: 200,
    };

    /// Continuous and binary features together: the row that the feature layer norm sees.
    #[must_use]
    pub fn dense(&self) -> usize {
        self.continuous + self.binary
    }

    /// Widths of the three embeddings, in the order of [`EMBEDDINGS`].
    #[must_use]
    pub fn embeddings(&self) -> [usize; 3] {
        [self.user_embedding, self.user_eng_embedding, self.author_embedding]
    }

    /// Width of the input `x`.
    #[must_use]
    pub fn input_dim(&self) -> usize {
        self.dense() + self.embeddings().iter().sum::<usize>()
    }

    /// The widths with the names of their inputs.
    #[must_use]
    pub fn named(&self) -> [(&'static str, usize); 5] {
        let [user, user_eng, author] = EMBEDDINGS;
        [
            ("continuous", self.continuous),
            ("binary", self.binary),
            (user, self.user_embedding),
            (user_eng, self.user_eng_embedding),
            (author, self.author_embedding),
        ]
    }

    /// The first input whose width is another one in `other`: its name and both widths.
    #[must_use]
    pub fn difference(&self, other: Self) -> Option<(&'static str, usize, usize)> {
        let pairs = self.named().into_iter().zip(other.named());
        pairs.map(|((name, a), (_, b))| (name, a, b)).find(|(_, a, b)| a != b)
    }
}
