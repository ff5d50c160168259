//! One run: what every group needs.

use std::sync::Arc;
use std::time::Instant;

use criterion::Criterion;
use maskrank::golden::Case;
use maskrank::plan::Cost;
use maskrank_rows::{Place, Recorder, Row, Summary};

use super::limits::Limits;
use super::output;
use super::subject::{self, CANDIDATES, Inputs, Truth};
use super::timing::{self, Effort};
use super::{Arguments, Target};

/// What one run works with.
pub(crate) struct Session {
    pub(crate) arguments: Arguments,
    pub(crate) threads: usize,
    pub(crate) case: Case,
    pub(crate) cost: Cost,
    pub(crate) inputs: Arc<Inputs>,
    pub(crate) truth: Truth,
    pub(crate) limits: Limits,
    pub(crate) effort: Effort,
    pub(crate) recorder: Recorder,
    /// The case of columns given once, made when first needed.
    pub(crate) repeated: Option<Case>,
    /// Reasons why rows were refused.
    pub(crate) refused: Vec<String>,
    criterion: Criterion,
    began: Instant,
}

impl Session {
    /// # Errors
    /// When the production case or the cache is not usable.
    pub(crate) fn new(arguments: &Arguments, name: &str) -> Result<Self, String> {
        let case = subject::production()?;
        let inputs = Inputs::new(&case.model, CANDIDATES);
        let truth = Truth::of(&case, &inputs)?;
        let effort = Effort::new(arguments.quick);
        let listing = maskrank::devices();
        let processor = listing.iter().find(|l| l.backend == maskrank::Backend::Cpu);
        let device = processor.and_then(|l| l.present.first()).map_or("unknown", |entry| entry.name.as_str());
        let place = Place::here(subject::root(), device);
        Ok(Self {
            arguments: arguments.clone(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            cost: subject::cost(&case.model),
            limits: Limits::new(&case.model),
            inputs: Arc::new(inputs),
            repeated: None,
            truth,
            effort,
            recorder: Recorder::new(name, &place, arguments.record),
            refused: Vec::new(),
            criterion: timing::criterion(effort),
            began: Instant::now(),
            case,
        })
    }

    /// Score weights as calls take them.
    pub(crate) fn weights(&self) -> Vec<f32> {
        self.case.score_weights.iter().map(|&w| w as f32).collect()
    }

    /// Samples of one row.
    ///
    /// # Errors
    /// As the call.
    pub(crate) fn time(
        &mut self,
        id: &str,
        call: impl FnMut() -> Result<std::time::Duration, String>,
    ) -> Result<Summary, String> {
        timing::samples(&mut self.criterion, self.effort, id, call)
    }

    /// Keeps a row and prints it.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub(crate) fn push(&mut self, row: Row) -> Result<(), String> {
        println!("{:>5.0}s  {}", self.began.elapsed().as_secs_f64(), output::line(&row));
        self.recorder.run.limits = self.limits.list();
        self.recorder.push(row).map_err(|error| format!("cannot write the record: {error}"))
    }

    /// Keeps the reason why rows have no time.
    pub(crate) fn refuse(&mut self, reason: String) {
        eprintln!("REFUSED  {reason}");
        self.refused.push(reason);
    }

    /// Keeps the reason why something cannot run here.
    pub(crate) fn absent(&mut self, what: String) {
        println!("absent   {what}");
        if !self.recorder.run.absent.contains(&what) {
            self.recorder.run.absent.push(what);
        }
    }

    /// A row of a target, its id split into columns.
    pub(crate) fn row(&self, id: &str, target: &Target, kernel: &str) -> Row {
        let mut parts = id.split('/').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        Row {
            op: part(),
            backend: part(),
            dtype: part(),
            shape: part(),
            l2: "warm".to_owned(),
            kind: "score".to_owned(),
            driver: kernel.to_owned(),
            device: if target.backend == maskrank::Backend::Cpu { String::new() } else { kernel.to_owned() },
            ..Row::default()
        }
    }

    /// Ends the run.
    ///
    /// # Errors
    /// Anything was refused: the run fails, whatever else was measured.
    pub(crate) fn finish(mut self) -> Result<(), String> {
        self.recorder.run.complete = self.refused.is_empty();
        self.recorder.run.limits = self.limits.list();
        self.recorder.write().map_err(|error| format!("cannot write the record: {error}"))?;
        println!("{}", output::summary(&self.recorder.run));
        if let Some(folder) = self.recorder.folder() {
            println!("kept in {}", folder.display());
        }
        println!("took {:.0} s", self.began.elapsed().as_secs_f64());
        match self.refused.len() {
            0 => Ok(()),
            count => Err(format!("{count} refused:\n  {}", self.refused.join("\n  "))),
        }
    }
}
