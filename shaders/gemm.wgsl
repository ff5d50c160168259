// gemm: grouped D = epilogue(A · Wᵀ + bias), one workgroup a tile of D.
//
//   v = scale[column] · Σ_k a[row, k] · w[column, k] + bias[column]
//   d = v  |  max(v, 0)  |  v · multiplier[row, column]        by params.epilogue
//
// Operands   A (num_rows, K) and the multiplier (num_rows, columns): quads of storage type, row-major, lda and
//            ld_multiplier quads a row. W: packed by src/backend/wgpu/pack.rs in panels of PANEL_N columns,
//            (panel, K, PANEL_N), so that a K-step is contiguous. D (num_rows, columns): quads of storage type, or
//            of f32 where D is the scratch matrix of a layer norm.
// Tile       BLOCK_M candidates × BLOCK_N features, K in steps of BLOCK_K. Groups with different operands, K and N
//            share a dispatch: workgroup x is an entry of `tiles`, workgroup y a tile of rows.
// Threads    WG_SIZE = THREADS_M · THREADS_N; an invocation owns THREAD_M rows (THREADS_M apart) × THREAD_Q quads
//            of columns (THREADS_N quads apart), each accumulator a named vec4.
// Rolled     with ROLLED, loads and the steps of a tile's K are loops, not spelled out: the same sums in the same order,
//            in a third of the code, for adapters whose driver compiles on the processor that also runs it
// Barriers   (1) both tiles are filled before they are read   (2) they are read before they are filled again
// Numerics   products and sums in f32 by fma, k ascending whatever the tile: a candidate's bits depend neither on
//            the tile nor on its neighbours. Rows past num_rows are loaded as zeros and never stored. Columns that
//            are padding are stored as zeros, whatever the row holds.
// Limits     K a multiple of BLOCK_K, columns of 4; any num_rows.

// twin: src/backend/wgpu/params.rs
struct Params {
    num_rows: u32,       // candidates of this dispatch
    lda: u32,            // quads between rows of A
    ldd: u32,            // quads between rows of D
    ld_multiplier: u32,  // quads between rows of the multiplier
    epilogue: u32,       // EPILOGUE_*
}

// One entry a column tile of one group. twin: src/backend/wgpu/params.rs
struct Tile {
    weights: u32,            // first quad of the tile's first panel
    depth: u32,              // K, padding included
    a_column: u32,           // first quad of A's row
    d_column: u32,           // first quad of D's row
    multiplier_column: u32,  // first quad of the multiplier's row
    constants: u32,          // first entry of `columns`
    quads: u32,              // quads of D to store, at most BLOCK_N / 4
    unused: u32,             // keeps the stride at 32 bytes
}

