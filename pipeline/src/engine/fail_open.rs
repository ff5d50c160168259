//! Which failures of a child pipeline its parent survives.

use super::{Failure, FailureKind};

/// Which failures of a candidate or scoring pipeline are recovered: it then contributes nothing, or changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailOpen {
    /// Closed gates only.
    #[default]
    ClosedGates,
    /// Everything but [`FailureKind::Misconfigured`].
    Always,
    /// Nothing.
    Never,
}

impl FailOpen {
    /// Whether the parent goes on.
    pub fn recovers(self, failure: &Failure) -> bool {
        match self {
            Self::ClosedGates => failure.kind == FailureKind::ClosedGate,
            Self::Always => failure.kind != FailureKind::Misconfigured,
            Self::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_recovers_its_kinds() {
        use FailureKind::{ClosedGate, Failed, Misconfigured, Panicked, Rejected, Timeout};
        let all = [ClosedGate, Rejected, Failed, Timeout, Panicked, Misconfigured];
        for (policy, recovered) in [
            (FailOpen::ClosedGates, &[ClosedGate][..]),
            (FailOpen::Always, &[ClosedGate, Rejected, Failed, Timeout, Panicked]),
            (FailOpen::Never, &[]),
        ] {
            for kind in all {
                let failure = Failure { component: "x", kind, message: String::new() };
                assert_eq!(policy.recovers(&failure), recovered.contains(&kind), "{policy:?} {kind:?}");
            }
        }
    }
}
