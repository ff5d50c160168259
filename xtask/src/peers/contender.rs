//! One process that scores when it is told to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than any answer takes: compiling a model for one size included.
const PATIENCE: Duration = Duration::from_secs(240);

/// A contender that is ready.
pub(super) struct Contender {
    pub(super) name: String,
    pub(super) precision: String,
    pub(super) settings: Vec<String>,
    /// Seconds from starting the process to the end of its first score.
    pub(super) cold: f64,
    /// What it said of itself.
    pub(super) hello: Value,
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
}

impl Contender {
    /// Our side.
    pub(super) fn ours(lab: &Path, precision: &str, threads: usize, folder: &Path) -> Result<Self, String> {
        let mut command = Command::new(lab);
        command.args(["contender", "cpu", precision, &threads.to_string()]).arg(folder);
        Self::start("cpu", precision, command)
    }

    /// A peer, with the environment that suits it best.
    pub(super) fn peer(
        python: &Path,
        root: &Path,
        library: &str,
        precision: &str,
        threads: usize,
        folder: &Path,
    ) -> Result<Self, String> {
        let cache = folder.parent().unwrap_or(folder).join("inductor");
        let threads = threads.to_string();
        let mut command = Command::new(python);
        command
            .arg("-u")
            .arg(root.join("benches/peers/contender.py"))
            .args([library, precision, &threads])
            .arg(folder)
            .env("OMP_NUM_THREADS", &threads)
            .env("MKL_NUM_THREADS", &threads)
            // Large buffers come from memory that is kept, on huge pages, rather than from fresh pages every call.
            .env("MALLOC_MMAP_THRESHOLD_", (1u64 << 30).to_string())
            .env("MALLOC_TRIM_THRESHOLD_", (8u64 << 30).to_string())
            .env("MALLOC_TOP_PAD_", (256u64 << 20).to_string())
            .env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
            .env("TORCHINDUCTOR_CACHE_DIR", cache)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        Self::start(library, precision, command)
    }

    fn start(name: &str, precision: &str, command: Command) -> Result<Self, String> {
        let mut command = dying_with_us(command);
        let clock = Instant::now();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{name}: cannot start: {error}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("{name}: no pipes"));
        };
        let (send, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let mut contender = Self {
            name: name.to_owned(),
            precision: precision.to_owned(),
            settings: Vec::new(),
            cold: 0.0,
            hello: Value::Null,
            child,
            input,
            answers,
        };
        let line = contender.answer()?;
        contender.cold = clock.elapsed().as_secs_f64();
        if let Some(reason) = line.strip_prefix("absent ") {
            return Err(format!("{name}: {reason}"));
        }
        let hello =
            line.strip_prefix("ready ").ok_or_else(|| format!("{name}: expected ready, got {line}"))?;
        contender.hello = serde_json::from_str(hello).map_err(|error| format!("{name}: {error}"))?;
        let settings = contender.hello["settings"].as_array().into_iter().flatten();
        contender.settings = settings.filter_map(|s| s.as_str().map(str::to_owned)).collect();
        Ok(contender)
    }

    fn answer(&mut self) -> Result<String, String> {
        match self.answers.recv_timeout(PATIENCE) {
            Ok(line) => match line.strip_prefix("error ") {
                Some(problem) => Err(format!("{}: {problem}", self.name)),
                None => Ok(line),
            },
            Err(RecvTimeoutError::Timeout) => Err(format!("{}: no answer in {PATIENCE:?}", self.name)),
            Err(RecvTimeoutError::Disconnected) => Err(format!("{}: the process ended", self.name)),
        }
    }

    /// One command; the answer without its first word, which must be `expected`.
    pub(super) fn ask(&mut self, command: &str, expected: &str) -> Result<String, String> {
        writeln!(self.input, "{command}")
            .and_then(|()| self.input.flush())
            .map_err(|error| format!("{}: cannot be told anything: {error}", self.name))?;
        let answer = self.answer()?;
        match answer.split_once(' ').unwrap_or((&answer, "")) {
            (word, rest) if word == expected => Ok(rest.to_owned()),
            _ => Err(format!("{}: expected {expected}, got {answer}", self.name)),
        }
    }

    /// Seconds of each of some calls, after one that is not counted.
    pub(super) fn score(&mut self, candidates: usize, calls: usize) -> Result<Vec<f64>, String> {
        let answer = self.ask(&format!("score {candidates} {calls}"), "times")?;
        let times: Vec<f64> = answer.split(' ').filter_map(|word| word.parse().ok()).collect();
        let is_time = |time: &f64| time.is_finite() && *time > 0.0;
        if times.len() != calls || !times.iter().all(is_time) {
            return Err(format!("{}: expected {calls} times, got {answer}", self.name));
        }
        Ok(times)
    }

    /// Logits (rows, tasks) and scores (rows) of the first rows.
    pub(super) fn outputs(
        &mut self,
        rows: usize,
        tasks: usize,
        file: &Path,
    ) -> Result<(Vec<f32>, Vec<f32>), String> {
        self.ask(&format!("outputs {rows} {}", file.display()), "written")?;
        let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
        if values.len() != rows * (tasks + 1) {
            return Err(format!(
                "{}: expected {} outputs, got {}",
                self.name,
                rows * (tasks + 1),
                values.len()
            ));
        }
        let (logits, scores) = values.split_at(rows * tasks);
        Ok((logits.to_vec(), scores.to_vec()))
    }

    /// Most memory that it held, MB.
    pub(super) fn peak(&mut self) -> Option<f64> {
        let bytes: f64 = self.ask("peak", "peak").ok()?.trim().parse().ok()?;
        (bytes > 0.0).then_some(bytes / 1e6)
    }

    /// Stops all its threads where they are: nobody spins while another is measured.
    pub(super) fn stop(&self) {
        self.signal("-STOP");
    }

    /// Lets it run again.
    pub(super) fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        if cfg!(unix) {
            // A process that has ended cannot be told: its next answer says so.
            let _gone = Command::new("kill")
                .args([signal, &self.child.id().to_string()])
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// The command through `setpriv`, where there is one: a contender that is stopped when this process is killed would stay
/// for ever.
fn dying_with_us(command: Command) -> Command {
    let wrapper = || {
        let mut wrapper = Command::new("setpriv");
        wrapper.args(["--pdeathsig", "KILL"]);
        wrapper
    };
    let probe = wrapper().arg("true").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        return command;
    }
    let mut wrapped = wrapper();
    wrapped.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped
}

impl Drop for Contender {
    fn drop(&mut self) {
        // It may be stopped, and then would not end.
        let _ended = self.child.kill();
        self.resume();
        let _status = self.child.wait();
    }
}
