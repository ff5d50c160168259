//! One self-contained page: every machine's newest records as charts and tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use maskrank_rows::{COLUMNS, Run};

use super::figures;
use super::svg::{Chart, escape};

const STYLE: &str = "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:1100px;padding:0 1em;color:#222}\
table{border-collapse:collapse;font-size:12px;display:block;overflow-x:auto}\
td,th{border:1px solid #ddd;padding:2px 6px;text-align:right;white-space:nowrap}\
td:first-child,th:first-child{text-align:left}figure{margin:1em 0}figure svg{max-width:100%}\
h2{border-top:2px solid #222;padding-top:.6em;margin-top:2em}.bad{color:#b00}";

/// The page.
pub(super) fn page(root: &Path, all: &[(PathBuf, Run)]) -> String {
    let mut machines: BTreeMap<&str, Vec<&(PathBuf, Run)>> = BTreeMap::new();
    for entry in all {
        machines.entry(entry.1.device.as_str()).or_default().push(entry);
    }
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>maskrank: records</title>\
         <style>{STYLE}</style></head><body>\n<h1>maskrank: records</h1>\n<p>{} runs on {} machines. How to read them: \
         docs/METHOD.md in the repository.</p>\n",
        all.len(),
        machines.len()
    );
    for (device, entries) in machines {
        let _ = writeln!(page, "<h2>{}</h2>", escape(device));
        // The newest run of each name; full runs before quick ones.
        let mut newest: BTreeMap<&str, &(PathBuf, Run)> = BTreeMap::new();
        for entry in entries.iter().filter(|(_, run)| !run.rows.is_empty()) {
            let known = newest.entry(entry.1.name.as_str()).or_insert(entry);
            if (&known.1.date, &known.0) < (&entry.1.date, &entry.0) {
                *known = entry;
            }
        }
        if newest.contains_key("bench") {
            newest.remove("bench-quick");
        }
        let shown: Vec<Run> = newest.values().map(|(_, run)| run.clone()).collect();
        let every: Vec<Run> = entries.iter().map(|(_, run)| run.clone()).collect();
        let charts = [
            figures::latency(&shown, "f32"),
            figures::latency(&shown, "bf16"),
            figures::roofline(&shown),
            figures::accuracy(&shown),
            figures::load(&shown),
            figures::history(&every),
        ];
        for chart in charts.iter().filter(|chart: &&Chart| !chart.is_empty()) {
            let _ = writeln!(page, "<figure>{}</figure>", chart.to_svg());
        }
        for (path, run) in newest.into_values() {
            section(&mut page, path.strip_prefix(root).unwrap_or(path), run);
        }
    }
    page.push_str("</body></html>\n");
    page
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
    // What all rows share is said above.
    let columns: Vec<&str> = COLUMNS[4..].to_vec();
    let _ = writeln!(
        page,
        "<table><tr>{}</tr>",
        columns.iter().map(|c| format!("<th>{c}</th>")).collect::<String>()
    );
    for row in &run.rows {
        let value = serde_json::to_value(row).unwrap_or_default();
        let cell = |column: &&str| match &value[*column] {
            serde_json::Value::Null => "<td></td>".to_owned(),
            serde_json::Value::Number(number) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                let text = if number.abs() >= 100.0 || number == number.trunc() {
                    format!("{number:.0}")
                } else {
                    format!("{number:.4}")
                };
                format!("<td>{text}</td>")
            }
            other => format!("<td>{}</td>", escape(other.as_str().unwrap_or_default())),
        };
        let _ = writeln!(page, "<tr>{}</tr>", columns.iter().map(cell).collect::<String>());
    }
    page.push_str("</table>\n");
}
