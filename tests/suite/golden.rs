//! Every golden case, as it is on disk.

use maskrank::golden::Case;

use super::{Trial, golden_folder};

pub fn trials() -> Vec<Trial> {
    let folders = Case::find(&golden_folder()).expect("the golden cases are in the repository");
    folders
        .into_iter()
        .map(|folder| {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Trial::new(format!("golden/{name}"), move |target| {
                let case = Case::open(&folder).unwrap();
                let scorer = target.scorer(&case.model, case.rows);
                let comparison = case.check(&scorer).unwrap();
                assert!(comparison.passed(), "{}: {}", case.name, comparison.failures());
            })
        })
        .collect()
}
