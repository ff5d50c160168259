//! Scoring what lies in a GPU's memory already, in the caller's stream.

use crate::backend::{DeviceBatch, DeviceCall, DeviceOutputs, DeviceSlice, DeviceStream, ElementType};
use crate::config::Widths;
use crate::{Error, Result};

use super::{ScoreFrom, ScoreOptions, Scorer};

impl Scorer {
    /// Starts scoring a batch that lies in device memory, and comes back before it is done: whoever reads the outputs
    /// does so in the same stream, or waits for it. Nothing is copied and nothing is allocated; batches that are
    /// enqueued on one scorer run side by side as far as it has places.
    ///
    /// `options` gives the score weights and what makes the score; what is computed besides is what `outputs` has
    /// memory for. Top k is not.
    ///
    /// # Errors
    /// [`Error::Unsupported`] on backends other than CUDA; [`Error::Argument`] and [`Error::Batch`] for memory of
    /// another device, a type or a length that does not fit; [`Error::TooManyCandidates`]; [`Error::Device`] when the
    /// device fails. A kernel that fails later is an error of the stream, and of the next call here.
    pub fn enqueue(
        &self,
        batch: &DeviceBatch,
        options: &ScoreOptions<'_>,
        outputs: &DeviceOutputs,
        stream: DeviceStream,
    ) -> Result<()> {
        self.check_weights(options.weights)?;
        self.check_device_batch(batch)?;
        check_outputs(outputs, batch.candidates, self.tasks.len())?;
        if options.outputs.top_k > 0 {
            return Err(Error::Argument {
                argument: "options.outputs.top_k",
                expected: "0: top k is for scores on the host".into(),
                found: options.outputs.top_k.to_string(),
            });
        }
        let call = DeviceCall {
            batch,
            outputs,
            weights: options.weights,
            calibrated: options.from == ScoreFrom::Calibrated,
            stream,
        };
        // The place that was given back the longest ago: what was enqueued there is the most likely to be done.
        self.places.take_oldest().lane.enqueue(&call)
    }

    fn check_device_batch(&self, batch: &DeviceBatch) -> Result<()> {
        let (max, found) = (self.max_candidates, batch.candidates);
        if found > max {
            return Err(Error::TooManyCandidates { max, found });
        }
        let once = self.split.request_widths(self.widths);
        let each = self.split.candidate_widths(self.widths);
        let parts =
            [("request", &batch.request, once, batch.requests), ("candidate", &batch.candidate, each, found)];
        let (features, binary) = (batch.feature_element(), batch.binary_element());
        for (part, columns, widths, rows) in parts {
            for (index, ((name, slice), width)) in columns.named().into_iter().zip(all(widths)).enumerate() {
                let is_binary = index == 1;
                let allowed: &[ElementType] = match is_binary {
                    true => &[ElementType::U8, ElementType::Bits, ElementType::F32],
                    false => &[ElementType::F32, ElementType::Bf16, ElementType::F16],
                };
                let element = if is_binary { binary } else { features };
                if !slice.is_empty() && (!allowed.contains(&slice.element()) || slice.element() != element) {
                    return Err(Error::Argument {
                        argument: name,
                        expected: format!("one type in the whole batch, one of {allowed:?}"),
                        found: format!("{:?} beside {element:?}", slice.element()),
                    });
                }
                let stride = match element {
                    ElementType::Bits if is_binary => width.div_ceil(8),
                    _ => width,
                };
                check_length(format!("{part}.{name} (rows {rows}, {name} {width})"), slice, rows * stride)?;
            }
        }
        let table = batch.candidate_request;
        if !table.is_empty() && table.element() != ElementType::U32 {
            return Err(Error::Argument {
                argument: "candidate_request",
                expected: "U32".into(),
                found: format!("{:?}", table.element()),
            });
        }
        // One request needs no table.
        let expected = if batch.requests > 1 || !table.is_empty() { found } else { 0 };
        if batch.requests == 0 && found > 0 {
            return Err(Error::Argument {
                argument: "requests",
                expected: "at least 1 for a batch with candidates".into(),
                found: "0".into(),
            });
        }
        check_length("candidate_request (candidates)".into(), table, expected)
    }
}

fn all(widths: Widths) -> [usize; 5] {
    let [user, user_eng, author] = widths.embeddings();
    [widths.continuous, widths.binary, user, user_eng, author]
}

fn check_length(operand: String, slice: DeviceSlice, expected: usize) -> Result<()> {
    if slice.len() == expected {
        return Ok(());
    }
    Err(Error::Batch {
        request: 0,
        operand,
        expected: format!("{expected} elements"),
        found: slice.len().to_string(),
    })
}

fn check_outputs(outputs: &DeviceOutputs, candidates: usize, tasks: usize) -> Result<()> {
    let all = [
        ("outputs.scores", outputs.scores, candidates, ElementType::F32),
        ("outputs.statuses", outputs.statuses, candidates, ElementType::U32),
        ("outputs.logits", outputs.logits, candidates * tasks, ElementType::F32),
        ("outputs.probabilities", outputs.probabilities, candidates * tasks, ElementType::F32),
        (
            "outputs.calibrated_probabilities",
            outputs.calibrated_probabilities,
            candidates * tasks,
            ElementType::F32,
        ),
    ];
    for (argument, slice, expected, element) in all.into_iter().filter(|(_, slice, _, _)| !slice.is_empty()) {
        if slice.element() != element {
            return Err(Error::Argument {
                argument,
                expected: format!("{element:?}"),
                found: format!("{:?}", slice.element()),
            });
        }
        check_length(argument.to_owned(), slice, expected)?;
    }
    Ok(())
}
