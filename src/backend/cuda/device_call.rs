//! A batch in device memory as a launch takes it, and the check that the memory is this GPU's.

use crate::backend::staged::{BinaryType, FeatureType};
use crate::backend::{DeviceBatch, DeviceCall, DeviceOutputs, DeviceSlice, ElementType};
use crate::{Error, Result};

use super::executor::CudaExecutor;
use super::layout::Region;
use super::program::{Feed, FeedColumns, HeadOutputs, Place, Program};

/// Whether every address is memory of the scorer's GPU, and aligned to its elements.
///
/// # Errors
/// [`Error::Argument`] that names the operand and says what memory it is.
pub(super) fn check(call: &DeviceCall<'_>, executor: &CudaExecutor) -> Result<()> {
    let most = executor.program.max_candidates();
    if executor.program.has_once() && call.batch.requests > most {
        return Err(Error::Argument {
            argument: "requests",
            expected: format!(
                "at most {most}, the scorer's max_candidates, where its split is given once a request"
            ),
            found: call.batch.requests.to_string(),
        });
    }
    let found = &executor.gpu.found;
    for (argument, slice) in call.operands().filter(|(_, slice)| !slice.is_empty()) {
        let wrong = |expected: String, found: String| Err(Error::Argument { argument, expected, found });
        if let Err(what) = executor.gpu.check_address(slice.address())? {
            return wrong(format!("memory of {} (device {})", found.name, found.ordinal), what);
        }
        let bytes = slice.element().bytes() as u64;
        if slice.address() % bytes != 0 {
            return wrong(
                format!("an address that is a multiple of {bytes}"),
                format!("{:#x}", slice.address()),
            );
        }
    }
    Ok(())
}

/// The first launch's inputs. Types were compared.
pub(super) fn feed(batch: &DeviceBatch, executor: &CudaExecutor, status: u64) -> Feed {
    let widths = executor.program.plan().widths;
    let binary = match batch.binary_element() {
        ElementType::Bits => BinaryType::Bits,
        ElementType::U8 => BinaryType::Bytes,
        _ => BinaryType::Numbers,
    };
    let features = match batch.feature_element() {
        ElementType::Bf16 => FeatureType::Bf16,
        ElementType::F16 => FeatureType::F16,
        _ => FeatureType::F32,
    };
    let strides = |widths: crate::config::Widths| {
        let [user, user_eng, author] = widths.embeddings();
        [widths.continuous, binary.stride(widths.binary), user, user_eng, author]
    };
    let (each, once) =
        (strides(executor.split.candidate_widths(widths)), strides(executor.split.request_widths(widths)));
    let (candidate, request) = (batch.candidate.named(), batch.request.named());
    let mut columns = [FeedColumns::default(); 5];
    for (index, out) in columns.iter_mut().enumerate() {
        *out = FeedColumns {
            candidate: candidate[index].1.address(),
            request: request[index].1.address(),
            candidate_stride: each[index],
            request_stride: once[index],
        };
    }
    Feed {
        features,
        binary,
        columns,
        candidate_request: batch.candidate_request.address(),
        candidates: batch.candidates,
        requests: if batch.candidates > 0 { batch.requests } else { 0 },
        status,
    }
}

/// Where the last launch writes: the caller's memory, or the lane's for what has to be written somewhere.
pub(super) fn outputs(outputs: &DeviceOutputs, program: &Program, place: Place) -> HeadOutputs {
    let or = |slice: DeviceSlice, own: Region| match slice.is_empty() {
        true => own.at(place.lane),
        false => slice.address(),
    };
    let per_task = [outputs.logits, outputs.probabilities, outputs.calibrated_probabilities];
    HeadOutputs {
        status: or(outputs.statuses, program.lane.status),
        score: or(outputs.scores, program.lane.score),
        // An absent one has address 0, which the kernel takes for none.
        per_task: per_task.map(|slice| if slice.is_empty() { 0 } else { slice.address() }),
    }
}
