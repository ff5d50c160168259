//! `cargo xtask report`: every record as one self-contained HTML page, and the README's tables and figures.
//!
//! What is generated into the repository (the README's table, `docs/SCALE.md`, `docs/figures/`) comes from one named
//! record, or one of each of several machines, whose folders stand in the README's marker; a test fails when any of it is stale.

mod figures;
mod html;
mod markers;
mod scale;
mod svg;
mod tables;

#[cfg(test)]
pub(crate) use html::page;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use maskrank_rows::{Run, records};

const README: &str = "README.md";
const SCALE: &str = "docs/SCALE.md";
const MARKER: &str = "how-fast";

/// What to render.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// The folder of the HTML page
    #[arg(long, default_value = "target/report")]
    out: PathBuf,
    /// The record that the README shows from now on, and any of other machines (a GPU's) beside it; default: those that it
    /// shows
    #[arg(long)]
    readme: Vec<PathBuf>,
}

/// Renders everything.
///
/// # Errors
/// A record cannot be read, or a file cannot be written.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<(), String> {
    let all = records(&root.join("benches/record"))?;
    let out = if arguments.out.is_absolute() { arguments.out.clone() } else { root.join(&arguments.out) };
    write(&out.join("index.html"), &html::page(root, &all))?;
    println!("{} runs: {}", all.len(), out.join("index.html").display());
    for (path, text) in generated(root, &arguments.readme)? {
        if fs::read_to_string(&path).is_ok_and(|found| found == text) {
            continue;
        }
        write(&path, &text)?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    path.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Every generated file of the repository with the text that it should have.
fn generated(root: &Path, records_named: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, String> {
    let readme = text(&root.join(README))?;
    let folders: Vec<String> = match records_named {
        [] => markers::source(&readme, MARKER)?.split(' ').map(str::to_owned).collect(),
        named => named
            .iter()
            .map(|folder| {
                folder.strip_prefix(root).unwrap_or(folder).to_string_lossy().trim_end_matches('/').to_owned()
            })
            .collect(),
    };
    let mut runs: Vec<Run> = Vec::new();
    for folder in &folders {
        // The second run of a commit is there to be compared with the first.
        let own = records(&root.join(folder))?.into_iter().map(|(_, run)| run);
        let own: Vec<Run> = own.filter(|run| !run.name.ends_with("-again")).collect();
        if own.is_empty() {
            return Err(format!("{folder}: no record there"));
        }
        runs.extend(own);
    }
    let source = folders.join(" ");
    let mut files = Vec::new();
    let mut links = Vec::new();
    for (name, figure) in figures::of_readme(&runs) {
        let path = format!("docs/figures/{name}.svg");
        links.push((figure.title.clone(), path.clone()));
        files.push((root.join(path), figure.to_svg()));
    }
    let body = tables::readme(&folders, &runs, &links);
    files.push((root.join(README), markers::replace(&readme, MARKER, &source, &body)?));
    let scale = text(&root.join(SCALE))?;
    files.push((root.join(SCALE), markers::replace(&scale, MARKER, &source, &scale::body(&runs))?));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_are_current() {
        for (path, expected) in generated(crate::root(), &[]).unwrap() {
            let found = text(&path).unwrap();
            assert!(found == expected, "{} is stale: run `cargo xtask report`", path.display());
        }
        let current: Vec<PathBuf> =
            generated(crate::root(), &[]).unwrap().into_iter().map(|(path, _)| path).collect();
        for entry in fs::read_dir(crate::root().join("docs/figures")).unwrap() {
            let path = entry.unwrap().path();
            assert!(current.contains(&path), "{} is a figure of no record: delete it", path.display());
        }
    }

    /// No time of a precision without how good its scores are.
    #[test]
    fn every_timed_row_of_a_precision_has_its_accuracy() {
        let mut rows = 0;
        for (path, run) in records(&crate::root().join("benches/record")).unwrap() {
            // The oldest record was taken before rows had samples.
            for row in run.rows.iter().filter(|row| row.samples > 0 && row.kind != "stage") {
                let scores_nothing =
                    ["read_records", "for_you", "fill_features", "nearest"].contains(&row.op.as_str());
                let is_copy = matches!(row.kind.as_str(), "copy" | "launch" | "cublas");
                // Taken before a peer's start had what its calls have.
                let is_old = run.commit == "d5c3215" && run.name == "peers" && row.kind == "start";
                if is_old
                    || scores_nothing
                    || is_copy
                    || row.backend == "reference"
                    || run.name == "gpu-ceilings"
                {
                    continue;
                }
                let all = [row.logit_error, row.kendall_tau, row.top_50];
                // The GPU's own PyTorch is held against the same bound, and says so by its exit code alone.
                let has_all = all.iter().all(Option::is_some) || run.name == "gpu-peers";
                assert!(has_all, "{}: {} has a time and {all:?}", path.display(), row.id());
                rows += 1;
            }
        }
        assert!(rows > 50, "{rows} rows");
    }

    #[test]
    fn every_committed_record_is_read_and_rendered() {
        let all = records(&crate::root().join("benches/record")).unwrap();
        assert!(!all.is_empty());
        let page = html::page(crate::root(), &all);
        assert!(page.contains("<svg") && page.trim_end().ends_with("</html>"));
        for (path, run) in &all {
            let csv = fs::read_to_string(path.with_extension("csv")).unwrap();
            assert_eq!(maskrank_rows::from_csv(&csv).unwrap().len(), run.rows.len(), "{}", path.display());
        }
    }
}
