//! How much is measured: all of it, or next to nothing, as a rehearsal.

/// How much is measured.
pub(crate) struct Extent {
    /// Golden case whose model it is.
    pub(crate) case: &'static str,
    /// Batch sizes of the whole model.
    pub(crate) sizes: &'static [usize],
    /// Batch sizes at which kernels are looked at one by one.
    pub(crate) kernel_sizes: &'static [usize],
    pub(crate) samples: usize,
    /// Rounds of a launch that multiplies on registers.
    pub(crate) rounds: u32,
    /// Bytes of regions that are read beside those of the model's weights.
    pub(crate) read: &'static [usize],
    /// Bytes of a copy.
    pub(crate) copied: usize,
    /// Candidates and width of the wide product.
    pub(crate) wide: (usize, usize),
}

/// What is reported: copies of far more than any cache holds.
const WHOLE: Extent = Extent {
    case: "production",
    sizes: &[1, 16, 64, 256, 500, 1000, 1500, 2048, 4096, 8192, 16384],
    kernel_sizes: &[1, 1500, 8192, 16384],
    samples: 50,
    rounds: 1024,
    read: &[16 << 20, 1 << 30],
    copied: 1 << 30,
    wide: (8192, 4096),
};

/// The same code on next to nothing, to see that it runs: its times mean nothing.
const REHEARSAL: Extent = Extent {
    case: "tiny-parallel",
    sizes: &[1, 33],
    kernel_sizes: &[33],
    samples: 1,
    rounds: 1,
    read: &[1 << 16],
    copied: 1 << 16,
    wide: (17, 64),
};

impl Extent {
    /// Most candidates of a batch.
    pub(crate) fn largest(&self) -> usize {
        self.sizes.iter().chain(self.kernel_sizes).copied().max().unwrap_or(1)
    }

    /// All of it, or a rehearsal where `MASKRANK_REHEARSAL` is set.
    pub(crate) fn chosen() -> &'static Self {
        if std::env::var_os("MASKRANK_REHEARSAL").is_some() { &REHEARSAL } else { &WHOLE }
    }
}
