//! CUDA kernels one by one, by the device's own events, the whole graph beside them, and what the device can copy.
//! The other backends' kernels are in `steps`: inside whole calls.

use maskrank::Backend;

use super::Planned;
use crate::bench::{Session, Target};

/// Numbers of candidates.
const SIZES: [usize; 2] = [1, crate::bench::subject::CANDIDATES];

fn id(target: &Target, candidates: usize) -> String {
    format!("kernels/{}/n{candidates}", target.name())
}

pub(super) fn plan(session: &Session, targets: &[Target]) -> Vec<Planned> {
    let targets = targets.iter().filter(|target| target.backend == Backend::Cuda);
    let ids = targets.flat_map(|target| SIZES.map(|candidates| id(target, candidates)));
    ids.filter(|id| session.arguments.wants(id)).map(|id| Planned::new(id, 2.0)).collect()
}

pub(super) fn run(session: &mut Session, targets: &[Target]) -> Result<(), String> {
    for target in targets.iter().filter(|target| target.backend == Backend::Cuda) {
        let wanted = SIZES.into_iter().filter(|&n| session.arguments.wants(&id(target, n)));
        let wanted: Vec<usize> = wanted.collect();
        if wanted.is_empty() {
            continue;
        }
        if let Err(reason) = device::rows(session, target, &wanted) {
            session.refuse(format!("kernels of {}: {reason}", target.name()));
        }
    }
    Ok(())
}

#[cfg(not(feature = "cuda"))]
mod device {
    use super::{Session, Target};

    pub(super) fn rows(_: &mut Session, _: &Target, _: &[usize]) -> Result<(), String> {
        Err("this build has no CUDA backend".to_owned())
    }
}

#[cfg(feature = "cuda")]
mod device {
    use std::sync::Arc;

    use maskrank::cuda_timing::Timing;
    use maskrank::{Device, Split};
    use maskrank_rows::{Limit, Row, Summary};

    use super::{Session, Target};
    use crate::bench::groups;

    const SAMPLES: usize = 20;
    /// Bytes of a copy: far more than any cache.
    const COPY_BYTES: usize = 1 << 30;

    pub(super) fn rows(session: &mut Session, target: &Target, sizes: &[usize]) -> Result<(), String> {
        let text = |error: maskrank::Error| error.to_string();
        let (quality, device) = groups::quality(session, target)?;
        let largest = sizes.iter().copied().max().unwrap_or(1);
        let mut timing = Timing::new(&session.case.model, target.precision, largest).map_err(text)?;
        if session.limits.device.is_empty() {
            for copy in timing.copies(COPY_BYTES, SAMPLES).map_err(text)? {
                let value = copy.bytes / maskrank_rows::statistics::quantile(&copy.seconds, 0.5);
                let (name, how) = (copy.name.replace('_', " "), "device events, 1 GiB, pinned, median");
                session.limits.device.push(Limit {
                    name: format!("{}: {name}", device.name),
                    threads: 0,
                    value,
                    unit: "B/s".into(),
                    how: how.into(),
                });
            }
            for start in timing.starts(10 * SAMPLES).map_err(text)? {
                session.limits.device.push(Limit {
                    name: format!("{}: {}", device.name, start.name.replace('_', " ")),
                    threads: 0,
                    value: maskrank_rows::statistics::quantile(&start.seconds, 0.5),
                    unit: "s".into(),
                    how: "one small kernel: the host's clock around a graph of it, the device's of one more in a graph"
                        .into(),
                });
            }
        }
        let inputs = Arc::clone(&session.inputs);
        for &candidates in sizes {
            let scores = timing.score(inputs.request(0, candidates, &Split::default())).map_err(text)?;
            if !scores.iter().all(|score| score.is_finite()) {
                return Err(format!("{candidates} candidates: a score is no number"));
            }
            for kernel in timing.kernels(candidates, SAMPLES).map_err(text)? {
                let id = format!("{}/{}/n{candidates}_b{}", kernel.entry, target.name(), kernel.blocks);
                let row = row(session, &id, &device, &kernel.seconds);
                let mut row = row.rated(candidates, kernel.flops, kernel.bytes);
                // A step of several launches has no FLOPs of its own.
                if kernel.flops > 0.0 {
                    session.share_of_gpu(&mut row, target.precision, (kernel.flops, kernel.bytes));
                }
                session.push(quality.fill(row))?;
            }
            // From starting the graph to its end, features resident: at one candidate mostly what starting costs.
            let seconds = timing.graph(candidates, SAMPLES).map_err(text)?;
            let row = row(session, &format!("graph/{}/n{candidates}", target.name()), &device, &seconds);
            let bytes = (session.cost.weights * target.weight_bytes()) as f64;
            let flops = session.cost.flops * candidates as f64;
            let mut row = row.rated(candidates, flops, bytes);
            session.share_of_gpu(&mut row, target.precision, (flops, bytes));
            session.push(quality.fill(row))?;
        }
        Ok(())
    }

    fn row(session: &Session, id: &str, device: &Device, seconds: &[f64]) -> Row {
        let mut row = session.row(id, device).timed(&Summary::of(seconds, 0.0));
        // Sorted by the device's clock: nothing is known of their order, so nothing of their drift.
        row.noise = None;
        row.kind = "kernel".to_owned();
        row
    }
}
