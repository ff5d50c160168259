//! The harness: modules, buffers, arguments, launches.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::error::{Error, Result};
use crate::isa::Program;
use crate::lower::lower;
use crate::machine::{Grid, run};
use crate::memory::{Access, BufferId, Device, address};
use crate::stats::Stats;
use crate::syntax;

/// Shared memory that a block may have, as the newest devices allow.
const MAX_SHARED: usize = 227 * 1024;
/// Threads that a block may have.
const MAX_THREADS: u32 = 1024;
/// Bytes of canary before and after a buffer that asks for them.
const CANARY: usize = 256;
/// Byte that fills canaries.
const CANARY_BYTE: u8 = 0xa5;

/// A parsed PTX module. Entries are decoded when first launched.
pub struct Module {
    tree: syntax::Module,
    programs: Mutex<BTreeMap<String, std::sync::Arc<Program>>>,
}

impl Module {
    /// Parses PTX text.
    ///
    /// # Errors
    /// If the text is not PTX as this crate reads it.
    pub fn parse(ptx: &str) -> Result<Self> {
        Ok(Self { tree: syntax::parse(ptx)?, programs: Mutex::default() })
    }

    /// Names of the entries, in the order of the text.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.tree.functions.iter().filter(|f| f.entry).map(|f| f.name.as_str())
    }

    /// The `.target` line.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.tree.target
    }

    /// The `.version` line.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.tree.version
    }

    /// Decodes an entry, which checks that every instruction is implemented.
    ///
    /// # Errors
    /// If the entry does not exist or contains an unknown instruction.
    pub fn check(&self, entry: &str) -> Result<()> {
        self.program(entry).map(|_| ())
    }

    fn program(&self, entry: &str) -> Result<std::sync::Arc<Program>> {
        let mut programs = self.programs.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(p) = programs.get(entry) {
            return Ok(p.clone());
        }
        let p = std::sync::Arc::new(lower(&self.tree, entry)?);
        programs.insert(entry.to_string(), p.clone());
        Ok(p)
    }
}

/// A plain number that can live in a buffer.
pub trait Plain: Copy {
    /// Little-endian bytes.
    fn write(self, out: &mut Vec<u8>);
    /// Reads from the front of `bytes`, which must hold enough.
    fn read(bytes: &[u8]) -> Self;
}

macro_rules! plain {
    ($($t:ty),*) => {$(
        impl Plain for $t {
            fn write(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn read(bytes: &[u8]) -> Self {
                let mut b = [0; size_of::<$t>()];
                b.copy_from_slice(&bytes[..size_of::<$t>()]);
                <$t>::from_le_bytes(b)
            }
        }
    )*};
}
plain!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);

/// What surrounds the rows of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding {
    /// Elements from one row to the next; at least the width.
    pub stride: usize,
}

struct Protected {
    buffer: BufferId,
    /// Byte ranges that no kernel may change.
    ranges: Vec<std::ops::Range<usize>>,
}

/// Device memory with the conveniences of a test.
#[derive(Default)]
pub struct Gpu {
    device: Device,
    protected: Vec<Protected>,
    globals: BTreeMap<(usize, String), Vec<u64>>,
}

fn bytes_of<T: Plain>(data: &[T]) -> Vec<u8> {
    let mut out = Vec::with_capacity(size_of_val(data));
    for x in data {
        x.write(&mut out);
    }
    out
}

impl Gpu {
    /// An empty device.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A buffer that kernels only read; a write is a fault.
    pub fn input<T: Plain>(&mut self, name: &str, data: &[T]) -> BufferId {
        self.device.add(name, &bytes_of(data), Access::Input)
    }

    /// A buffer with contents that kernels read and write.
    pub fn inout<T: Plain>(&mut self, name: &str, data: &[T]) -> BufferId {
        self.device.add(name, &bytes_of(data), Access::InOut)
    }

