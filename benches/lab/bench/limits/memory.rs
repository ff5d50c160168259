//! Bandwidth: wide loads over a region on huge pages, each thread its own part.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use memmap2::MmapMut;

/// Rounds of which the best counts: at least so many, and at least two passes over the whole region.
const ROUNDS: usize = 8;
/// About what a thread moves in a round, in one window of its part or in several passes over a smaller part: less than
/// a millisecond.
const SHORT: usize = 16 << 20;
const LINE: usize = 64;

/// Bytes/s that `threads` read from a region of `bytes` together.
pub(super) fn read(threads: usize, bytes: usize) -> f64 {
    let Some(mut region) = region(bytes) else { return f64::NAN };
    let mut best = 0.0f64;
    for streams in [1, 2, 4, 8] {
        for ahead in [0, 16, 32] {
            best = best.max(passes(threads, &mut region, bytes, &|part| sum_lines(part, streams, ahead)));
        }
    }
    best
}

/// Bytes/s moved (read and written) by copying one half of a region of `bytes` to the other.
pub(super) fn copy(threads: usize, bytes: usize) -> f64 {
    let Some(mut region) = region(bytes) else { return f64::NAN };
    passes(threads, &mut region, bytes, &|part| {
        let (from, to) = part.split_at_mut(part.len() / 2);
        to[..from.len()].copy_from_slice(from);
        std::hint::black_box(part);
    })
}

/// A region filled with something, or nothing where there is no memory for it.
fn region(bytes: usize) -> Option<MmapMut> {
    let mut region = MmapMut::map_anon(bytes.next_multiple_of(2 << 20) + (2 << 20)).ok()?;
    #[cfg(target_os = "linux")]
    {
        // Advice: small pages work too.
        let _refused = region.advise(memmap2::Advice::HugePage);
    }
    region.fill(1);
    Some(region)
}

/// Bytes/s of all threads together, each on its own part: the best round. A round is short, so that on a busy machine some
/// of them are not interrupted; it begins when all threads are there and ends when the last one is done.
fn passes(threads: usize, region: &mut MmapMut, bytes: usize, work: &(dyn Fn(&mut [u8]) + Sync)) -> f64 {
    let start = region.as_ptr().align_offset(2 << 20);
    let part = (bytes / threads / LINE * LINE).max(LINE);
    let (window, repeats) = (part.min(SHORT), (SHORT / part).max(1));
    let rounds = ROUNDS.max(2 * (part / window));
    let barrier = Barrier::new(threads);
    let began = Instant::now();
    let times: Vec<Vec<(Duration, Duration)>> = std::thread::scope(|scope| {
        let handles: Vec<_> = region[start..]
            .chunks_exact_mut(part)
            .take(threads)
            .map(|own| {
                let barrier = &barrier;
                scope.spawn(move || {
                    work(own);
                    let mut times = Vec::new();
                    for round in 0..rounds {
                        let first = round % (part / window) * window;
                        barrier.wait();
                        let from = began.elapsed();
                        (0..repeats).for_each(|_| work(&mut own[first..first + window]));
                        times.push((from, began.elapsed()));
                    }
                    times
                })
            })
            .collect();
        handles.into_iter().map(|handle| handle.join().expect("reading does not fail")).collect()
    });
    let moved = (window * repeats * threads) as f64;
    let rate = |round: usize| {
        let from = times.iter().map(|times| times[round].0).min().unwrap_or_default();
        let to = times.iter().map(|times| times[round].1).max().unwrap_or_default();
        moved / (to - from).as_secs_f64()
    };
    (0..rounds).map(rate).fold(0.0, f64::max)
}

/// Reads every line, `streams` parts side by side, fetching `ahead` lines before each.
fn sum_lines(part: &[u8], streams: usize, ahead: usize) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has AVX-512 F.
        unsafe { wide(part, streams, ahead) };
        return;
    }
    let _ = (streams, ahead);
    let mut sums = [0u64; 32];
    for chunk in part.chunks_exact(256) {
        for (sum, value) in sums.iter_mut().zip(chunk.chunks_exact(8)) {
            *sum = sum.wrapping_add(u64::from_le_bytes(value.try_into().unwrap_or_default()));
        }
    }
    std::hint::black_box(sums);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn wide(part: &[u8], streams: usize, ahead: usize) {
    use std::arch::x86_64::{
        _MM_HINT_T0, _mm_prefetch, _mm512_loadu_si512, _mm512_reduce_or_epi64, _mm512_setzero_si512,
        _mm512_xor_si512,
    };
    const UNROLL: usize = 4;
    let stream = part.len() / streams / (UNROLL * LINE) * (UNROLL * LINE);
    let mut sums = [_mm512_setzero_si512(); UNROLL];
    for at in (0..stream).step_by(UNROLL * LINE) {
        for index in 0..streams {
            let base = index * stream + at;
            for (lane, sum) in sums.iter_mut().enumerate() {
                // SAFETY: base + 4 lines is inside the stream, the stream inside the part; fetching ahead may point
                // anywhere.
                unsafe {
                    let line = part.as_ptr().add(base + lane * LINE);
                    if ahead > 0 {
                        _mm_prefetch::<_MM_HINT_T0>(line.wrapping_add(ahead * LINE).cast());
                    }
                    *sum = _mm512_xor_si512(*sum, _mm512_loadu_si512(line.cast()));
                }
            }
        }
    }
    let all = sums.into_iter().fold(_mm512_setzero_si512(), |a, b| _mm512_xor_si512(a, b));
    std::hint::black_box(_mm512_reduce_or_epi64(all));
}
