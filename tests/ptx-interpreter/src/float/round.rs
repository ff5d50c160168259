//! Rounding of exact results.
//!
//! Sums and products of `f32` are formed in `f64`. A product of two `f32` is exact there. A sum may not be, so it is
//! rounded *to odd*: an inexact result takes the neighbour whose last bit is one. Rounding such a value again to a
//! format with at least two bits less gives the same as one rounding of the exact value, in every mode.

/// Rounding modes of PTX (`.rn`, `.rz`, `.rm`, `.rp`, and `.rna` of `cvt` to tf32).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// To nearest, ties to even.
    Nearest,
    /// To nearest, ties away from zero.
    NearestAway,
    /// Toward zero.
    Zero,
    /// Toward minus infinity.
    Down,
    /// Toward plus infinity.
    Up,
}

/// `x + y`, rounded to odd. Error-free for finite operands whose sum does not overflow `f64`.
pub(crate) fn sum_odd(x: f64, y: f64) -> f64 {
    let s = x + y;
    if !s.is_finite() {
        return s;
    }
    // Knuth's two-sum: `e` is the exact error of `s`.
    let v = s - x;
    let e = (x - (s - v)) + (y - v);
    if e == 0.0 || s.to_bits() & 1 == 1 {
        return s;
    }
    let away = (e > 0.0) == (s > 0.0);
    f64::from_bits(if away { s.to_bits() + 1 } else { s.to_bits() - 1 })
}

/// `x` as `f32` in the given mode; overflow goes where the mode says.
pub(crate) fn narrow(x: f64, round: Round) -> f32 {
    let y = x as f32;
    if x.is_nan() || f64::from(y) == x {
        return y;
    }
    match round {
        Round::Nearest | Round::NearestAway => y,
        Round::Zero if f64::from(y).abs() > x.abs() => {
            if y > 0.0 {
                y.next_down()
            } else {
                y.next_up()
            }
        }
        Round::Down if f64::from(y) > x => y.next_down(),
        Round::Up if f64::from(y) < x => y.next_up(),
        _ => y,
    }
}

/// `x` to an integral value.
pub(crate) fn integral(x: f64, round: Round) -> f64 {
    match round {
        Round::Nearest => x.round_ties_even(),
        Round::NearestAway => x.round(),
        Round::Zero => x.trunc(),
        Round::Down => x.floor(),
        Round::Up => x.ceil(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Round, narrow, sum_odd};

    #[test]
    fn odd_sums_round_once() {
        // 1 + 2^-24 + 2^-60: above the tie, so it rounds up; a plain f64 sum would lose the last term.
        let (tie, dust) = (1.0 + 2f64.powi(-24), 2f64.powi(-60));
        assert_eq!(narrow(tie + dust, Round::Nearest), 1.0, "the plain sum must show the slip");
        assert_eq!(narrow(sum_odd(tie, dust), Round::Nearest), 1.0f32.next_up());
        assert_eq!(narrow(sum_odd(tie, -dust), Round::Nearest), 1.0);
        assert_eq!(narrow(sum_odd(-tie, -dust), Round::Nearest), -1.0f32.next_up());
    }

    #[test]
    fn directed_modes_bracket_the_value() {
        let x = 0.1f64;
        let (down, up) = (narrow(x, Round::Down), narrow(x, Round::Up));
        assert_eq!(down.next_up(), up);
        assert!(f64::from(down) < x && x < f64::from(up));
        assert_eq!(narrow(x, Round::Zero), down);
        assert_eq!(narrow(-x, Round::Zero), -down);
        assert_eq!(narrow(1e300, Round::Zero), f32::MAX);
        assert_eq!(narrow(1e300, Round::Nearest), f32::INFINITY);
        assert_eq!(narrow(-1e-300, Round::Down), -f32::from_bits(1));
    }
}
