//! One run: what every group needs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use criterion::Criterion;
use maskrank::golden::Case;
use maskrank::plan::Cost;
use maskrank::{Backend, Device, Precision};
use maskrank_rows::{Limit, Place, Recorder, Row, Summary};

use super::Arguments;
use super::limits::{Limits, Work};
use super::output;
use super::quality::Quality;
use super::subject::{self, CANDIDATES, Inputs, Truth};
use super::timing::{self, Effort};

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
    /// Of the production model, by target: how good its scores are, and on what. Only of what has passed every check.
    pub(crate) qualities: BTreeMap<String, (Quality, Device)>,
    /// FLOP/s of a few candidates, by target: only for telling how long a run will be.
    pub(crate) rates: BTreeMap<String, f64>,
    /// Seconds that one point of load may take.
    pub(crate) longest_load: f64,
    /// What is still to come: seconds by id.
    pub(crate) ahead: BTreeMap<String, f64>,
    /// Limits of the run that this one goes on with.
    earlier: Vec<Limit>,
    /// Reasons why rows were refused.
    pub(crate) refused: Vec<String>,
    criterion: Criterion,
    began: Instant,
}

impl Session {
    /// # Errors
    /// When the production case, the cache or the record to go on with is not usable.
    pub(crate) fn new(arguments: &Arguments) -> Result<Self, String> {
        let began = Instant::now();
        let case = subject::production()?;
        let inputs = Inputs::new(&case.model, CANDIDATES);
        let truth = Truth::of(&case.name, &case.model, &case.score_weights, &inputs)?;
        let effort = Effort::new(arguments.quick);
        let listing = maskrank::devices();
        let processor = listing.iter().find(|l| l.backend == Backend::Cpu);
        let device = processor.and_then(|l| l.present.first()).map_or("unknown", |entry| entry.name.as_str());
        let place = Place::here(subject::root(), device);
        let mut recorder = Recorder::new(&arguments.name(), &place, arguments.record);
        let mut arguments = arguments.clone();
        if arguments.resume {
            recorder.resume()?;
            arguments.without.extend(recorder.run.rows.iter().map(Row::id));
        } else if let Some(rows) = recorder.interrupted()? {
            println!(
                "an interrupted run of this commit has {rows} rows; this one takes its place (--resume goes on with it)"
            );
        }
        // Found out now rather than after the first row.
        if !arguments.list {
            recorder
                .check()
                .map_err(|error| format!("{error}; --no-record measures without keeping anything"))?;
        }
        let earlier = std::mem::take(&mut recorder.run.limits);
        Ok(Self {
            arguments,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            cost: subject::cost(&case.model),
            limits: Limits::new(&case.model),
            inputs: Arc::new(inputs),
            repeated: None,
            qualities: BTreeMap::new(),
            rates: BTreeMap::new(),
            truth,
            effort,
            recorder,
            longest_load: super::load::LONGEST,
            ahead: BTreeMap::new(),
            earlier,
            refused: Vec::new(),
            criterion: timing::criterion(effort),
            began,
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
        self.ahead.remove(&row.id());
        let left = self.ahead.values().sum::<f64>();
        println!("{}", output::progress(self.seconds(), left, &row));
        self.recorder.run.limits = self.all_limits();
        self.recorder.push(row).map_err(|error| format!("cannot write the record: {error}"))
    }

    /// Limits as measured now, and by the run that this one goes on with: the best of both.
    fn all_limits(&self) -> Vec<Limit> {
        let mut limits = self.limits.list();
        for earlier in &self.earlier {
            let is_same = |own: &&mut Limit| own.name == earlier.name && own.threads == earlier.threads;
            match limits.iter_mut().find(is_same) {
                Some(own) if own.unit == "s" => own.value = own.value.min(earlier.value),
                Some(own) => own.value = own.value.max(earlier.value),
                None => limits.push(earlier.clone()),
            }
        }
        limits
    }

    /// Keeps the reason why rows have no time.
    pub(crate) fn refuse(&mut self, reason: String) {
        eprintln!("REFUSED  {reason}");
        self.refused.push(reason);
    }

    /// Keeps the reason why something cannot run here.
    pub(crate) fn absent(&mut self, what: String) {
        if !self.recorder.run.absent.contains(&what) {
            println!("absent   {what}");
            self.recorder.run.absent.push(what);
        }
    }

    /// A row of a device, its id split into columns.
    pub(crate) fn row(&self, id: &str, device: &Device) -> Row {
        let mut parts = id.split('/').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        Row {
            op: part(),
            backend: part(),
            dtype: part(),
            shape: part(),
            l2: "warm".to_owned(),
            kind: "score".to_owned(),
            driver: device.kernel.clone(),
            // The processor is the run's own.
            device: if device.backend == Backend::Cpu { String::new() } else { device.name.clone() },
            ..Row::default()
        }
    }

    /// Puts the share of the machine's limit into a row. A limit that the row goes beyond is none: then the row has its
    /// time and no share, and the run says why.
    pub(crate) fn share(&mut self, row: &mut Row, work: &Work) {
        match self.limits.share(work) {
            Ok(share) => (row.baseline, row.ratio) = (share.limit, Some(share.of_limit)),
            Err(reason) => self.no_share(row, &reason),
        }
    }

    /// The same of a GPU that WGSL reaches: `flops` and `bytes` of weights took so long, of `region` bytes in all.
    pub(crate) fn share_of_adapter(&mut self, row: &mut Row, flops: f64, bytes: usize, region: usize) {
        match self.limits.adapter.share(flops, bytes, region, row.median_us * 1e-6) {
            Ok(share) => (row.baseline, row.ratio) = (share.limit, Some(share.of_limit)),
            Err(reason) => self.no_share(row, &reason),
        }
    }

    /// The same of an NVIDIA GPU: FLOPs, and bytes that are read once.
    pub(crate) fn share_of_gpu(&mut self, row: &mut Row, precision: Precision, work: (f64, f64)) {
        match self.limits.gpu.share(precision, work, row.median_us * 1e-6) {
            Ok(share) => (row.baseline, row.ratio) = (share.limit, Some(share.of_limit)),
            Err(reason) => self.no_share(row, &reason),
        }
    }

    fn no_share(&mut self, row: &Row, reason: &str) {
        let note = format!("{}: no share of a limit is given: {reason}", row.id());
        eprintln!("NO SHARE {note}");
        self.recorder.run.notes.push(note);
    }

    /// Seconds since the run began.
    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Ends the run.
    ///
    /// # Errors
    /// Anything was refused: the run fails, whatever else was measured.
    pub(crate) fn finish(mut self) -> Result<(), String> {
        self.recorder.run.complete = self.refused.is_empty();
        self.recorder.run.limits = self.all_limits();
        self.recorder.write().map_err(|error| format!("cannot write the record: {error}"))?;
        println!("{}", output::summary(&self.recorder.run));
        if let Some(folder) = self.recorder.folder() {
            println!("kept in {}", folder.join(format!("{}.json", self.recorder.run.name)).display());
            println!(
                "next: cargo xtask report (one page of all records); cargo xtask peers (PyTorch, ONNX Runtime, OpenVINO\n\
                 beside it); cargo xtask compare A B (what changed); docs/METHOD.md (how to read it)"
            );
        }
        println!("took {:.0} s", self.seconds());
        match self.refused.len() {
            0 => Ok(()),
            count => Err(format!("{count} refused:\n  {}", self.refused.join("\n  "))),
        }
    }
}