    /// A buffer of `len` elements that nobody has written: reading it first is a fault.
    pub fn output<T: Plain>(&mut self, name: &str, len: usize) -> BufferId {
        self.device.add_unwritten(name, len * size_of::<T>())
    }

    /// A `rows` x `width` input whose rows are `stride` elements apart; what lies between is all ones, a NaN.
    ///
    /// # Panics
    /// If `data` is not `rows * width` long or the stride is smaller than the width.
    pub fn input_rows<T: Plain>(
        &mut self,
        name: &str,
        data: &[T],
        width: usize,
        padding: Padding,
    ) -> BufferId {
        assert!(padding.stride >= width, "stride {} of `{name}` is below its width {width}", padding.stride);
        let gap = vec![0xff; (padding.stride - width) * size_of::<T>()];
        let mut bytes = Vec::new();
        for row in data.chunks(width.max(1)) {
            bytes.extend(bytes_of(row));
            bytes.extend_from_slice(&gap);
        }
        self.device.add(name, &bytes, Access::Input)
    }

    /// A `rows` x `width` output that nobody has written, with canaries between its rows and in an extra row after
    /// them; a launch that changes a canary fails.
    pub fn output_rows<T: Plain>(
        &mut self,
        name: &str,
        rows: usize,
        width: usize,
        padding: Padding,
    ) -> BufferId {
        let (size, stride) = (size_of::<T>(), padding.stride.max(width));
        let tail = (stride * size).max(CANARY);
        let buffer = self.device.add_unwritten(name, rows * stride * size + tail);
        let mut ranges: Vec<_> =
            (0..rows).map(|r| (r * stride + width) * size..(r + 1) * stride * size).collect();
        ranges.push(rows * stride * size..rows * stride * size + tail);
        ranges.retain(|r| !r.is_empty());
        for r in &ranges {
            self.device.fill(buffer, r.start, &vec![CANARY_BYTE; r.len()]);
        }
        self.protected.push(Protected { buffer, ranges });
        buffer
    }

    /// Contents of a buffer, with canaries and padding.
    #[must_use]
    pub fn read<T: Plain>(&self, buffer: BufferId) -> Vec<T> {
        self.device.bytes(buffer).chunks_exact(size_of::<T>()).map(T::read).collect()
    }

    /// The `rows` x `width` elements of a padded buffer.
    #[must_use]
    pub fn read_rows<T: Plain>(
        &self,
        buffer: BufferId,
        rows: usize,
        width: usize,
        padding: Padding,
    ) -> Vec<T> {
        let all = self.read::<T>(buffer);
        all.chunks(padding.stride.max(1)).take(rows).flat_map(|r| r[..width].iter().copied()).collect()
    }

    /// Overwrites a buffer from an element on.
    pub fn write<T: Plain>(&mut self, buffer: BufferId, at: usize, data: &[T]) {
        self.device.fill(buffer, at * size_of::<T>(), &bytes_of(data));
    }

    /// First element of a range that no kernel has written, if any.
    #[must_use]
    pub fn first_unwritten<T: Plain>(
        &self,
        buffer: BufferId,
        range: std::ops::Range<usize>,
    ) -> Option<usize> {
        let size = size_of::<T>();
        self.device.first_unwritten(buffer, range.start * size..range.end * size).map(|b| b / size)
    }

    /// Device address of an element, for structs that hold pointers.
    #[must_use]
    pub fn address<T: Plain>(&self, buffer: BufferId, at: usize) -> u64 {
        address(buffer) + (at * size_of::<T>()) as u64
    }

    fn check_canaries(&self) -> Result<()> {
        for p in &self.protected {
            let bytes = self.device.bytes(p.buffer);
            for r in &p.ranges {
                if let Some(i) = bytes[r.clone()].iter().position(|b| *b != CANARY_BYTE) {
                    let buffer = self.device.name(p.buffer).to_string();
                    return Err(Error::Canary { buffer, offset: r.start + i });
                }
            }
        }
        Ok(())
    }
}

