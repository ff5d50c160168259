//! The machine: blocks on CPU threads, warps of 32 lanes in turn, lanes in lockstep until they diverge.

mod alu;
mod barrier;
mod bits;
mod block;
mod collective;
mod compare;
mod copies;
mod flow;
mod grid;
mod int;
mod local;
mod memory;
mod regs;
mod values;
mod warp;

pub(crate) use block::Env;
pub(crate) use grid::{Grid, run};
pub(crate) use memory::{address, wrong};
pub(crate) use regs::{Exec, LANES, Regs, Row, trouble};
pub(crate) use warp::Warp;
