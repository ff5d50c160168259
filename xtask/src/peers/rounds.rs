//! Turns: everybody scores the same candidates, one after another, round after round.

use std::path::{Path, PathBuf};
use std::time::Instant;

use maskrank_rows::{Recorder, Row, Summary, statistics};

use super::contender::Contender;
use super::quality::{Facts, Quality};
use super::{Arguments, limit, recorder, row};

/// One run of the comparison.
pub(super) struct Session {
    pub(super) recorder: Recorder,
    root: PathBuf,
    arguments: Arguments,
    facts: Facts,
    folder: PathBuf,
    threads: usize,
    began: Instant,
}

/// A contender in the ring.
struct Fighter {
    contender: Contender,
    quality: Quality,
    /// Threads that it was told to use.
    threads: usize,
}

/// What a contender's turns at one size gave.
#[derive(Default)]
struct Turns {
    samples: Vec<f64>,
    /// Median of each turn.
    medians: Vec<f64>,
}

impl Session {
    pub(super) fn new(
        root: &Path,
        arguments: &Arguments,
        facts: Facts,
        folder: PathBuf,
        threads: usize,
    ) -> Self {
        Self {
            recorder: recorder(root, &device(threads), !arguments.no_record),
            root: root.to_owned(),
            arguments: arguments.clone(),
            facts,
            folder,
            threads,
            began: Instant::now(),
        }
    }

    pub(super) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Seconds of the whole, about.
    pub(super) fn estimate(&self, peers: usize) -> f64 {
        let turns = (self.arguments.rounds * self.arguments.sizes.len()) as f64;
        let starts = 5.0 + 25.0 * peers as f64;
        self.arguments.precisions.len() as f64
            * (starts + turns * (peers + 2) as f64 * 1.6 * self.arguments.turn)
    }

    pub(super) fn absent(&mut self, what: String) {
        println!("absent   {what}");
        self.recorder.run.absent.push(what);
    }

    pub(super) fn write(&self) -> Result<(), String> {
        self.recorder.write().map_err(|error| format!("cannot write the record: {error}"))
    }

    fn say(&self, text: &str) {
        println!("{:>5.0}s  {text}", self.seconds());
    }

    fn push(&mut self, row: Row) -> Result<(), String> {
        self.recorder.push(row).map_err(|error| format!("cannot write the record: {error}"))
    }

    /// One precision, all sizes.
    ///
    /// # Errors
    /// Our own side fails; a peer that fails is reported and left out.
    pub(super) fn compare(
        &mut self,
        precision: &str,
        lab: &Path,
        python: &Path,
        peers: &[&str],
    ) -> Result<(), String> {
        let (folder, threads) = (self.folder.clone(), self.threads);
        let ours = Contender::ours(lab, precision, threads, &folder)?;
        if let Some(name) = ours.hello["device"].as_str().filter(|_| self.recorder.run.rows.is_empty()) {
            // The device's own name, as the benches have it.
            let mut renamed = recorder(&self.root, name, !self.arguments.no_record);
            renamed.run.absent.clone_from(&self.recorder.run.absent);
            self.recorder = renamed;
        }
        let mut ring = vec![self.enter(ours, threads)?];
        if threads > 1 {
            let single = Contender::ours(lab, precision, 1, &folder)?;
            ring.push(self.enter(single, 1)?);
        }
        for peer in peers {
            let started = Contender::peer(python, &self.root, peer, precision, threads, &folder);
            match started.and_then(|contender| self.enter(contender, threads)) {
                Ok(fighter) => ring.push(fighter),
                Err(reason) => {
                    let hint = match reason.contains("No module named") {
                        true => ": the environment is not whole; delete .venv/peers, and it is made anew",
                        false => "",
                    };
                    self.absent(format!("{precision}: {reason}{hint}"));
                }
            }
        }
        for fighter in &ring {
            self.push_cold(fighter)?;
        }
        for candidates in self.arguments.sizes.clone() {
            self.size(&mut ring, precision, candidates)?;
        }
        for fighter in &mut ring {
            fighter.contender.resume();
            let peak = fighter.contender.peak();
            fighter.contender.stop();
            let (name, threads) = (fighter.contender.name.clone(), fighter.threads);
            let rows =
                self.recorder.run.rows.iter_mut().filter(|row| row.backend == name && row.dtype == precision);
            rows.filter(|row| row.shape_number('t') == Some(threads)).for_each(|row| row.memory_mb = peak);
        }
        self.write()
    }

