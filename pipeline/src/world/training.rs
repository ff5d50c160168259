//! Labelled training records: features as a model reads them, and the ten engagements that followed.
//!
//! Features come from whoever hydrates candidates, one [`FeatureBatch`] a request; labels are drawn here, from the same
//! probabilities by which the generator lets people engage. Records have the released schema, each of 6,000 continuous
//! 512 binary and 320 discrete slots; those beyond the batch's are 0.

use std::path::Path;

use maskrank::records::{Compression, Dtype, RecordWriter, Schema, Values, encode_example};

use super::generator::draw_labels;
use crate::domain::{FeatureBatch, Post, PostId, RequestColumns, SparseEmbedding, Task, UserId};
use crate::features::DISCRETE_SLOTS;

/// One request's candidates with their features and labels.
#[derive(Clone, Copy, Debug)]
pub struct LabelledRequest<'a> {
    /// Who asked.
    pub viewer: UserId,
    /// Post and author of each candidate.
    pub candidates: &'a [(PostId, UserId)],
    /// Their features, all columns given for each candidate: filled by a plan without request columns.
    pub features: &'a FeatureBatch,
    /// Their discrete slots, (candidates, [`DISCRETE_SLOTS`]) as [`crate::features::discrete`] gives them; empty for none.
    pub discrete: &'a [i64],
    /// What the viewer did with each, by [`Task::index`].
    pub labels: &'a [[bool; Task::COUNT]],
}

/// Why training records were not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// The parts of a request do not fit each other or the schema.
    #[error("training records of viewer {viewer}: \"{operand}\" has {found} values, expected {expected}")]
    Shape {
        /// Whose request.
        viewer: UserId,
        /// Which part.
        operand: &'static str,
        /// How many values it should have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// The records could not be written.
    #[error(transparent)]
    Records(#[from] maskrank::Error),
}

/// What the viewer does with a post, drawn for one viewer and post once and for all: the same seed gives the same.
///
/// `viewer` and `appeal` are the communities of viewer and post.
pub fn labels(
    seed: u64,
    viewer: UserId,
    post: &Post,
    communities: &SparseEmbedding,
    appeal: &SparseEmbedding,
) -> [bool; Task::COUNT] {
    draw_labels(seed, viewer, post, f64::from(communities.cosine(appeal)))
}

/// Columns that a request gives once, as `maskrank score --request-columns @FILE` reads them: with them records get the
/// bits of a scorer that was given those columns once, as the pipeline's own is.
pub fn request_columns_text(columns: &RequestColumns) -> String {
    let mut text = "user_embedding\nuser_eng_embedding\n".to_owned();
    for (kind, ranges) in [("continuous", &columns.continuous), ("binary", &columns.binary)] {
        ranges.iter().for_each(|range| text += &format!("{kind}:{}..{}\n", range.start, range.end));
    }
    text
}

/// Writes the records of all requests into a TFRecord file, compressed when its name ends in `.gz`. Returns how many.
///
/// # Errors
/// Parts of a request do not fit each other, or the file cannot be written; the file then is not whole.
pub fn write_training_records<'a>(
    path: &Path,
    requests: impl IntoIterator<Item = LabelledRequest<'a>>,
) -> Result<u64, TrainingError> {
    let schema = Schema::released();
    let mut writer = RecordWriter::create(path, Compression::from_path(path))?;
    let mut slots = Slots::default();
    let mut example = Vec::new();
    let mut records = 0;
    for request in requests {
        request.check(&schema)?;
        for candidate in 0..request.candidates.len() {
            slots.fill(&request, candidate, &schema);
            example.clear();
            encode_example(&slots.features(&schema), &mut example);
            writer.write(&example)?;
            records += 1;
        }
    }
    writer.finish()?;
    Ok(records)
}

const CONTINUOUS: &str = "home_recap_2022_cont__segdense_vals";
const BINARY: &str = "home_recap_2022_binary__segdense_vals";
const DISCRETE: &str = "home_recap_2022_discrete__segdense_vals";
const AUTHOR_EMBEDDING: &str =
    "original_author.timelines.twhin_author_follow_embeddings.twhin_author_follow_embeddings";
const USER_EMBEDDING: &str = "user.timelines.twhin_user_follow_embeddings.twhin_user_follow_embeddings";
const USER_ENGAGEMENT_EMBEDDING: &str =
    "user.timelines.twhin_user_engagement_embeddings.twhin_user_engagement_embeddings";

fn length(schema: &Schema, feature: &str) -> usize {
    schema.get(feature).and_then(|entry| entry.length).unwrap_or_default()
}

