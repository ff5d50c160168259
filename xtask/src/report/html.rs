//! One self-contained page: every machine's newest records as charts and tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use maskrank_rows::{COLUMNS, Run};

use super::figures;
use super::svg::{Chart, escape};

const STYLE: &str = "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:1280px;padding:0 1em;color:#222}\
table{border-collapse:collapse;font-size:12px;display:block;overflow-x:auto}\
td,th{border:1px solid #ddd;padding:2px 6px;text-align:right;white-space:nowrap}\
td:first-child,th:first-child{text-align:left}figure{margin:1em 0}figure svg{max-width:100%}.all{max-width:900px}\
h2{border-top:2px solid #222;padding-top:.6em;margin-top:2em}.bad{color:#b00}\
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(480px,1fr));gap:8px}.charts figure{margin:0}\
summary{cursor:pointer;margin:.6em 0}td.text{text-align:left}";

/// The page.
pub(crate) fn page(root: &Path, all: &[(PathBuf, Run)]) -> String {
    let mut machines: BTreeMap<&str, Vec<&(PathBuf, Run)>> = BTreeMap::new();
    for entry in all {
        machines.entry(entry.1.device.as_str()).or_default().push(entry);
    }
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>maskrank: records</title>\
         <style>{STYLE}</style></head><body>\n<h1>maskrank: records</h1>\n<p>{}, {}. How to read them: \
         docs/METHOD.md in the repository.</p>\n",
        count(all.len(), "run"),
        count(machines.len(), "machine")
    );
    let newest: BTreeMap<&str, Vec<&(PathBuf, Run)>> =
        machines.iter().map(|(device, entries)| (*device, newest(entries))).collect();
    if newest.len() > 1 {
        let shown: Vec<Run> = newest.values().flatten().map(|(_, run)| run.clone()).collect();
        let chart = figures::machines(&shown);
        if !chart.is_empty() {
            let _ = writeln!(page, "<figure class=\"all\">{}</figure>", chart.to_svg());
        }
    }
    for (device, entries) in &machines {
        let _ = writeln!(page, "<h2>{}</h2>", escape(device));
        let newest = &newest[device];
        let shown: Vec<Run> = newest.iter().map(|(_, run)| run.clone()).collect();
        let every: Vec<Run> = entries.iter().map(|(_, run)| run.clone()).collect();
        let charts = [
            figures::latency(&shown, "f32"),
            figures::latency(&shown, "bf16"),
            figures::beside(&shown, "f32"),
            figures::beside(&shown, "bf16"),
            figures::roofline(&shown),
            figures::accuracy(&shown),
            figures::load(&shown, "poisson"),
            figures::load(&shown, "bursts"),
            figures::stages(&shown),
            figures::history(&every),
        ];
        page.push_str("<div class=\"charts\">\n");
        for chart in charts.iter().filter(|chart: &&Chart| !chart.is_empty()) {
            let _ = writeln!(page, "<figure>{}</figure>", chart.to_svg());
        }
        page.push_str("</div>\n");
        for (path, run) in newest {
            section(&mut page, path.strip_prefix(root).unwrap_or(path), run);
        }
    }
    page.push_str("</body></html>\n");
    page
}

/// The newest run of each name; full runs before quick ones of the same commit.
fn newest<'a>(entries: &[&'a (PathBuf, Run)]) -> Vec<&'a (PathBuf, Run)> {
    let mut newest: BTreeMap<&str, &(PathBuf, Run)> = BTreeMap::new();
    for &entry in entries.iter().filter(|(_, run)| !run.rows.is_empty()) {
        let known = newest.entry(entry.1.name.as_str()).or_insert(entry);
        if (&known.1.date, &known.0) < (&entry.1.date, &entry.0) {
            *known = entry;
        }
    }
    for full in ["bench", "pipeline"] {
        // A full run says more than a quick one of the same commit.
        let quick = format!("{full}-quick");
        if let Some((_, whole)) = newest.get(full)
            && newest.get(quick.as_str()).is_some_and(|(_, quick)| quick.commit == whole.commit)
        {
            newest.remove(quick.as_str());
        }
    }
    // The second run of a commit is there to be compared with the first.
    newest.retain(|name, _| !name.ends_with("-again"));
    newest.into_values().collect()
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn section(page: &mut String, path: &Path, run: &Run) {
    let _ = writeln!(
        page,
        "<h3>{} of {}, commit {}</h3>\n<p>{}; load average at its start: {}{}</p>",
        escape(&run.name),
        escape(&run.date),
        escape(&run.commit),
        escape(&path.display().to_string()),
        run.load_average.map_or("not known".to_owned(), |load| load.to_string()),
        if run.complete { "" } else { " <b class=\"bad\">not complete</b>" },
    );
    for (title, lines) in [("Remarks", &run.notes), ("Not there", &run.absent)] {
        if !lines.is_empty() {
            let items: Vec<String> = lines.iter().map(|line| format!("<li>{}</li>", escape(line))).collect();
            let _ = writeln!(page, "<p>{title}:</p><ul>{}</ul>", items.join(""));
        }
    }
    if !run.limits.is_empty() {
        page.push_str("<details><summary>Limits of the machine</summary><table><tr><th>limit</th><th>threads</th><th>value</th><th>unit</th><th>how</th></tr>\n");
        for limit in &run.limits {
            let _ = writeln!(
                page,
                "<tr><td>{}</td><td>{}</td><td>{:.4e}</td><td>{}</td><td>{}</td></tr>",
                escape(&limit.name),
                limit.threads,
                limit.value,
                escape(&limit.unit),
                escape(&limit.how)
            );
        }
        page.push_str("</table></details>\n");
    }
    // What all rows share is said above; what no row has is left out; notes may be long.
    let values: Vec<serde_json::Value> =
        run.rows.iter().map(|row| serde_json::to_value(row).unwrap_or_default()).collect();
    let is_there = |column: &&str| values.iter().any(|value| !is_empty(&value[*column]));
    let columns: Vec<&str> =
        COLUMNS[4..].iter().copied().filter(|column| *column != "note").filter(is_there).collect();
    let _ = writeln!(
        page,
        "<details{}><summary>{}</summary><table><tr>{}</tr>",
        if run.rows.len() <= 40 { " open" } else { "" },
        count(run.rows.len(), "row"),
        columns.iter().map(|c| format!("<th>{c}</th>")).collect::<String>()
    );
    for (row, value) in run.rows.iter().zip(&values) {
        let cells: String = columns.iter().map(|column| cell(&value[*column])).collect();
        let _ = writeln!(page, "<tr title=\"{}\">{cells}</tr>", escape(&row.note));
    }
    page.push_str("</table></details>\n");
}

fn is_empty(value: &serde_json::Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

fn cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "<td></td>".to_owned(),
        serde_json::Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            let text = match number.abs() {
                v if v >= 100.0 || number == number.trunc() => format!("{number:.0}"),
                v if v < 1e-3 => format!("{number:.1e}"),
                _ => format!("{number:.4}"),
            };
            format!("<td>{text}</td>")
        }
        other => format!("<td class=\"text\">{}</td>", escape(other.as_str().unwrap_or_default())),
    }
}
