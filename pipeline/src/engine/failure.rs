//! Why a component or a pipeline gave no result.

use std::fmt;

use serde::Serialize;

/// The kinds of failure that policies tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// A gate was closed: the pipeline does not apply to this query.
    ClosedGate,
    /// The request asks for something that cannot be.
    Rejected,
    /// A component could not do its work, because what it stands on failed.
    Failed,
    /// A component was not done in time.
    Timeout,
    /// A component panicked.
    Panicked,
    /// A component breaks the contract of its stage: a mistake in code or wiring, never recovered.
    Misconfigured,
}

impl FailureKind {
    /// The name in metrics and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClosedGate => "closed_gate",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Panicked => "panicked",
            Self::Misconfigured => "misconfigured",
        }
    }
}

/// A failure, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The component's name.
    pub component: &'static str,
    /// What kind of failure.
    pub kind: FailureKind,
    /// What happened.
    pub message: String,
}

impl Failure {
    /// What a component stands on failed.
    pub fn failed(component: &'static str, why: impl fmt::Display) -> Self {
        Self { component, kind: FailureKind::Failed, message: why.to_string() }
    }

    /// The request asks for something that cannot be.
    pub fn rejected(component: &'static str, why: impl fmt::Display) -> Self {
        Self { component, kind: FailureKind::Rejected, message: why.to_string() }
    }

    /// A component breaks the contract of its stage.
    pub fn misconfigured(component: &'static str, why: impl fmt::Display) -> Self {
        Self { component, kind: FailureKind::Misconfigured, message: why.to_string() }
    }

    pub(super) fn closed_gate(gate: &'static str) -> Self {
        Self { component: gate, kind: FailureKind::ClosedGate, message: "the gate is closed".to_owned() }
    }

    pub(super) fn timeout(component: &'static str, limit: std::time::Duration) -> Self {
        Self { component, kind: FailureKind::Timeout, message: format!("not done within {limit:?}") }
    }

    pub(super) fn panicked(component: &'static str, payload: &(dyn std::any::Any + Send)) -> Self {
        let said = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Self { component, kind: FailureKind::Panicked, message: said }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.component, self.kind.name(), self.message)
    }
}

impl std::error::Error for Failure {}
