//! What orders the accesses of two blocks: release and acquire, fences with atomics; and what does not.

use maskrank_ptx::{Arg, FaultKind, Gpu, Hazard, Launch, Module, Result};

/// Block 0 writes `data` and raises `flag`; block 1 waits for the flag and reads. The words are module variables.
fn message(write: &str, raise: &str, poll: &str, read: &str) -> Module {
    let text = format!(
        ".version 8.0\n.target sm_80\n.address_size 64
.global .align 4 .u32 data;
.global .align 4 .u32 flag;
.visible .entry t(.param .u64 out)
{{ .reg .pred %p<4>; .reg .b32 %r<9>; .reg .b64 %d<4>;
   ld.param.u64 %d0, [out]; mov.u64 %d1, data; mov.u64 %d2, flag; mov.u32 %r1, %ctaid.x;
   setp.ne.u32 %p1, %r1, 0;
   @%p1 bra READER;
   {write}
   {raise}
   ret;
READER:
   {poll}
   setp.eq.u32 %p2, %r2, 0;
   @%p2 bra READER;
   {read}
   st.global.u32 [%d0], %r3;
   ret; }}"
    );
    Module::parse(&text).unwrap()
}

fn run(module: &Module) -> Result<u32> {
    let mut gpu = Gpu::new();
    let out = gpu.output::<u32>("out", 1);
    Launch::new(module, "t").grid([2, 1, 1]).step_limit(50_000_000).arg(Arg::Buffer(out)).run(&mut gpu)?;
    Ok(gpu.read::<u32>(out)[0])
}

const WRITE: &str = "st.global.u32 [%d1], 42;";
const READ: &str = "ld.global.u32 %r3, [%d1];";
const POLL: &str = "ld.acquire.gpu.global.u32 %r2, [%d2];";

#[test]
fn messages_between_blocks() {
    for (raise, poll) in [
        ("st.release.gpu.global.u32 [%d2], 1;", POLL),
        ("fence.acq_rel.gpu; st.relaxed.gpu.global.u32 [%d2], 1;", POLL),
        ("membar.gl; atom.global.exch.b32 %r4, [%d2], 1;", "atom.global.add.u32 %r2, [%d2], 0;"),
        ("membar.sys; red.global.add.u32 [%d2], 1;", "ld.volatile.global.u32 %r2, [%d2]; fence.acq_rel.gpu;"),
        ("red.release.gpu.global.add.u32 [%d2], 1;", POLL),
    ] {
        assert_eq!(
            run(&message(WRITE, raise, poll, READ)).unwrap_or_else(|e| panic!("{raise}: {e}")),
            42,
            "{raise}"
        );
    }
}

#[test]
fn messages_that_nothing_orders() {
    for (raise, poll) in [
        ("st.relaxed.gpu.global.u32 [%d2], 1;", POLL),
        ("atom.global.exch.b32 %r4, [%d2], 1;", POLL),
        ("membar.cta; atom.global.exch.b32 %r4, [%d2], 1;", POLL),
        ("st.release.cta.global.u32 [%d2], 1;", POLL),
        ("st.release.gpu.global.u32 [%d2], 1; st.global.u32 [%d1], 43;", POLL),
        ("st.global.u32 [%d2], 1;", "ld.volatile.global.u32 %r2, [%d2];"),
    ] {
        let e = run(&message(WRITE, raise, poll, READ)).expect_err(raise);
        let kind = &e.fault().unwrap_or_else(|| panic!("{raise}: {e}")).kind;
        let race =
            matches!(kind, FaultKind::Race { hazard: Hazard::ReadAfterWrite | Hazard::WriteAfterRead, .. });
        assert!(race, "{raise}: {e}");
    }
}
