//! Decodes every entry of PTX files and names the first instruction of each that is not implemented:
//! `cargo run -p maskrank-ptx --example check -- FILE...`

use std::process::ExitCode;

use maskrank_ptx::Module;

fn main() -> ExitCode {
    let (mut good, mut bad) = (0, 0);
    for path in std::env::args().skip(1) {
        let module = std::fs::read_to_string(&path).map_err(|e| e.to_string());
        let module = match module.and_then(|text| Module::parse(&text).map_err(|e| e.to_string())) {
            Ok(m) => m,
            Err(e) => {
                eprintln!("{path}: {e}");
                bad += 1;
                continue;
            }
        };
        for entry in module.entries() {
            match module.check(entry) {
                Ok(()) => good += 1,
                Err(e) => {
                    eprintln!("{path}: {entry}: {e}");
                    bad += 1;
                }
            }
        }
    }
    eprintln!("{good} entries decoded, {bad} failures");
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
