//! An allocator that counts, for the whole process: a test crate that measures with it declares it as its
//! `#[global_allocator]` and lets one test run at a time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, counting bytes that are live and blocks that were asked for.
pub struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static BLOCKS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OWN_BLOCKS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged; only counters are touched besides.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BLOCKS.fetch_add(1, Ordering::Relaxed);
        // A thread that ends allocates after its own values are gone.
        let _ = OWN_BLOCKS.try_with(|own| own.set(own.get() + 1));
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller's promise about `layout` is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `pointer` came from `alloc` above, hence from `System`, with the same `layout`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What `run` returns, and the most memory that was live at once during it, beyond what was before.
pub fn peak<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let value = run();
    (value, PEAK.load(Ordering::Relaxed).saturating_sub(before))
}

/// What `run` returns, and how many blocks were asked for during it, by all threads; the harness's own, which reports the
/// test before, may be among them.
pub fn blocks<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = BLOCKS.load(Ordering::Relaxed);
    let value = run();
    (value, BLOCKS.load(Ordering::Relaxed) - before)
}

/// What `run` returns, and how many blocks were asked for during it by this thread alone.
pub fn own_blocks<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = OWN_BLOCKS.get();
    let value = run();
    (value, OWN_BLOCKS.get() - before)
}
