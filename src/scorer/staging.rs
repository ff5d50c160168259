//! Memory that the library lends, so that a row is written once.
//!
//! A caller who makes features anyway writes them where the device reads them: on CUDA into pinned memory that is
//! copied from as it is, elsewhere into plain memory that is read in place (CPU) or copied once (wgpu). The caller's
//! code is the same everywhere.

use std::marker::PhantomData;
use std::ops::Range;

use half::{bf16, f16};

use crate::backend::staged::{Layout, Rows};
use crate::backend::{BinaryType, Call, FeatureType, StagedCall};
use crate::batch::{Batch, Binary, Columns, Features, Request};
use crate::scores::Scores;
use crate::{Error, Result};

use super::places::Loan;
use super::{Place, ScoreFrom, ScoreOptions, Scorer, top_k};

/// What staging is for in a place; memory is kept from call to call.
#[derive(Default)]
pub(super) struct Staged {
    /// Plain memory, where the lane has none of its own; whole words, so that every type is aligned in it.
    plain: Vec<u64>,
    /// Candidates of each request.
    sizes: Vec<usize>,
    /// Empty between calls.
    requests: Vec<Request<'static>>,
}

/// A type that features may have: f32, bf16 or f16.
pub trait Feature: sealed::Sealed {
    /// The type.
    const TYPE: FeatureType;
}

mod sealed {
    pub trait Sealed: bytemuck::Pod {
        fn view(values: &[Self]) -> crate::Features<'_>;
    }
}

macro_rules! features {
    ($($kind:ident $variant:ident),*) => {
        $(impl sealed::Sealed for $kind {
            fn view(values: &[Self]) -> Features<'_> {
                Features::$variant(values)
            }
        }

        impl Feature for $kind {
            const TYPE: FeatureType = FeatureType::$variant;
        })*
    };
}
features!(f32 F32, bf16 Bf16, f16 F16);

/// Binary features to write, (rows, width) as [`Binary`] describes them.
#[derive(Debug)]
#[non_exhaustive]
pub enum BinaryMut<'a> {
    /// One byte a feature.
    Bytes(&'a mut [u8]),
    /// One bit a feature, least significant first; each row starts at a new byte.
    Bits(&'a mut [u8]),
    /// Any numbers.
    Numbers(&'a mut [f32]),
}

/// One matrix of every input, row-major without gaps; an input that the model does not have is empty.
#[derive(Debug)]
pub struct ColumnsMut<'a, T> {
    /// Continuous features.
    pub continuous: &'a mut [T],
    /// Binary features.
    pub binary: BinaryMut<'a>,
    /// The viewer's follow embedding.
    pub user_embedding: &'a mut [T],
    /// The viewer's engagement embedding.
    pub user_eng_embedding: &'a mut [T],
    /// The author's embedding.
    pub author_embedding: &'a mut [T],
}

/// One request's rows.
#[derive(Debug)]
pub struct RequestMut<'a, T> {
    /// Columns given once: one row, or none for a request without candidates.
    pub request: ColumnsMut<'a, T>,
    /// Columns given per candidate.
    pub candidate: ColumnsMut<'a, T>,
}

/// A place of a scorer, lent for writing a batch into and scoring it. It goes back when this is dropped.
///
/// What is not written holds whatever was there before: numbers of an earlier batch, or zeros.
pub struct Staging<'s, T> {
    scorer: &'s Scorer,
    place: Loan<'s, Place>,
    layout: Layout,
    element: PhantomData<T>,
}

impl<T> std::fmt::Debug for Staging<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staging").field("layout", &self.layout).finish_non_exhaustive()
    }
}

