//! The cursors of a page.

use super::Marshaller;
use crate::domain::{Cursor, PageKind, PostId, Query};
use crate::engine::{Served, StageKind};
use crate::mixing::Item;
use crate::timeline::{Content, CursorCodec, CursorKind, Entry, Place};

/// What a top cursor's sort index is above its entry's: more than a page ever has entries.
const ROOM_ABOVE: i64 = 10_000;
/// What a bottom cursor's sort index is below its entry's: room for the next page's top cursor.
const ROOM_BELOW: i64 = 2;

/// The cursors of a page.
pub(super) struct Cursors {
    pub(super) top: Option<Entry>,
    pub(super) bottom: Option<Entry>,
    /// Whether nothing more comes below.
    pub(super) is_end: bool,
}

/// Where a page of posts begins and ends.
struct Extent {
    /// The first post's id.
    first: PostId,
    /// What lies below this has not been looked at.
    decided: PostId,
    /// Whether there is more than was given.
    is_cut: bool,
}

/// `initial` is the sort index of the first entry, `count` the number of entries.
pub(super) fn of(
    marshaller: &Marshaller,
    served: &Served<Query, Item>,
    initial: i64,
    count: usize,
) -> Cursors {
    let query = &*served.query;
    let request = &query.request;
    let codec = CursorCodec { key: &marshaller.key, viewer: query.viewer, timeline: request.timeline };
    let entry = |cursor: Cursor, sort_index: i64, sort_from: i64| {
        let kind = CursorKind::from(cursor);
        let name = match kind {
            CursorKind::Top => "top",
            CursorKind::Bottom => "bottom",
            CursorKind::Gap => "gap",
        };
        let value = codec.encode(Place { cursor, sort_from, session: request.session });
        Entry {
            entry_id: format!("cursor-{name}-{sort_index}"),
            sort_index,
            content: Content::Cursor { kind, value },
        }
    };
    let extent = extent(served);
    let top = top_post(request.cursor, extent.as_ref());
    let top_sort = initial + 1;
    let top = Some(entry(Cursor::Top { newest: top }, top_sort, top_sort.saturating_add(ROOM_ABOVE)));
    // Without entries the top cursor stands above the first index and the bottom cursor at it.
    let bottom_sort = initial - count as i64;
    let below = bottom_sort.saturating_sub(ROOM_BELOW);
    let bottom = bottom_cursor(request.cursor, extent.as_ref(), request.timeline.is_chronological());
    // An older page on which nothing was even looked at: the timeline is read to its end.
    let is_end = extent.is_none() && request.page() == PageKind::Older;
    let bottom = bottom.filter(|_| !is_end).map(|cursor| entry(cursor, bottom_sort, below));
    Cursors { top, bottom, is_end }
}

fn top_post(asked: Option<Cursor>, extent: Option<&Extent>) -> PostId {
    match (extent, asked) {
        (Some(extent), Some(Cursor::Top { newest })) => extent.first.max(newest),
        (Some(extent), _) => extent.first,
        (None, Some(Cursor::Top { newest } | Cursor::Gap { newest, .. })) => newest,
        (None, Some(Cursor::Bottom { oldest })) => oldest,
        (None, None) => PostId(0),
    }
}

/// A gap cursor in the place of the bottom one, where a page of newer posts does not reach down to what the client has.
fn bottom_cursor(asked: Option<Cursor>, extent: Option<&Extent>, is_chronological: bool) -> Option<Cursor> {
    let edge = match asked {
        Some(Cursor::Top { newest }) => Some(newest),
        Some(Cursor::Gap { oldest, .. }) => Some(oldest),
        _ => None,
    };
    match (extent, asked) {
        (Some(extent), _) => {
            let gap = edge.filter(|edge| extent.is_cut && extent.decided > *edge);
            Some(gap.map_or(Cursor::Bottom { oldest: extent.decided }, |oldest| Cursor::Gap {
                newest: extent.decided,
                oldest,
            }))
        }
        (None, Some(Cursor::Top { newest })) => Some(Cursor::Bottom { oldest: newest }),
        (None, Some(Cursor::Gap { oldest, .. } | Cursor::Bottom { oldest })) => {
            Some(Cursor::Bottom { oldest })
        }
        // There was nothing: in a chronological timeline whatever comes is newer, for the top cursor alone to find.
        (None, None) if is_chronological => Some(Cursor::Bottom { oldest: PostId(0) }),
        (None, None) => Some(Cursor::Bottom { oldest: PostId(u64::MAX) }),
    }
}

/// In a ranked timeline the newest and oldest posts served. In a chronological one the posts that were looked at count,
/// whether a rule removed them or not, down to the first one that merely did not fit: a page whose posts were all
/// removed still leads on, and nothing that did not fit is passed over.
fn extent(served: &Served<Query, Item>) -> Option<Extent> {
    let id = |item: &Item| item.focal().map(|shown| shown.candidate.post_id);
    if !served.query.request.timeline.is_chronological() {
        let mut ids = served.selected.iter().filter_map(id);
        let first = ids.next()?;
        let decided = ids.next_back().unwrap_or(first);
        return Some(Extent { first, decided, is_cut: false });
    }
    let is_unfit = |stage: StageKind| stage == StageKind::Selector;
    let removed = served.removed.iter().filter_map(|gone| Some((id(&gone.candidate)?, is_unfit(gone.stage))));
    let cut = removed.clone().filter(|(_, is_unfit)| *is_unfit).map(|(id, _)| id).max();
    let judged = removed.filter(|(_, is_unfit)| !is_unfit).map(|(id, _)| id);
    let above_cut = |id: &PostId| cut.is_none_or(|cut| *id > cut);
    let looked_at = served.selected.iter().filter_map(id).chain(judged).filter(above_cut);
    let (first, decided) = (looked_at.clone().max()?, looked_at.min()?);
    let everything = served.selected.iter().chain(served.removed.iter().map(|gone| &gone.candidate));
    let more_below = everything.flat_map(Item::posts).any(|shown| shown.more_below);
    Some(Extent { first, decided, is_cut: cut.is_some() || more_below })
}
