//! Snowflake ids, one type for each thing that has one.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Millis;

/// Milliseconds from the Unix epoch to the epoch of snowflake ids.
pub const SNOWFLAKE_EPOCH_MS: i64 = 1_288_834_974_657;

/// Bits of an id below its timestamp: worker and sequence.
const TIMESTAMP_SHIFT: u32 = 22;

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// In JSON an id is written as a string, because a 64-bit number does not survive a JavaScript reader; both
        /// strings and numbers are read.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl $name {
            /// The first id of a millisecond: every id made at or after `at` is at least this one.
            /// Times before the snowflake epoch give id 0.
            pub fn at(at: Millis) -> Self {
                let since_epoch = u64::try_from(at.0.saturating_sub(SNOWFLAKE_EPOCH_MS)).unwrap_or(0);
                Self(since_epoch << TIMESTAMP_SHIFT)
            }

            /// When this id was made, to the millisecond.
            pub fn made_at(self) -> Millis {
                // 42 bits of milliseconds plus the epoch stay far below i64::MAX.
                Millis((self.0 >> TIMESTAMP_SHIFT) as i64 + SNOWFLAKE_EPOCH_MS)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<u64> for $name {
            fn from(raw: u64) -> Self {
                Self(raw)
            }
        }

        impl From<$name> for u64 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(IdVisitor).map(Self)
            }
        }
    };
}

id_type!(
    /// A post.
    PostId
);
id_type!(
    /// An account.
    UserId
);
id_type!(
    /// A list of accounts.
    ListId
);
id_type!(
    /// A topic.
    TopicId
);

/// Reads an id from a string of digits or from a non-negative number.
struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id as a string of digits or as a number")
    }

    fn visit_u64<E>(self, value: u64) -> Result<u64, E> {
        Ok(value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<u64, E> {
        u64::try_from(value).map_err(|_| E::custom(format_args!("id {value} is negative")))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u64, E> {
        text.parse().map_err(|_| E::custom(format_args!("\"{text}\" is no id")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_knows_when_it_was_made() {
        let at = Millis(1_700_000_000_123);
        assert_eq!(PostId::at(at).made_at(), at);
        assert_eq!(
            PostId(PostId::at(at).0 + 4_194_303).made_at(),
            at,
            "worker and sequence bits do not count"
        );
    }

    #[test]
    fn times_before_the_epoch_give_the_smallest_id() {
        assert_eq!(UserId::at(Millis(0)), UserId(0));
        assert_eq!(UserId::at(Millis(i64::MIN)), UserId(0));
    }

    #[test]
    fn json_writes_strings_and_reads_both() {
        let id = PostId(9_007_199_254_740_993); // 2^53 + 1, which a double cannot hold
        assert_eq!(serde_json::to_string(&id).ok().as_deref(), Some("\"9007199254740993\""));
        for text in ["\"9007199254740993\"", "9007199254740993"] {
            assert_eq!(serde_json::from_str::<PostId>(text).ok(), Some(id), "{text}");
        }
        for text in ["-1", "\"\"", "\"12x\"", "1.5", "null"] {
            assert!(serde_json::from_str::<PostId>(text).is_err(), "{text}");
        }
    }
}