impl Scorer {
    /// Lends memory for a batch of requests with these numbers of candidates. Waits for a place when all are taken, in
    /// the order of arrival, and holds it until the staging is dropped.
    ///
    /// # Errors
    /// [`Error::TooManyCandidates`].
    pub fn staging<T: Feature>(&self, candidates: &[usize], binary: BinaryType) -> Result<Staging<'_, T>> {
        self.check_sizes(candidates)?;
        Ok(self.lend(self.places.take(), candidates, binary))
    }

    /// Like [`Scorer::staging`], but never waits for a place.
    ///
    /// # Errors
    /// As [`Scorer::staging`], and [`Error::Busy`].
    pub fn try_staging<T: Feature>(
        &self,
        candidates: &[usize],
        binary: BinaryType,
    ) -> Result<Staging<'_, T>> {
        self.check_sizes(candidates)?;
        let place = self.places.try_take().ok_or(Error::Busy { max_in_flight: self.places.len() })?;
        Ok(self.lend(place, candidates, binary))
    }

    fn check_sizes(&self, candidates: &[usize]) -> Result<()> {
        let sum = candidates.iter().try_fold(0usize, |sum, &size| sum.checked_add(size));
        match sum.unwrap_or(usize::MAX) {
            found if found > self.max_candidates => {
                Err(Error::TooManyCandidates { max: self.max_candidates, found })
            }
            _ => Ok(()),
        }
    }

    fn lend<'s, T: Feature>(
        &'s self,
        mut place: Loan<'s, Place>,
        sizes: &[usize],
        binary: BinaryType,
    ) -> Staging<'s, T> {
        let requests = sizes.iter().filter(|&&size| size > 0).count();
        let counts = (requests, sizes.iter().sum());
        let layout = Layout::new((T::TYPE, binary), counts, self.widths, &self.split);
        let Place { lane, staged, .. } = &mut *place;
        staged.sizes.clear();
        staged.sizes.extend_from_slice(sizes);
        if lane.staging().is_none() && staged.plain.is_empty() {
            let most = Layout::max_bytes(self.widths, &self.split, self.max_candidates);
            staged.plain.resize(most.div_ceil(size_of::<u64>()), 0);
        }
        Staging { scorer: self, place, layout, element: PhantomData }
    }
}

impl<T: Feature> Staging<'_, T> {
    /// Candidates of all requests.
    #[must_use]
    pub fn candidates(&self) -> usize {
        self.layout.candidates
    }

    /// All rows at once: columns given once, a row for each request that has candidates, and columns given per
    /// candidate, request after request.
    pub fn columns(&mut self) -> RequestMut<'_, T> {
        let (requests, candidates) = (0..self.layout.requests, 0..self.layout.candidates);
        self.rows(requests, candidates)
    }

    /// One request's rows; none for an index beyond the last request.
    pub fn request(&mut self, index: usize) -> Option<RequestMut<'_, T>> {
        let sizes = &self.place.staged.sizes;
        let size = *sizes.get(index)?;
        let before = &sizes[..index];
        let live = before.iter().filter(|&&size| size > 0).count();
        let first: usize = before.iter().sum();
        Some(self.rows(live..live + usize::from(size > 0), first..first + size))
    }

    fn rows(&mut self, requests: Range<usize>, candidates: Range<usize>) -> RequestMut<'_, T> {
        let Place { lane, staged, .. } = &mut *self.place;
        let bytes = match lane.staging() {
            Some(bytes) => bytes,
            None => bytemuck::cast_slice_mut(&mut staged.plain),
        };
        let mut rest = Rest { bytes, at: 0 };
        // In the order in which they lie.
        let request = rest.columns(&self.layout.request, &requests, self.layout.binary);
        let candidate = rest.columns(&self.layout.candidate, &candidates, self.layout.binary);
        RequestMut { request, candidate }
    }

    /// Scores what was written; can be called again, also after writing more.
    ///
    /// # Errors
    /// As [`Scorer::score`], but for the batch, which fits.
    pub fn score(&mut self, options: &ScoreOptions<'_>, scores: &mut Scores) -> Result<()> {
        let scorer = self.scorer;
        scorer.check_weights(options.weights)?;
        scores.prepare(self.layout.candidates, scorer.tasks.len(), options.outputs);
        let Place { lane, order, staged } = &mut *self.place;
        let Staged { plain, sizes, requests } = staged;
        let calibrated = options.from == ScoreFrom::Calibrated;
        let (weights, outputs) = (options.weights, options.outputs);
        if self.layout.candidates > 0 {
            if lane.staging().is_some() {
                let call = StagedCall { layout: &self.layout, sizes, weights, calibrated, outputs };
                lane.score_staged(&call, scores)?;
            } else {
                let mut views = std::mem::take(requests);
                let view = View::<T> {
                    bytes: bytemuck::cast_slice(plain),
                    layout: &self.layout,
                    element: PhantomData,
                };
                views.extend(view.requests(sizes));
                let call = Call { batch: Batch { requests: &views }, weights, calibrated, outputs };
                let result = lane.score(&call, scores);
                views.clear();
                // Empty, so nothing of the views' lifetime is left; collecting in place keeps the memory.
                *requests = views.into_iter().map(|_| Request::default()).collect();
                result?;
            }
        }
        if outputs.top_k > 0 {
            top_k::select(sizes.iter().copied(), outputs.top_k, order, scores);
        }
        Ok(())
    }
}

