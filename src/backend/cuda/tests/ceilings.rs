//! The ceilings as benches measure them, on the driver double: its times mean nothing; that everything runs and is counted
//! is what is tested.

use crate::Precision;
use crate::backend::cuda::ceilings::Ceilings;

const SAMPLES: usize = 2;

#[test]
fn every_ceiling_is_measured() {
    let ceilings = Ceilings::open(1, SAMPLES).unwrap();
    assert!(!ceilings.title().is_empty());
    for precision in [Precision::F32, Precision::Tf32, Precision::Bf16, Precision::F16] {
        let found = ceilings.multiply(precision).unwrap();
        assert_eq!(found.entry, format!("ceiling_multiply_{precision}"));
        assert!(found.flops > 0.0 && found.bytes == 0.0 && is_times(&found.seconds), "{found:?}");
    }
    for bytes in [1, 100_000] {
        let found = ceilings.read(bytes).unwrap();
        assert_eq!(found.entry, "ceiling_read");
        // Whole blocks of 32 KiB.
        assert_eq!(found.bytes, bytes.next_multiple_of(32 << 10) as f64);
        assert!(found.flops == 0.0 && is_times(&found.seconds), "{found:?}");
    }
}

fn is_times(seconds: &[f64]) -> bool {
    let is_time = |time: &f64| time.is_finite() && *time >= 0.0;
    seconds.len() == SAMPLES && seconds.iter().all(is_time) && seconds.is_sorted()
}
