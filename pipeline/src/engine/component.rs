//! What every component says of itself, and the list of all of them.

use serde::Serialize;

use super::StageKind;

/// Anything that can stand in a pipeline's lists.
pub trait Component: Send + Sync + 'static {
    /// The name in configuration, logs and metrics; unique among the components of its kind in a pipeline.
    fn name(&self) -> &'static str;

    /// One line of what it does, for the generated documentation.
    fn about(&self) -> &'static str;
}

/// Says a component's name and what it does.
///
/// `component!(AgeFilter, "age", "removes posts that are too old")`
#[macro_export]
macro_rules! component {
    ($type:ty, $name:literal, $about:literal) => {
        impl $crate::engine::Component for $type {
            fn name(&self) -> &'static str {
                $name
            }

            fn about(&self) -> &'static str {
                $about
            }
        }
    };
}

/// One component at its place in a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComponentRow {
    /// The pipeline whose list it stands in.
    pub pipeline: &'static str,
    /// Which list.
    pub stage: StageKind,
    /// When it runs, where the list alone does not say: its phase, or the step it is awaited before.
    pub when: String,
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// Rows for one list of a pipeline.
pub(super) fn rows<'a, T: Component + ?Sized + 'a>(
    pipeline: &'static str,
    stage: StageKind,
    when: &str,
    components: impl IntoIterator<Item = &'a std::sync::Arc<T>>,
) -> Vec<ComponentRow> {
    let row = |component: &std::sync::Arc<T>| ComponentRow {
        pipeline,
        stage,
        when: when.to_owned(),
        name: component.name(),
        about: component.about(),
    };
    components.into_iter().map(row).collect()
}

/// Rows for a list of phases.
pub(super) fn phase_rows<T: Component + ?Sized>(
    pipeline: &'static str,
    stage: StageKind,
    phases: &[Vec<std::sync::Arc<T>>],
) -> Vec<ComponentRow> {
    let phase = |(index, components): (usize, &Vec<std::sync::Arc<T>>)| {
        rows(pipeline, stage, &format!("phase {}", index + 1), components)
    };
    phases.iter().enumerate().flat_map(phase).collect()
}