// Four columns of D. twin: src/backend/wgpu/params.rs
struct Columns {
    scale: vec4<f32>,  // of a batch norm; 1 where there is none or the weights have it
    bias: vec4<f32>,
    keep: vec4<f32>,   // 1 where a column carries values, 0 where it is padding
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> tiles: array<Tile>;
@group(0) @binding(2) var<storage, read> a: array<Quad>;           // (num_rows, lda)
@group(0) @binding(3) var<storage, read> weights: array<Quad>;     // (panels, K, PANEL_N / 4)
@group(0) @binding(4) var<storage, read> columns: array<Columns>;
@group(0) @binding(5) var<storage, read> multiplier: array<Quad>;  // (num_rows, ld_multiplier)
//# if SCRATCH
@group(0) @binding(6) var<storage, read_write> d: array<vec4<f32>>;  // (num_rows, ldd)
//# else
@group(0) @binding(6) var<storage, read_write> d: array<Quad>;       // (num_rows, ldd)
//# end

const EPILOGUE_RELU = 1u;
const EPILOGUE_MULTIPLY = 2u;

const QUADS_K = BLOCK_K / 4u;
const QUADS_N = BLOCK_N / 4u;
const PANEL_Q = PANEL_N / 4u;

var<workgroup> smem_a: array<vec4<f32>, BLOCK_M * QUADS_K>;  // (BLOCK_M, BLOCK_K / 4)
var<workgroup> smem_w: array<vec4<f32>, BLOCK_K * QUADS_N>;  // (BLOCK_K, BLOCK_N / 4)

//# include shared/quad.wgsl
//# include shared/relu.wgsl

@compute @workgroup_size(WG_SIZE)
fn gemm(@builtin(workgroup_id) block: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let tile = tiles[block.x];
    let first_row = block.y * BLOCK_M;
    let column = thread % THREADS_N;  // [0, THREADS_N), in quads
    let row = thread / THREADS_N;     // [0, THREADS_M)

//# for i in THREAD_M
//# for j in THREAD_Q
    var acc_$i_$j = vec4<f32>();
//# end
//# end

    for (var k = 0u; k < tile.depth; k += BLOCK_K) {
//# if ROLLED
        // From the thread's own number on: a count that is known would be spelled out by the driver.
        for (var quad = thread; quad < BLOCK_M * QUADS_K; quad += WG_SIZE) {
            load_a(tile, first_row, k, quad);
        }
        for (var quad = thread; quad < BLOCK_K * QUADS_N; quad += WG_SIZE) {
            load_w(tile, k, quad);
        }
//# else
//# for i in LOADS_A
        load_a(tile, first_row, k, thread + $iu * WG_SIZE);
//# end
//# for i in LOADS_W
        load_w(tile, k, thread + $iu * WG_SIZE);
//# end
//# end
        workgroupBarrier();  // (1)

//# if ROLLED
        for (var step = 0u; step < BLOCK_K; step++) {
//# for j in THREAD_Q
            let w_$j = smem_w[step * QUADS_N + column + $ju * THREADS_N];
//# end
//# for i in THREAD_M
            let a_$i = smem_a[(row + $iu * THREADS_M) * QUADS_K + step / 4u][step % 4u];
//# for j in THREAD_Q
            acc_$i_$j = fma(vec4<f32>(a_$i), w_$j, acc_$i_$j);
//# end
//# end
        }
//# else
        for (var q = 0u; q < QUADS_K; q++) {
//# for j in THREAD_Q
            let w0_$j = smem_w[(4u * q + 0u) * QUADS_N + column + $ju * THREADS_N];
            let w1_$j = smem_w[(4u * q + 1u) * QUADS_N + column + $ju * THREADS_N];
            let w2_$j = smem_w[(4u * q + 2u) * QUADS_N + column + $ju * THREADS_N];
            let w3_$j = smem_w[(4u * q + 3u) * QUADS_N + column + $ju * THREADS_N];
//# end
//# for i in THREAD_M
            let a_$i = smem_a[(row + $iu * THREADS_M) * QUADS_K + q];
//# for j in THREAD_Q
            acc_$i_$j = fma(vec4<f32>(a_$i.x), w0_$j, acc_$i_$j);
            acc_$i_$j = fma(vec4<f32>(a_$i.y), w1_$j, acc_$i_$j);
            acc_$i_$j = fma(vec4<f32>(a_$i.z), w2_$j, acc_$i_$j);
            acc_$i_$j = fma(vec4<f32>(a_$i.w), w3_$j, acc_$i_$j);
//# end
//# end
        }
//# end
        workgroupBarrier();  // (2)
    }

    // The rows of this invocation that exist: a loop of unknown length, so that its body is compiled once.
    let before = first_row + row;
    var num_stored = 0u;
    if before < params.num_rows {
        num_stored = min(THREAD_M, (params.num_rows - before + THREADS_M - 1u) / THREADS_M);
    }
    for (var i = 0u; i < num_stored; i++) {
//# for j in THREAD_Q
        var sum_$j = acc_0_$j;
//# end
//# for i in THREAD_M
        if i == $iu {
//# for j in THREAD_Q
            sum_$j = acc_$i_$j;
//# end
        }
//# end
//# for j in THREAD_Q
        store(tile, before + i * THREADS_M, column + $ju * THREADS_N, sum_$j);
//# end
    }
}

// One quad of A's tile, quad in [0, BLOCK_M · QUADS_K); zeros past the last candidate.
fn load_a(tile: Tile, first_row: u32, k: u32, quad: u32) {
    let r = first_row + quad / QUADS_K;
    var value = vec4<f32>();
    if r < params.num_rows {
        value = quad_load(a[r * params.lda + tile.a_column + k / 4u + quad % QUADS_K]);
    }
    smem_a[quad] = value;  // (BLOCK_M, QUADS_K)
}

// One quad of W's tile, quad in [0, BLOCK_K · QUADS_N).
fn load_w(tile: Tile, k: u32, quad: u32) {
    let panel = (quad % QUADS_N) / PANEL_Q;
    let at = (panel * tile.depth + k + quad / QUADS_N) * PANEL_Q + quad % PANEL_Q;
    smem_w[quad] = quad_load(weights[tile.weights + at]);  // (BLOCK_K, QUADS_N)
}

// The epilogue of four columns; `quad` counts from the tile's first column.
fn store(tile: Tile, row: u32, quad: u32, sum: vec4<f32>) {
    if quad < tile.quads {
        let constants = columns[tile.constants + quad];
        var value = fma(sum, constants.scale, constants.bias);
        if params.epilogue == EPILOGUE_RELU {
            value = relu(value);
        } else if params.epilogue == EPILOGUE_MULTIPLY {
            value *= quad_load(multiplier[row * params.ld_multiplier + tile.multiplier_column + quad]);
        }
        value = select(vec4<f32>(), value, constants.keep > vec4<f32>());
//# if SCRATCH
        d[row * params.ldd + tile.d_column + quad] = value;
//# else
        d[row * params.ldd + tile.d_column + quad] = quad_store(value);
//# end
    }
}
