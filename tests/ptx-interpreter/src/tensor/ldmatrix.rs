//! `ldmatrix`, `stmatrix` and `movmatrix`: 8x8 matrices of 16-bit elements, a row of 16 bytes from each of eight lanes.

use super::fragments::{ldmatrix, ldmatrix_address_lane};
use crate::fault::Space;
use crate::isa::{Matrix, Op, W};
use crate::machine::{Env, Exec, LANES, Row, Warp, address, trouble, wrong};

/// Rows and columns of one matrix.
const SIDE: usize = 8;
/// Bytes of one row.
const ROW: u32 = 16;

/// The elements of an 8x8 matrix, two to a word.
type Elements = [[u32; SIDE / 2]; SIDE];

fn get(m: &Elements, (r, c): (usize, usize)) -> u32 {
    m[r][c / 2] >> (16 * (c % 2)) & 0xffff
}

/// What a lane holds of a matrix.
fn fragment(m: &Elements, transposed: bool) -> Row {
    if !transposed {
        return std::array::from_fn(|l| {
            let (r, c) = ldmatrix(l, 0, false);
            m[r][c / 2]
        });
    }
    std::array::from_fn(|l| get(m, ldmatrix(l, 0, true)) | get(m, ldmatrix(l, 1, true)) << 16)
}

/// The matrix that the lanes hold.
fn gather(row: &Row, transposed: bool) -> Elements {
    let mut m = [[0; SIDE / 2]; SIDE];
    for (l, x) in row.iter().enumerate() {
        for i in 0..2 {
            let (r, c) = ldmatrix(l, i, transposed);
            m[r][c / 2] |= (x >> (16 * i) & 0xffff) << (16 * (c % 2));
        }
    }
    m
}

impl Warp {
    pub(crate) fn matrix(&mut self, op: &Op, env: &mut Env<'_>) -> Exec<()> {
        match op {
            Op::Mma(m) => super::mma::mma(&mut self.regs, m),
            Op::LdMatrix(m) => self.load_matrix(m, env),
            Op::StMatrix(m) => self.store_matrix(m, env),
            Op::MovMatrix { d, a } => self.move_matrix(*d, *a),
            _ => Ok(()),
        }
    }

    /// Addresses of all rows; only the lanes that give one must have it.
    fn rows(&self, m: &Matrix) -> Exec<([u64; LANES], u32)> {
        let count = m.regs.len() * SIDE;
        let used = if count >= LANES { u32::MAX } else { (1 << count) - 1 };
        self.regs.require(self.regs.ok(m.addr.base), used, "a matrix row address")?;
        Ok((
            std::array::from_fn(|l| if used >> l & 1 == 1 { address(&self.regs, m.addr, l) } else { 0 }),
            used,
        ))
    }

    fn load_matrix(&mut self, m: &Matrix, env: &mut Env<'_>) -> Exec<()> {
        let (at, used) = self.rows(m)?;
        for (q, d) in m.regs.iter().enumerate() {
            let mut elements = [[0; SIDE / 2]; SIDE];
            for (r, row) in elements.iter_mut().enumerate() {
                let lane = ldmatrix_address_lane(q, r);
                let actor = self.actor(lane, env, false);
                match env.shared.load(at[lane], ROW, &actor) {
                    Ok(data) => row.copy_from_slice(&data[..SIDE / 2]),
                    Err(e) => return trouble(lane as u32, wrong(env.grid.program, Space::Shared, e)),
                }
            }
            self.regs.put_w(*d, &fragment(&elements, m.transposed), u32::MAX, u32::MAX);
        }
        env.measure(self.cur.pc, Space::Shared, &at, used, ROW);
        Ok(())
    }

    fn store_matrix(&mut self, m: &Matrix, env: &mut Env<'_>) -> Exec<()> {
        let (at, used) = self.rows(m)?;
        for (q, s) in m.regs.iter().enumerate() {
            self.regs.require(self.regs.w_ok(*s), u32::MAX, "a stored matrix")?;
            let elements = gather(self.regs.w(*s), m.transposed);
            for (r, row) in elements.iter().enumerate() {
                let lane = ldmatrix_address_lane(q, r);
                let actor = self.actor(lane, env, false);
                let mut data = [0; 8];
                data[..SIDE / 2].copy_from_slice(row);
                if let Err(e) = env.shared.store(at[lane], ROW, &data, &actor) {
                    return trouble(lane as u32, wrong(env.grid.program, Space::Shared, e));
                }
            }
        }
        env.measure(self.cur.pc, Space::Shared, &at, used, ROW);
        Ok(())
    }

    fn move_matrix(&mut self, d: W, a: W) -> Exec<()> {
        self.regs.require(self.regs.w_ok(a), u32::MAX, "a moved matrix")?;
        let row = fragment(&gather(self.regs.w(a), false), true);
        self.regs.put_w(d, &row, u32::MAX, u32::MAX);
        Ok(())
    }
}
