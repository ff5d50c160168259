//! The service and the browser's driver, started once for all tests.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use maskrank_pipeline::world::{self, FileFormat, WorldConfig};

use crate::browser::Window;
use crate::tests::Test;

const PROGRAM: &str = env!("CARGO_BIN_EXE_maskrank-timeline");

/// The stage, once somebody needs it.
#[derive(Default)]
pub(crate) struct Lazy(Mutex<Option<Stage>>);

struct Stage {
    _world: tempfile::TempDir,
    service: Child,
    driver: Child,
    service_url: String,
    driver_address: SocketAddr,
}

fn start(command: &mut Command, marker: &str) -> Result<(Child, String), String> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|error| format!("{command:?}: {error}"))?;
    let out = child.stdout.take().ok_or("no output")?;
    let mut lines = BufReader::new(out).lines();
    let found = lines.find_map(|line| line.ok()?.split_once(marker).map(|(_, rest)| rest.to_owned()));
    // What it says later is read and dropped, so that it never waits for us.
    std::thread::spawn(move || lines.for_each(drop));
    match found {
        Some(rest) => Ok((child, rest)),
        None => {
            _ = child.kill();
            Err(format!("{command:?} ended without saying where it listens"))
        }
    }
}

impl Stage {
    fn new(driver: &Path) -> Result<Self, String> {
        let world = tempfile::tempdir().map_err(|error| error.to_string())?;
        let config = WorldConfig::sized(300, 6_000);
        world::generate(world.path(), config, FileFormat::Parquet).map_err(|error| error.to_string())?;
        // A busy machine must not leave parts of a timeline out, or all of it.
        let (config, limits) = (world.path().join("patient.yaml"), world.path().join("limits.yaml"));
        let engine = "engine: {request_deadline_ms: 60000, component_timeout_ms: 60000, timeouts_ms: {}}";
        std::fs::write(&config, engine).map_err(|error| error.to_string())?;
        std::fs::write(&limits, "deadline_ms: 60000").map_err(|error| error.to_string())?;
        let serve = ["serve", "--demo", "--model", "none", "--listen", "127.0.0.1:0", "--world"];
        let mut command = Command::new(PROGRAM);
        command.args(serve).arg(world.path()).arg("--config").arg(config).arg("--limits").arg(limits);
        let (service, address) = start(&mut command, "http://")?;
        let (driver, port) =
            start(Command::new(driver).args(["--port=0", "--log-level=SEVERE"]), "successfully on port ")?;
        let port: u16 = port.trim().trim_end_matches('.').parse().map_err(|_| format!("port {port:?}"))?;
        Ok(Self {
            _world: world,
            service,
            driver,
            service_url: format!("http://{}", address.trim_end_matches('/')),
            driver_address: SocketAddr::from(([127, 0, 0, 1], port)),
        })
    }
}

impl Lazy {
    /// Runs a test in a window of its own.
    pub(crate) fn run(&self, driver: &Path, (name, test): (&'static str, Test)) -> Result<(), String> {
        let (service, driver) = {
            let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if stage.is_none() {
                *stage = Some(Stage::new(driver)?);
            }
            let stage = stage.as_ref().ok_or("no stage")?;
            (stage.service_url.clone(), stage.driver_address)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| error.to_string())?.block_on(async {
            let window = Window::open(driver, name).await?;
            let outcome = test(&window, &service).await;
            window.close().await;
            outcome
        })
    }

    /// Ends what was started.
    pub(crate) fn end(&self) {
        if let Some(mut stage) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            for child in [&mut stage.driver, &mut stage.service] {
                _ = child.kill();
                _ = child.wait();
            }
        }
    }
}
