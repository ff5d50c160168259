//! Samples of one row, through criterion, and how steady the machine was meanwhile.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode};
use maskrank_rows::Summary;

use super::quiet::quietly;

/// How long rows are sampled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) warm_up: Duration,
    pub(crate) measure: Duration,
    pub(crate) samples: usize,
}

impl Effort {
    pub(crate) fn new(quick: bool) -> Self {
        match quick {
            true => {
                Self { warm_up: Duration::from_millis(150), measure: Duration::from_millis(600), samples: 10 }
            }
            false => Self { warm_up: Duration::from_secs(1), measure: Duration::from_secs(4), samples: 20 },
        }
    }

    /// What a row takes whose one call takes `call` seconds.
    pub(crate) fn estimate(&self, call: f64) -> f64 {
        // Criterion begins with a call of its own.
        let warm_up = self.warm_up.as_secs_f64().max(call) + call;
        warm_up + self.measure.as_secs_f64().max(call * self.samples as f64) + 0.1
    }
}

/// Criterion, with nothing taken from its own command line.
pub(crate) fn criterion(effort: Effort) -> Criterion {
    Criterion::default()
        .sample_size(effort.samples)
        // The warm-up is our own: criterion's would double the number of calls until its time is over.
        .warm_up_time(Duration::from_nanos(1))
        .measurement_time(effort.measure)
        .nresamples(2_000)
        .without_plots()
}

/// Times `call`, which says how long what matters of it took.
///
/// # Errors
/// The first error of a call; nothing is timed after it.
pub(crate) fn samples(
    criterion: &mut Criterion,
    effort: Effort,
    id: &str,
    mut call: impl FnMut() -> Result<Duration, String>,
) -> Result<Summary, String> {
    let began = Instant::now();
    call()?;
    while began.elapsed() < effort.warm_up {
        call()?;
    }
    let before = steady();
    let (mut samples, mut failed) = (Vec::new(), None);
    let (group, name) = id.rsplit_once('/').unwrap_or(("bench", id));
    quietly(|| {
        let mut group = criterion.benchmark_group(group);
        group.sampling_mode(SamplingMode::Flat);
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut total = Duration::ZERO;
                for _ in 0..iterations {
                    if failed.is_some() {
                        return Duration::from_nanos(1);
                    }
                    match call() {
                        Ok(elapsed) => {
                            samples.push(elapsed.as_secs_f64());
                            total += elapsed;
                        }
                        Err(error) => failed = Some(error),
                    }
                }
                total.max(Duration::from_nanos(1))
            });
        });
        group.finish();
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(Summary::of(&samples, drift(before))),
    }
}

/// Seconds of a fixed piece of arithmetic: best of a few, so that an interruption does not count but a slower clock or
/// a busy neighbour does.
pub(crate) fn steady() -> f64 {
    (0..5)
        .map(|_| {
            let start = Instant::now();
            let mut x = black_box(1.000_000_1_f64);
            for _ in 0..200_000 {
                x = x * 1.000_000_1 + 1e-9;
            }
            black_box(x);
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

/// How far the machine is from what it was at an earlier [`steady`], relative.
pub(crate) fn drift(before: f64) -> f64 {
    (steady() / before - 1.0).abs()
}