    /// Compares a contender's outputs with the truth, and lets it wait.
    fn enter(&self, mut contender: Contender, threads: usize) -> Result<Fighter, String> {
        let file = self.folder.join(format!("outputs-{}-{}.f32", contender.name, contender.precision));
        let (logits, scores) = contender.outputs(self.facts.truth_rows, self.facts.tasks, &file)?;
        let quality = self.facts.judge(&contender.precision, &logits, &scores).map_err(|problem| {
            format!("{}: wrong answers, so no time is given: {problem}", contender.name)
        })?;
        contender.stop();
        self.say(&format!(
            "{:<14} {} {threads} threads: ready in {:.1} s, largest error of a logit {:.1e}, tau {:.4}, top 50: {}",
            contender.name, contender.precision, contender.cold, quality.logit_error, quality.kendall_tau, quality.top_50
        ));
        Ok(Fighter { contender, quality, threads })
    }

    fn push_cold(&mut self, fighter: &Fighter) -> Result<(), String> {
        let contender = &fighter.contender;
        let mut row = row("cold_start", contender, format!("n32_t{}", fighter.threads));
        row = row.timed(&Summary::of(&[contender.cold], 0.0));
        // One start says nothing of its noise.
        row.noise = None;
        (row.kind, row.l2) = ("start".to_owned(), "cold".to_owned());
        row.note = contender.settings.join("; ");
        self.push(fighter.quality.fill(row))
    }

    fn size(&mut self, ring: &mut Vec<Fighter>, precision: &str, candidates: usize) -> Result<(), String> {
        let takes_part = |fighter: &Fighter| fighter.threads == self.threads || candidates >= 1024;
        let mut turns: Vec<Turns> = ring.iter().map(|_| Turns::default()).collect();
        let mut gone: Vec<(usize, String)> = Vec::new();
        for round in 0..self.arguments.rounds {
            for index in 0..ring.len() {
                // Another one begins each round, so that nobody always follows the same neighbour.
                let index = (index + round) % ring.len();
                if !takes_part(&ring[index]) || gone.iter().any(|(lost, _)| *lost == index) {
                    continue;
                }
                let turn = self.turn(&mut ring[index], &turns[index], candidates);
                match turn {
                    Ok(times) => {
                        turns[index].medians.push(statistics::quantile(&times, 0.5));
                        turns[index].samples.extend(times);
                    }
                    Err(problem) if index < 2 && ring[index].contender.name == "cpu" => return Err(problem),
                    Err(problem) => gone.push((index, problem)),
                }
            }
        }
        // Ours is the first.
        let own = std::mem::take(&mut turns[0]);
        let summary = Summary::of(&own.samples, 0.0);
        let share = match self.share(&mut ring[0], candidates, summary.median) {
            Ok((share, limit)) => (Some(share), limit),
            Err(reason) => {
                let note = format!("{precision}, N = {candidates}: no share of a limit is given: {reason}");
                self.say(&note);
                self.recorder.run.notes.push(note);
                (None, String::new())
            }
        };
        let mut rows = Vec::new();
        for (index, fighter) in ring.iter().enumerate() {
            let turns = if index == 0 { &own } else { &turns[index] };
            if turns.samples.is_empty() || gone.iter().any(|(lost, _)| *lost == index) {
                continue;
            }
            let contender = &fighter.contender;
            let summary = Summary::of(&turns.samples, 0.0);
            let mut row =
                row("score", contender, format!("n{candidates}_t{}", fighter.threads)).timed(&summary);
            let bytes = self.facts.weights * if precision == "f32" { 4.0 } else { 2.0 };
            row = row.rated(candidates, self.facts.flops * candidates as f64, bytes);
            if index == 0 {
                (row.ratio, row.baseline) = share.clone();
            } else {
                // Paired: this one's turn against ours in the same round.
                let pairs: Vec<f64> =
                    own.medians.iter().zip(&turns.medians).map(|(ours, its)| ours / its).collect();
                row.baseline = match contender.name == "cpu" {
                    true => format!("threads: {}", self.threads),
                    false => "maskrank cpu".to_owned(),
                };
                row.ratio = Some(statistics::quantile(&pairs, 0.5));
                row.ratio_p10 = Some(statistics::quantile(&pairs, 0.1));
                row.ratio_p90 = Some(statistics::quantile(&pairs, 0.9));
            }
            row.note = contender.settings.join("; ");
            rows.push(fighter.quality.fill(row));
        }
        for row in rows {
            self.say(&format!(
                "{precision} N = {candidates:<5} {:<14} {:>10.2} ms ({:.2} .. {:.2})  {:>7.0} candidates/s  {:.2} of {}",
                format!("{} t{}", row.backend, row.shape_number('t').unwrap_or(0)),
                row.median_us / 1e3,
                row.p10_us / 1e3,
                row.p90_us / 1e3,
                row.candidates_per_s.unwrap_or(0.0),
                row.ratio.unwrap_or(f64::NAN),
                row.baseline
            ));
            self.push(row)?;
        }
        for (index, problem) in gone.into_iter().rev() {
            self.absent(format!("{precision}, N = {candidates}: {problem}"));
            ring.remove(index);
        }
        Ok(())
    }