impl LabelledRequest<'_> {
    /// Compares every length once, before any row is cut out.
    fn check(&self, schema: &Schema) -> Result<(), TrainingError> {
        let (rows, features) = (self.candidates.len(), self.features);
        let exact = |operand, found: usize, expected: usize| {
            let error = TrainingError::Shape { viewer: self.viewer, operand, expected, found };
            if found == expected { Ok(()) } else { Err(error) }
        };
        exact("labels", self.labels.len(), rows)?;
        exact("candidates of the batch", features.candidates, rows)?;
        let discrete = if self.discrete.is_empty() { 0 } else { rows * DISCRETE_SLOTS };
        exact("discrete", self.discrete.len(), discrete)?;
        exact("request_continuous", features.request_continuous.len(), 0)?;
        exact("request_binary", features.request_binary.len(), 0)?;
        for (operand, found, feature) in [
            ("continuous", features.continuous.len(), CONTINUOUS),
            ("binary", features.binary.len(), BINARY),
            ("author_embedding", features.author_embedding.len(), AUTHOR_EMBEDDING),
        ] {
            let width = found / rows.max(1);
            exact(operand, found, width.min(length(schema, feature)) * rows)?;
        }
        for (operand, found, feature) in [
            ("user_embedding", features.user_embedding.len(), USER_EMBEDDING),
            (
                "user_engagement_embedding",
                features.user_engagement_embedding.len(),
                USER_ENGAGEMENT_EMBEDDING,
            ),
        ] {
            exact(operand, found, found.min(length(schema, feature)))?;
        }
        Ok(())
    }
}

/// One record's values, kept from record to record.
#[derive(Default)]
struct Slots {
    continuous: Vec<f32>,
    binary: Vec<i64>,
    discrete: Vec<i64>,
    author_embedding: Vec<f32>,
    user_embedding: Vec<f32>,
    user_engagement_embedding: Vec<f32>,
    /// What the features hold for which nothing is known.
    zeros: Vec<i64>,
    /// Author, post, viewer.
    ids: [i64; 3],
    /// By [`Task::index`].
    labels: [i64; Task::COUNT],
}

impl Slots {
    fn fill(&mut self, request: &LabelledRequest<'_>, candidate: usize, schema: &Schema) {
        let features = request.features;
        let row = |values: &[f32]| -> std::ops::Range<usize> {
            let width = values.len() / request.candidates.len();
            candidate * width..(candidate + 1) * width
        };
        let pad = |out: &mut Vec<f32>, values: &[f32], feature: &str| {
            out.clear();
            out.extend_from_slice(values);
            out.resize(length(schema, feature), 0.0);
        };
        pad(&mut self.continuous, &features.continuous[row(&features.continuous)], CONTINUOUS);
        let author = &features.author_embedding[row(&features.author_embedding)];
        pad(&mut self.author_embedding, author, AUTHOR_EMBEDDING);
        pad(&mut self.user_embedding, &features.user_embedding, USER_EMBEDDING);
        let engagement = &features.user_engagement_embedding;
        pad(&mut self.user_engagement_embedding, engagement, USER_ENGAGEMENT_EMBEDDING);
        self.binary.clear();
        let flags = &features.binary[row(&features.binary)];
        self.binary.extend(flags.iter().map(|&flag| i64::from(flag != 0.0)));
        self.binary.resize(length(schema, BINARY), 0);
        self.discrete.clear();
        self.discrete.extend(request.discrete.iter().skip(candidate * DISCRETE_SLOTS).take(DISCRETE_SLOTS));
        self.discrete.resize(length(schema, DISCRETE), 0);
        let longest = schema.entries().iter().filter(|entry| entry.dtype == Dtype::Int64);
        self.zeros.resize(longest.filter_map(|entry| entry.length).max().unwrap_or(1), 0);
        let (post, author) = request.candidates[candidate];
        self.ids = [author.0 as i64, post.0 as i64, request.viewer.0 as i64];
        self.labels = request.labels[candidate].map(i64::from);
    }

