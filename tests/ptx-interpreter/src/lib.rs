//! Executes the PTX of CUDA kernels on a CPU, with race and hazard detection, for tests without a GPU.
//!
//! A [`Module`] is parsed from the PTX text that the compiler emits; a [`Launch`] runs one of its entries over the
//! buffers of a [`Gpu`]. What a correct kernel never does (a race, a read of unwritten memory, an access out of
//! bounds, a barrier that not all threads reach) ends the launch with a [`Fault`] that names the place.
//!
//! ```
//! use maskrank_ptx::{Arg, Gpu, Launch, Module};
//!
//! let module = Module::parse(
//!     ".version 8.0
//!      .target sm_80
//!      .address_size 64
//!      .visible .entry double(.param .u64 x, .param .u64 y) {
//!          .reg .b32 %r<4>; .reg .b64 %rd<4>;
//!          ld.param.u64 %rd0, [x];
//!          ld.param.u64 %rd1, [y];
//!          mov.u32 %r0, %tid.x;
//!          mad.wide.u32 %rd2, %r0, 4, %rd0;
//!          mad.wide.u32 %rd3, %r0, 4, %rd1;
//!          ld.global.f32 %r1, [%rd2];
//!          add.f32 %r2, %r1, %r1;
//!          st.global.f32 [%rd3], %r2;
//!          ret;
//!      }",
//! )?;
//! let mut gpu = Gpu::new();
//! let (x, y) = (gpu.input("x", &[1.0f32, 2.5, -3.0]), gpu.output::<f32>("y", 3));
//! let launch = Launch::new(&module, "double").arg(Arg::Buffer(x)).arg(Arg::Buffer(y));
//! launch.clone().block([3, 1, 1]).run(&mut gpu)?;
//! assert_eq!(gpu.read::<f32>(y), [2.0, 5.0, -6.0]);
//!
//! // A fourth thread would read past the end of `x`.
//! let error = launch.block([4, 1, 1]).run(&mut gpu).unwrap_err();
//! assert!(error.to_string().contains("out of bounds of `x` with 12 bytes"), "{error}");
//! # Ok::<(), maskrank_ptx::Error>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod fault;
mod float;
mod harness;
mod isa;
mod lower;
mod machine;
mod memory;
mod stats;
mod syntax;
mod tensor;

pub use error::{Error, Result};
pub use fault::{Fault, FaultKind, Hazard, Site, Space};
pub use harness::{Arg, EntryInfo, Gpu, Kernels, Launch, Module, Padding, Plain, Struct};
pub use memory::BufferId;
pub use stats::{Count, Stats};
