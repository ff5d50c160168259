//! The page in a real browser: Chromium without a window, driven through chromedriver, on a service of this very build.
//!
//! Where there is no chromedriver the tests are listed as ignored, with the reason; `MASKRANK_REQUIRE=browser` turns that
//! into failures. `MASKRANK_SCREENSHOTS=DIR` keeps pictures of what was tested.

mod browser;
mod stage;
mod tests;

use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let required = std::env::var("MASKRANK_REQUIRE").unwrap_or_default();
    let is_required = required.split(',').any(|name| name == "browser");
    let driver = browser::find_driver();
    // Started only when something will run on it.
    let stage = Arc::new(stage::Lazy::default());
    let trials = tests::ALL.iter().map(|(name, test)| match &driver {
        Ok(path) => {
            let (stage, path) = (Arc::clone(&stage), path.clone());
            Trial::test(*name, move || stage.run(&path, *test).map_err(Failed::from))
        }
        Err(reason) => {
            let reason = reason.clone();
            Trial::test(format!("{name} ({reason})"), move || Err(Failed::from(reason)))
                .with_ignored_flag(!is_required)
        }
    });
    let trials = trials.collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    stage.end();
    conclusion.exit();
}
