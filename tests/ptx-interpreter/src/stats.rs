//! What a launch executed and moved.

use std::collections::BTreeMap;

/// Counters of one instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Count {
    /// Times that a warp executed it.
    pub warps: u64,
    /// Lanes that took part, summed.
    pub lanes: u64,
    /// Bytes read or written in global memory.
    pub global_bytes: u64,
    /// Bytes read or written in shared memory.
    pub shared_bytes: u64,
    /// Bytes read or written in local, constant and parameter memory.
    pub other_bytes: u64,
    /// Warp-wide requests to shared memory (detail mode).
    pub shared_requests: u64,
    /// Passes that those requests take with 32 banks of 4 bytes (detail mode).
    pub wavefronts: u64,
    /// Passes that they would take without bank conflicts (detail mode).
    pub ideal_wavefronts: u64,
    /// Warp-wide requests to global memory (detail mode).
    pub global_requests: u64,
    /// 32-byte sectors that they touch (detail mode).
    pub sectors: u64,
    /// Sectors that the same bytes would take if they were contiguous (detail mode).
    pub ideal_sectors: u64,
}

impl Count {
    /// Adds another count.
    pub fn add(&mut self, o: &Self) {
        let pairs: [(&mut u64, u64); 11] = [
            (&mut self.warps, o.warps),
            (&mut self.lanes, o.lanes),
            (&mut self.global_bytes, o.global_bytes),
            (&mut self.shared_bytes, o.shared_bytes),
            (&mut self.other_bytes, o.other_bytes),
            (&mut self.shared_requests, o.shared_requests),
            (&mut self.wavefronts, o.wavefronts),
            (&mut self.ideal_wavefronts, o.ideal_wavefronts),
            (&mut self.global_requests, o.global_requests),
            (&mut self.sectors, o.sectors),
            (&mut self.ideal_sectors, o.ideal_sectors),
        ];
        for (a, b) in pairs {
            *a += b;
        }
    }
}

/// Statistics of one launch.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Per opcode, as the PTX spells it without guard and operands.
    pub by_opcode: BTreeMap<String, Count>,
    /// Per source line, where the module carries line information.
    pub by_line: BTreeMap<(String, u32), Count>,
    /// Everything.
    pub total: Count,
}

impl Stats {
    pub(crate) fn new(program: &crate::isa::Program, counts: &[Count]) -> Self {
        let mut out = Self::default();
        for (site, count) in program.sites.iter().zip(counts) {
            let words = site.instruction.split_whitespace();
            let opcode = words.into_iter().find(|w| !w.starts_with('@')).unwrap_or_default();
            out.by_opcode.entry(opcode.to_string()).or_default().add(count);
            if let Some(line) = &site.source {
                out.by_line.entry(line.clone()).or_default().add(count);
            }
            out.total.add(count);
        }
        out
    }

    /// Sum over the opcodes that start with `prefix`.
    #[must_use]
    pub fn of(&self, prefix: &str) -> Count {
        let mut sum = Count::default();
        for (_, c) in self.by_opcode.iter().filter(|(name, _)| name.starts_with(prefix)) {
            sum.add(c);
        }
        sum
    }
}

/// Passes of one shared-memory request, and the least possible. A pass serves 32 banks of one word each; requests of
/// 8 and 16 bytes a lane are served by halves and quarters of a warp.
pub(crate) fn shared_wavefronts(at: impl Iterator<Item = u64>, bytes: u32) -> (u64, u64) {
    let phase_lanes = (128 / bytes.max(4)) as usize;
    let at: Vec<u64> = at.collect();
    let (mut passes, mut ideal) = (0, 0);
    for lanes in at.chunks(phase_lanes.max(1)) {
        let words = u64::from(bytes.div_ceil(4));
        let mut touched: Vec<u64> = lanes.iter().flat_map(|a| (0..words).map(move |w| a / 4 + w)).collect();
        touched.sort_unstable();
        touched.dedup();
        let mut banks = [0u64; 32];
        for w in touched {
            banks[(w % 32) as usize] += 1;
        }
        passes += banks.into_iter().max().unwrap_or(0);
        ideal += 1;
    }
    (passes, ideal)
}

/// 32-byte sectors of one global request, and the number that its distinct bytes would fill.
pub(crate) fn sectors(at: impl Iterator<Item = u64>, bytes: u32) -> (u64, u64) {
    let at: Vec<u64> = at.collect();
    let distinct = |size: u64| {
        let mut v: Vec<u64> = at.iter().flat_map(|a| a / size..=(a + u64::from(bytes) - 1) / size).collect();
        v.sort_unstable();
        v.dedup();
        v.len() as u64
    };
    (distinct(32), (distinct(1)).div_ceil(32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bank_conflicts_of_known_patterns() {
        let row = |stride: u64| (0..32).map(move |l| l * stride);
        assert_eq!(shared_wavefronts(row(4), 4), (1, 1), "consecutive words");
        assert_eq!(shared_wavefronts(row(8), 4), (2, 1), "every second word");
        assert_eq!(shared_wavefronts(row(128), 4), (32, 1), "one bank");
        assert_eq!(shared_wavefronts(row(132), 4), (1, 1), "padded rows");
        assert_eq!(shared_wavefronts((0..32).map(|_| 64), 4), (1, 1), "broadcast");
        assert_eq!(shared_wavefronts(row(16), 16), (4, 4), "vectors");
        assert_eq!(shared_wavefronts(row(64), 16), (16, 4), "rows of 64 bytes");
    }

    #[test]
    fn sectors_of_known_patterns() {
        assert_eq!(sectors((0..32).map(|l| l * 4), 4), (4, 4));
        assert_eq!(sectors((0..32).map(|l| 4 + l * 4), 4), (5, 4), "shifted by a word");
        assert_eq!(sectors((0..32).map(|l| l * 4096), 4), (32, 4), "a column");
        assert_eq!(sectors((0..32).map(|l| l * 16), 16), (16, 16));
    }
}