/// One kernel argument.
#[derive(Clone, Debug)]
pub enum Arg {
    /// Pointer to the first byte of a buffer.
    Buffer(BufferId),
    /// Pointer into a buffer, in bytes.
    At(BufferId, usize),
    /// A null pointer.
    Null,
    /// An unsigned integer of 32 bits.
    U32(u32),
    /// A signed integer of 32 bits.
    I32(i32),
    /// An unsigned integer of 64 bits.
    U64(u64),
    /// A single-precision number.
    F32(f32),
    /// A struct by value, as the C compiler lays it out.
    Bytes(Vec<u8>),
}

impl Arg {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Buffer(b) => address(*b).to_le_bytes().to_vec(),
            Self::At(b, offset) => (address(*b) + *offset as u64).to_le_bytes().to_vec(),
            Self::Null => vec![0; 8],
            Self::U32(x) => x.to_le_bytes().to_vec(),
            Self::I32(x) => x.to_le_bytes().to_vec(),
            Self::U64(x) => x.to_le_bytes().to_vec(),
            Self::F32(x) => x.to_le_bytes().to_vec(),
            Self::Bytes(b) => b.clone(),
        }
    }
}

/// Builds a struct argument with the natural alignment of C.
#[derive(Clone, Debug, Default)]
pub struct Struct {
    bytes: Vec<u8>,
    align: usize,
}

impl Struct {
    /// An empty struct.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: Vec::new(), align: 1 }
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, value: &Arg) -> Self {
        let bytes = value.bytes();
        // Nested structs carry their own alignment through `align_to`.
        let align = if matches!(value, Arg::Bytes(_)) { 1 } else { bytes.len() };
        self = self.align_to(align);
        self.bytes.extend(bytes);
        self
    }

    /// Pads to a multiple of `align`, which becomes the least alignment of the struct.
    #[must_use]
    pub fn align_to(mut self, align: usize) -> Self {
        self.align = self.align.max(align);
        self.bytes.resize(self.bytes.len().next_multiple_of(align.max(1)), 0);
        self
    }

    /// The finished argument.
    #[must_use]
    pub fn build(mut self) -> Arg {
        self.bytes.resize(self.bytes.len().next_multiple_of(self.align.max(1)), 0);
        Arg::Bytes(self.bytes)
    }
}

/// One launch of one entry.
#[derive(Clone, Debug)]
pub struct Launch<'m> {
    module: &'m ModuleRef,
    entry: String,
    grid: [u32; 3],
    block: [u32; 3],
    shared: usize,
    args: Vec<Arg>,
    detail: bool,
    step_limit: u64,
    workers: Option<usize>,
}

/// What a launch borrows of a module.
type ModuleRef = Module;

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("entries", &self.entries().collect::<Vec<_>>()).finish()
    }
}

impl<'m> Launch<'m> {
    /// A launch of one block with one thread; set the sizes before running it.
    #[must_use]
    pub fn new(module: &'m Module, entry: &str) -> Self {
        Self {
            module,
            entry: entry.to_string(),
            grid: [1; 3],
            block: [1; 3],
            shared: 0,
            args: Vec::new(),
            detail: false,
            step_limit: 200_000_000,
            workers: None,
        }
    }

    /// Blocks along x, y and z.
    #[must_use]
    pub fn grid(mut self, blocks: [u32; 3]) -> Self {
        self.grid = blocks;
        self
    }

    /// Threads of a block along x, y and z.
    #[must_use]
    pub fn block(mut self, threads: [u32; 3]) -> Self {
        self.block = threads;
        self
    }

    /// Bytes of dynamic shared memory.
    #[must_use]
    pub fn shared(mut self, bytes: usize) -> Self {
        self.shared = bytes;
        self
    }

    /// The next argument.
    #[must_use]
    pub fn arg(mut self, a: Arg) -> Self {
        self.args.push(a);
        self
    }