/// What has not been lent yet of a block.
struct Rest<'a> {
    bytes: &'a mut [u8],
    /// Where it starts in the block.
    at: usize,
}

impl<'a> Rest<'a> {
    fn columns<T: Feature>(
        &mut self,
        places: &[Rows; 5],
        rows: &Range<usize>,
        binary: BinaryType,
    ) -> ColumnsMut<'a, T> {
        let continuous = bytemuck::cast_slice_mut(self.take(&places[0], rows));
        let flags = self.take(&places[1], rows);
        ColumnsMut {
            continuous,
            binary: match binary {
                BinaryType::Bytes => BinaryMut::Bytes(flags),
                BinaryType::Bits => BinaryMut::Bits(flags),
                BinaryType::Numbers => BinaryMut::Numbers(bytemuck::cast_slice_mut(flags)),
            },
            user_embedding: bytemuck::cast_slice_mut(self.take(&places[2], rows)),
            user_eng_embedding: bytemuck::cast_slice_mut(self.take(&places[3], rows)),
            author_embedding: bytemuck::cast_slice_mut(self.take(&places[4], rows)),
        }
    }

    fn take(&mut self, place: &Rows, rows: &Range<usize>) -> &'a mut [u8] {
        let Range { start, end } = place.bytes(rows);
        let (_, rest) = std::mem::take(&mut self.bytes).split_at_mut(start - self.at);
        let (taken, rest) = rest.split_at_mut(end - start);
        (self.bytes, self.at) = (rest, end);
        taken
    }
}

/// What was written, as a batch.
struct View<'a, T> {
    bytes: &'a [u8],
    layout: &'a Layout,
    element: PhantomData<T>,
}

impl<'a, T: Feature> View<'a, T> {
    fn requests(&self, sizes: &'a [usize]) -> impl Iterator<Item = Request<'a>> {
        let (mut live, mut first) = (0, 0);
        sizes.iter().map(move |&candidates| {
            let (request, candidate) = (live..live + usize::from(candidates > 0), first..first + candidates);
            (live, first) = (request.end, candidate.end);
            Request {
                candidates,
                request: self.columns(&self.layout.request, &request),
                candidate: self.columns(&self.layout.candidate, &candidate),
            }
        })
    }

    fn columns(&self, places: &[Rows; 5], rows: &Range<usize>) -> Columns<'a> {
        let bytes = |index: usize| &self.bytes[places[index].bytes(rows)];
        let features = |index: usize| T::view(bytemuck::cast_slice(bytes(index)));
        Columns {
            continuous: features(0),
            binary: match self.layout.binary {
                BinaryType::Bytes => Binary::Bytes(bytes(1)),
                BinaryType::Bits => Binary::Bits(bytes(1)),
                BinaryType::Numbers => Binary::Numbers(bytemuck::cast_slice(bytes(1))),
            },
            user_embedding: features(2),
            user_eng_embedding: features(3),
            author_embedding: features(4),
        }
    }
}
