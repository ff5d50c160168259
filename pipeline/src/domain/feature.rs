//! A hydrated value that may be missing or failed.

/// One hydrated field of a query or candidate.
///
/// "Nobody hydrated this" and "its hydrator failed" are different: a missing value takes the reader's default, a
/// failed one takes the feature's own default when its hydrator declares one, else the reader's.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Feature<T> {
    /// No hydrator has run.
    #[default]
    Missing,
    /// The hydrator failed. Holds the feature's own default, if it has one.
    Failed(Option<T>),
    /// The hydrator's answer.
    Value(T),
}

impl<T> Feature<T> {
    /// The value, if hydration succeeded.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Missing | Self::Failed(_) => None,
        }
    }

    /// The value; the feature's own default when it failed and has one; else `default`.
    pub fn get_or(&self, default: T) -> T
    where
        T: Clone,
    {
        self.get().cloned().unwrap_or(default)
    }

    /// The value, or the feature's own default when it failed and has one.
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Value(value) | Self::Failed(Some(value)) => Some(value),
            Self::Missing | Self::Failed(None) => None,
        }
    }

    /// Whether the hydrator failed.
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

impl<T> From<T> for Feature<T> {
    fn from(value: T) -> Self {
        Self::Value(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_feature_prefers_its_own_default_a_missing_one_the_readers() {
        assert_eq!(Feature::Missing.get_or(1), 1);
        assert_eq!(Feature::Failed(None).get_or(1), 1);
        assert_eq!(Feature::Failed(Some(2)).get_or(1), 2);
        assert_eq!(Feature::Value(3).get_or(1), 3);
        assert_eq!(Feature::<u8>::Failed(Some(2)).value(), None);
    }
}
