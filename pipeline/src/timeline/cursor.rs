//! Cursors as clients carry them: sealed, versioned, of one viewer and one timeline.

use super::CursorKind;
use crate::domain::{Cursor, PostId, TimelineKind, UserId};
use crate::sealed::Key;
use crate::timeline::TimelineError;

/// Version of the payload, its first byte.
const VERSION: u8 = 1;

/// Where a page goes on: the place in the timeline, the sort index to count down from, and the reader's
/// session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The posts between which the page lies.
    pub cursor: Cursor,
    /// The sort index of the page's first entry.
    pub sort_from: i64,
    /// The request of the first page that this one continues.
    pub session: u64,
}

/// One viewer's cursors of one timeline.
#[derive(Clone, Copy, Debug)]
pub struct CursorCodec<'a> {
    /// What they are sealed with.
    pub key: &'a Key,
    /// Whose they are.
    pub viewer: UserId,
    /// Of which timeline.
    pub timeline: TimelineKind,
}

impl CursorCodec<'_> {
    /// Viewer and timeline are sealed in, not written down: a foreign cursor is the same to us as a forged one.
    fn context(&self) -> String {
        format!("cursor/{}/{}", self.timeline, self.viewer)
    }

    /// A cursor's text.
    pub fn encode(&self, place: Place) -> String {
        let (kind, newest, oldest) = match place.cursor {
            Cursor::Top { newest } => (0, newest, PostId(0)),
            Cursor::Bottom { oldest } => (1, PostId(0), oldest),
            Cursor::Gap { newest, oldest } => (2, newest, oldest),
        };
        let mut payload = vec![VERSION, kind];
        payload.extend_from_slice(&newest.0.to_be_bytes());
        payload.extend_from_slice(&oldest.0.to_be_bytes());
        payload.extend_from_slice(&place.sort_from.to_be_bytes());
        payload.extend_from_slice(&place.session.to_be_bytes());
        self.key.seal(&self.context(), &payload)
    }

    /// What a cursor's text says.
    ///
    /// # Errors
    /// It is no cursor of this viewer and timeline, or of a version that is not known.
    pub fn decode(&self, text: &str) -> Result<Place, TimelineError> {
        let payload = self.key.open(&self.context(), text).map_err(|_| TimelineError::BadCursor)?;
        parse(&payload).ok_or(TimelineError::BadCursor)
    }
}

fn parse(payload: &[u8]) -> Option<Place> {
    let [VERSION, kind, numbers @ ..] = payload else { return None };
    let (numbers, rest) = numbers.as_chunks::<8>();
    let &[newest, oldest, sort_from, session] = numbers else { return None };
    if !rest.is_empty() {
        return None;
    }
    let post = |bytes| PostId(u64::from_be_bytes(bytes));
    let (newest, oldest) = (post(newest), post(oldest));
    let cursor = match kind {
        0 => Cursor::Top { newest },
        1 => Cursor::Bottom { oldest },
        2 => Cursor::Gap { newest, oldest },
        _ => return None,
    };
    let (sort_from, session) = (i64::from_be_bytes(sort_from), u64::from_be_bytes(session));
    Some(Place { cursor, sort_from, session })
}

impl From<Cursor> for CursorKind {
    fn from(cursor: Cursor) -> Self {
        match cursor {
            Cursor::Top { .. } => Self::Top,
            Cursor::Bottom { .. } => Self::Bottom,
            Cursor::Gap { .. } => Self::Gap,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ListId;

    fn codec(key: &Key, viewer: u64, timeline: TimelineKind) -> CursorCodec<'_> {
        CursorCodec { key, viewer: UserId(viewer), timeline }
    }

    #[test]
    fn a_cursor_opens_for_its_viewer_and_timeline_only() {
        let (key, other) = (Key::new([1; 32]), Key::new([2; 32]));
        let list = |id| TimelineKind::List(ListId(id));
        for cursor in [
            Cursor::Top { newest: PostId(u64::MAX) },
            Cursor::Bottom { oldest: PostId(1) },
            Cursor::Gap { newest: PostId(9), oldest: PostId(3) },
        ] {
            let place = Place { cursor, sort_from: i64::MIN, session: u64::MAX };
            let text = codec(&key, 7, list(4)).encode(place);
            assert_eq!(codec(&key, 7, list(4)).decode(&text).expect("its own"), place);
            for foreign in [
                codec(&key, 8, list(4)),
                codec(&key, 7, list(5)),
                codec(&key, 7, TimelineKind::Following),
                codec(&other, 7, list(4)),
            ] {
                assert!(matches!(foreign.decode(&text), Err(TimelineError::BadCursor)), "{foreign:?}");
            }
        }
    }

    #[test]
    fn payloads_of_another_version_kind_or_length_are_refused() {
        let place = Place { cursor: Cursor::Top { newest: PostId(1) }, sort_from: 2, session: 3 };
        let key = Key::new([1; 32]);
        let codec = codec(&key, 7, TimelineKind::ForYou);
        let whole = key.open(&codec.context(), &codec.encode(place)).expect("its own");
        assert_eq!(parse(&whole), Some(place));
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]), None);
        }
        for (place, value) in [(0, VERSION + 1), (1, 3)] {
            let mut changed = whole.clone();
            changed[place] = value;
            assert_eq!(parse(&changed), None);
        }
        assert_eq!(parse(&[&whole[..], b"x"].concat()), None);
    }
}