    /// One contender's turn: as many calls as fill it.
    fn turn(&self, fighter: &mut Fighter, before: &Turns, candidates: usize) -> Result<Vec<f64>, String> {
        let contender = &mut fighter.contender;
        contender.resume();
        let times = (|| {
            let one = match before.medians.last() {
                Some(&median) => median,
                // The first call at a size may compile: it is for the estimate alone.
                None => statistics::quantile(&contender.score(candidates, 2)?, 0.0),
            };
            let calls = (self.arguments.turn / one).clamp(2.0, 200.0) as usize;
            contender.score(candidates, calls)
        })();
        contender.stop();
        times
    }

    /// What ours reaches of the machine's limit, both measured between the same turns.
    fn share(
        &mut self,
        ours: &mut Fighter,
        candidates: usize,
        seconds: f64,
    ) -> Result<(f64, String), String> {
        ours.contender.resume();
        let answer = ours.contender.ask(&format!("share {candidates} {seconds:e}"), "share");
        let limits = ours.contender.ask("limits", "limits");
        ours.contender.stop();
        let (answer, limits) = (answer?, limits?);
        let words: Vec<f64> = limits.split(' ').filter_map(|word| word.parse().ok()).collect();
        if let [rate, bandwidth] = words[..] {
            let precision = ours.contender.precision.clone();
            let own = |name: &str| format!("{name} {precision}");
            let all = &mut self.recorder.run.limits;
            all.retain(|limit| !limit.name.ends_with(&format!(" {precision}")));
            all.push(limit(&own("multiply rate"), ours.threads, rate, "FLOP/s"));
            all.push(limit(&own("read bandwidth of the weights in"), ours.threads, bandwidth, "B/s"));
        }
        let (share, name) =
            answer.split_once(' ').ok_or_else(|| format!("expected a share, got {answer}"))?;
        let share = share.parse().map_err(|error| format!("{share}: {error}"))?;
        Ok((share, name.to_owned()))
    }
}

/// Until our side has told the device's name.
fn device(threads: usize) -> String {
    format!("unknown device, {threads} threads")
}