    /// Count bank conflicts and sectors too, which takes longer.
    #[must_use]
    pub fn detail(mut self) -> Self {
        self.detail = true;
        self
    }

    /// Instructions after which a warp counts as stuck.
    #[must_use]
    pub fn step_limit(mut self, steps: u64) -> Self {
        self.step_limit = steps;
        self
    }

    /// CPU threads; all of the machine's by default.
    #[must_use]
    pub fn workers(mut self, threads: usize) -> Self {
        self.workers = Some(threads);
        self
    }

    fn wrong(&self, what: String) -> Error {
        Error::Launch { entry: self.entry.clone(), what }
    }

    fn params(&self, program: &Program) -> Result<Vec<u8>> {
        if self.args.len() != program.params.len() {
            let (n, e) = (self.args.len(), program.params.len());
            return Err(self.wrong(format!("{n} arguments given, expected {e}")));
        }
        let mut params = vec![0; program.param_bytes];
        for (i, (slot, arg)) in program.params.iter().zip(&self.args).enumerate() {
            let bytes = arg.bytes();
            if bytes.len() != slot.bytes {
                let (n, e) = (bytes.len(), slot.bytes);
                return Err(self.wrong(format!(
                    "argument {i} has {n} bytes, expected {e} with alignment {}",
                    slot.align
                )));
            }
            params[slot.offset..slot.offset + slot.bytes].copy_from_slice(&bytes);
        }
        Ok(params)
    }

    fn check(&self, program: &Program, dynamic_base: usize) -> Result<()> {
        let threads = self.block.iter().try_fold(1u32, |p, n| p.checked_mul(*n));
        if !threads.is_some_and(|t| (1..=MAX_THREADS).contains(&t)) {
            return Err(self.wrong(format!("block {:?}, expected 1 to {MAX_THREADS} threads", self.block)));
        }
        if let Some(max) = program.max_threads
            && threads > Some(max.iter().product())
        {
            return Err(self.wrong(format!("block {:?} exceeds the entry's bound {max:?}", self.block)));
        }
        if self.grid.contains(&0) || self.grid[1] > 65535 || self.grid[2] > 65535 {
            return Err(self.wrong(format!("grid {:?} is not allowed", self.grid)));
        }
        if dynamic_base + self.shared > MAX_SHARED {
            let total = dynamic_base + self.shared;
            return Err(
                self.wrong(format!("{total} bytes of shared memory, at most {MAX_SHARED} are allowed"))
            );
        }
        Ok(())
    }

    /// Runs the launch and checks the canaries.
    ///
    /// # Errors
    /// If the arguments do not fit the entry, an instruction is not implemented, the kernel faults or a canary was
    /// overwritten.
    pub fn run(&self, gpu: &mut Gpu) -> Result<Stats> {
        let program = self.module.program(&self.entry)?;
        let params = self.params(&program)?;
        let dynamic_base = program.static_shared.next_multiple_of(program.dynamic_align.max(1));
        self.check(&program, dynamic_base)?;
        let key = (std::ptr::from_ref(self.module).addr(), self.entry.clone());
        let device = &mut gpu.device;
        let global_vars = gpu.globals.entry(key).or_insert_with(|| {
            let add = |v: &crate::isa::GlobalVar| address(device.add(&v.name, &v.bytes, Access::InOut));
            program.globals.iter().map(add).collect()
        });
        gpu.device.start_grid();
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let grid = Grid {
            program: &program,
            device: &gpu.device,
            params,
            grid_dim: self.grid,
            block_dim: self.block,
            dynamic_base,
            dynamic_bytes: self.shared,
            global_vars: global_vars.clone(),
            detail: self.detail,
            step_limit: self.step_limit,
            workers: self.workers.unwrap_or(cpus),
        };
        let counts = run(&grid).map_err(Error::Fault)?;
        gpu.check_canaries()?;
        Ok(Stats::new(&program, &counts))
    }
}
