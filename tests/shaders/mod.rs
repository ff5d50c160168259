//! The trials, and what they share.

mod device;
mod failing;
mod faults;
mod gemm;
mod rows;

use std::path::PathBuf;

use maskrank::Precision;
use maskrank::golden::Case;
use maskrank::wgpu_testing::TestDevice;

pub(crate) use failing::{CHILD, child};

/// A check of one variant, and its name.
type Check = (&'static str, fn(&TestDevice, Precision));

/// A trial's name and what it runs.
pub(crate) type Named = (String, Box<dyn FnOnce() + Send>);

pub(crate) fn trials() -> Vec<Named> {
    let mut trials: Vec<Named> = Vec::new();
    for precision in super::PRECISIONS {
        for variant in super::variants(precision) {
            let checks: [Check; 6] = [
                ("gemm_edges", gemm::edges),
                ("layer_norm_edges", rows::layer_norm),
                ("log_1p", rows::log_1p),
                ("sigmoid", rows::sigmoid),
                ("golden_cases", device::golden),
                ("self_test", device::self_test),
            ];
            let name = format!("{precision}: {variant}");
            trials.push((
                name,
                Box::new(move || {
                    let device = TestDevice::open(precision, &variant, None).unwrap();
                    for (check, run) in checks {
                        // Printed only when the trial fails.
                        println!("{check}");
                        run(&device, precision);
                    }
                }),
            ));
        }
    }
    trials.extend(device::trials());
    trials.extend(failing::trials());
    trials.extend(faults::trials());
    trials
}

pub(crate) fn open(name: &str) -> Result<Case, String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    Case::open(&folder).map_err(|error| error.to_string())
}

/// Half a unit in the last place, relative, of a storage type: how far one rounding may be off.
pub(crate) fn unit(precision: Precision) -> f64 {
    match precision {
        // With SHADER_F16 a store may round in either direction.
        Precision::F16 => 2f64.powi(-10),
        Precision::Bf16 => 2f64.powi(-8),
        _ => 2f64.powi(-24),
    }
}

/// Absolute error of a store near zero: halves below 2^-14 are multiples of 2^-24, and a device may flush what f32
/// and bf16 hold below 2^-126.
pub(crate) fn floor(precision: Precision) -> f64 {
    if precision == Precision::F16 { 2f64.powi(-24) } else { 2f64.powi(-126) }
}

/// Rounding of one f32 operation.
pub(crate) const F32: f64 = f32::EPSILON as f64 / 2.0;

/// A generator for test data: splitmix64, as numbers in [−1, 1).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn signed(&mut self) -> f64 {
        (self.next() >> 40) as f64 / f64::from(1 << 23) - 1.0
    }

    /// Values that a device's storage type holds exactly.
    pub(crate) fn stored(&mut self, device: &TestDevice, count: usize) -> Vec<f64> {
        (0..count).map(|_| device.rounded(self.signed())).collect()
    }
}