    /// All features of the schema, in its order.
    fn features<'a>(&'a self, schema: &'a Schema) -> Vec<(&'a str, Values<'a>)> {
        let value = |name: &str, length: usize| -> Values<'a> {
            let task = Task::ALL.iter().find(|task| task.label() == name).map(|task| task.index());
            match (name, task) {
                (_, Some(task)) => Values::Integers(&self.labels[task..=task]),
                (CONTINUOUS, _) => Values::Floats(&self.continuous),
                (BINARY, _) => Values::Integers(&self.binary),
                (DISCRETE, _) => Values::Integers(&self.discrete),
                (AUTHOR_EMBEDDING, _) => Values::Floats(&self.author_embedding),
                (USER_EMBEDDING, _) => Values::Floats(&self.user_embedding),
                (USER_ENGAGEMENT_EMBEDDING, _) => Values::Floats(&self.user_engagement_embedding),
                ("meta.author_id", _) => Values::Integers(&self.ids[0..1]),
                ("meta.tweet_id", _) => Values::Integers(&self.ids[1..2]),
                ("meta.user_id", _) => Values::Integers(&self.ids[2..3]),
                _ => Values::Integers(&self.zeros[..length]),
            }
        };
        let features = schema.entries().iter();
        features.map(|entry| (entry.name.as_str(), value(&entry.name, entry.length.unwrap_or(0)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use maskrank::config::Widths;
    use maskrank::records::{BlockReader, LayoutSpec, ReadOptions, RecordBlock, RecordLayout};

    use super::*;
    use crate::domain::Media;

    fn batch(candidates: usize) -> FeatureBatch {
        FeatureBatch {
            candidates,
            continuous: (0..candidates * 3).map(|slot| slot as f32 - 1.5).collect(),
            binary: (0..candidates * 2).map(|slot| (slot % 2) as f32).collect(),
            user_embedding: vec![0.5; 200],
            user_engagement_embedding: vec![-0.5; 200],
            author_embedding: vec![0.25; candidates * 200],
            ..FeatureBatch::default()
        }
    }

    #[test]
    fn what_is_written_is_what_the_library_reads() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("records.gz");
        let (first, second) = (batch(2), batch(1));
        let mut label = [[false; Task::COUNT]; 2];
        label[1][Task::Reply.index()] = true;
        let candidates = [(PostId(11), UserId(21)), (PostId(12), UserId(22))];
        let requests = [
            LabelledRequest {
                viewer: UserId(1),
                candidates: &candidates,
                features: &first,
                discrete: &[],
                labels: &label,
            },
            LabelledRequest {
                viewer: UserId(2),
                candidates: &candidates[..1],
                features: &second,
                discrete: &[],
                labels: &label[1..],
            },
        ];
        assert_eq!(write_training_records(&path, requests).expect("writes"), 3);
        let labels = Task::ALL.map(|task| task.label().to_owned()).to_vec();
        let spec = LayoutSpec { labels, ..LayoutSpec::default() };
        let schema = Schema::released();
        let widths = Widths::from_schema(&schema, &spec).expect("fits");
        let layout = RecordLayout::new(&schema, &spec, widths).expect("fits");
        let mut block = RecordBlock::new(&layout, 8).expect("allocates");
        let mut reader = BlockReader::new(vec![path], layout, ReadOptions::default());
        assert!(reader.read_into(&mut block).expect("reads"));
        assert_eq!((block.user_ids(), block.author_ids()), ([1, 1, 2].as_slice(), [21, 22, 21].as_slice()));
        assert_eq!(block.tweet_ids(), [11, 12, 11]);
        for (record, expected) in [[-1.5, -0.5, 0.5], [1.5, 2.5, 3.5], [-1.5, -0.5, 0.5]].iter().enumerate() {
            let row = &block.continuous()[record * 6_000..][..6_000];
            assert_eq!(&row[..3], expected);
            assert!(row[3..].iter().all(|&value| value == 0.0));
        }
        let replies: Vec<_> =
            block.labels().chunks(Task::COUNT).map(|row| row[Task::Reply.index()]).collect();
        assert_eq!(replies, [0, 1, 1]);
        assert_eq!(block.labels().iter().sum::<i64>(), 2);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let candidates = [(PostId(11), UserId(21))];
        let write = |features: &FeatureBatch, labels: &[[bool; Task::COUNT]]| {
            let request = LabelledRequest {
                viewer: UserId(1),
                candidates: &candidates,
                features,
                discrete: &[],
                labels,
            };
            let result = write_training_records(&folder.path().join("records"), [request]);
            result.err().map(|error| error.to_string()).unwrap_or_default()
        };
        let labels = [[false; Task::COUNT]];
        assert_eq!(write(&batch(1), &labels), "");
        assert!(write(&batch(1), &[]).contains("\"labels\" has 0 values, expected 1"));
        assert!(write(&batch(2), &labels).contains("candidates of the batch"));
        let once = FeatureBatch { request_continuous: vec![1.0], ..batch(1) };
        assert!(write(&once, &labels).contains("request_continuous"));
        let wide = FeatureBatch { author_embedding: vec![0.0; 201], ..batch(1) };
        assert!(write(&wide, &labels).contains("\"author_embedding\" has 201 values, expected 200"));
    }

    #[test]
    fn people_like_what_is_close_to_them_and_dislike_what_is_not() {
        let rate = |task: Task, affinity: f32| {
            let viewer = SparseEmbedding::new(vec![(1, 1.0)]);
            let appeal = SparseEmbedding::new(vec![(1, affinity), (2, (1.0 - affinity * affinity).sqrt())]);
            let media = Media { photos: 0, video_ms: Some(10_000) };
            let posts = (0..4_000).map(|id| Post { id: PostId(id), media, ..Post::default() });
            let happened = posts.filter(|post| labels(1, UserId(5), post, &viewer, &appeal)[task.index()]);
            happened.count() as f64 / 4_000.0
        };
        for task in [Task::Favorite, Task::Reply, Task::Repost, Task::VideoHalf] {
            assert!(rate(task, 0.95) > 1.5 * rate(task, 0.05), "{task:?}");
        }
        assert!(rate(Task::NegativeFeedback, 0.05) > rate(Task::NegativeFeedback, 0.95));
    }
}
