//! Parameter structs of the kernels. twin: `kernels/common/params.cuh`; a test compares them field by field.
//!
//! Pointers are device addresses, 0 where the kernel takes null. What each field means stands in the twin.

use bytemuck::{Pod, Zeroable};

/// Groups of one launch; a longer step is several launches.
pub(crate) const MAX_GROUPS: usize = 16;
/// Tasks of a head.
pub(crate) const MAX_TASKS: usize = 48;
/// User, user engagement, author.
pub(crate) const NUM_EMBEDDINGS: usize = 3;
/// Binary features as one byte each.
pub(crate) const BINARY_BYTES: u32 = 0;
/// Binary features as bits.
pub(crate) const BINARY_BITS: u32 = 1;
/// Binary features as f32 numbers.
pub(crate) const BINARY_F32: u32 = 2;

macro_rules! twins {
    ($($(#[$note:meta])* struct $name:ident { $($field:ident: $kind:ty,)* })*) => {
        $(
            $(#[$note])*
            #[repr(C)]
            #[derive(Clone, Copy, Debug, Pod, Zeroable)]
            #[allow(missing_docs, reason = "each field is described in the twin")]
            pub(crate) struct $name {
                $(pub(crate) $field: $kind,)*
            }
        )*

        /// Struct, size, and its fields with offset and Rust type.
        #[cfg(test)]
        const TWINS: &[(&str, usize, &[(&str, usize, &str)])] = &[
            $((
                stringify!($name),
                size_of::<$name>(),
                &[$((stringify!($field), std::mem::offset_of!($name, $field), stringify!($kind)),)*],
            ),)*
        ];
    };
}

twins! {
    /// One product of a GEMM launch.
    struct GemmGroup {
        a: u64,
        b: u64,
        scale: u64,
        bias: u64,
        out: u64,
        factor: u64,
        scratch: u64,
        gamma: u64,
        beta: u64,
        terms: u64,
        plain: u64,
        normed: u64,
        center: u64,
        a_stride: u32,
        b_stride: u32,
        out_stride: u32,
        factor_stride: u32,
        k: u32,
        repeat_k: u32,
        n: u32,
        width: u32,
        epsilon: f32,
        first_tile: u32,
    }
    /// A GEMM launch.
    struct GemmParams {
        rows: u64,
        tickets: u64,
        num_groups: u32,
        reserved: u32,
        groups: [GemmGroup; MAX_GROUPS],
    }
    /// One norm of a layer norm launch.
    struct LayerNormGroup {
        input: u64,
        out: u64,
        valid: u64,
        gamma: u64,
        beta: u64,
        input_stride: u32,
        out_stride: u32,
        padded: u32,
        width: u32,
        epsilon: f32,
        reserved: u32,
    }
    /// A layer norm launch.
    struct LayerNormParams {
        rows: u64,
        groups: [LayerNormGroup; MAX_GROUPS],
    }
    /// Columns of one kind of feature.
    struct Columns {
        candidate: u64,
        request: u64,
        map: u64,
        candidate_stride: u32,
        request_stride: u32,
        width: u32,
        reserved: u32,
    }
    /// Norm of an embedding.
    struct EmbeddingNorm {
        gamma: u64,
        beta: u64,
        epsilon: f32,
        reserved: u32,
    }
    /// The featurize launch.
    struct FeaturizeParams {
        continuous: Columns,
        binary: Columns,
        embeddings: [Columns; NUM_EMBEDDINGS],
        embedding_norms: [EmbeddingNorm; NUM_EMBEDDINGS],
        candidate_request: u64,
        scale: u64,
        shift: u64,
        gamma: u64,
        beta: u64,
        x: u64,
        status: u64,
        rows_out: u64,
        order: u64,
        request_rows: u64,
        terms: u64,
        requests_out: u64,
        rows: u32,
        requests: u32,
        request_stride: u32,
        normed: u32,
        plain: u32,
        has_rest: u32,
        binary_kind: u32,
        x_stride: u32,
        x_padded: u32,
        min_value: f32,
        max_value: f32,
        epsilon: f32,
        has_layer_norm: u32,
        reserved: u32,
    }
    /// One task of the head.
    struct HeadTask {
        input: u64,
        weight: u64,
        input_stride: u32,
        padded: u32,
        bias: f32,
        has_relu: u32,
        scale: f32,
        shift: f32,
        ln_ratio: f32,
        score_weight: f32,
    }
    /// The head launch.
    struct HeadParams {
        rows: u64,
        status: u64,
        score: u64,
        logits: u64,
        probabilities: u64,
        calibrated: u64,
        num_tasks: u32,
        uses_uncalibrated: u32,
        tasks: [HeadTask; MAX_TASKS],
    }
    /// A launch that multiplies on registers.
    struct CeilingMultiplyParams {
        sums: u64,
        rounds: u32,
        reserved: u32,
    }
    /// A launch that reads.
    struct CeilingReadParams {
        quads: u64,
        found: u64,
        never: u32,
        reserved: u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = include_str!("../../../kernels/common/params.cuh");

    /// Size and alignment of a C type of the twin.
    fn layout(kind: &str) -> (usize, usize) {
        match kind {
            "uint32_t" | "int32_t" | "float" => (4, 4),
            pointer if pointer.ends_with('*') => (8, 8),
            name => {
                let (_, size, _) = TWINS.iter().find(|(twin, _, _)| *twin == name).expect("a known struct");
                (*size, 8)
            }
        }
    }

    fn constant(name: &str) -> usize {
        let (_, rest) = SOURCE.split_once(&format!("constexpr uint32_t {name} = ")).expect(name);
        rest.split(';').next().and_then(|number| number.parse().ok()).expect(name)
    }

    /// `type name;` or `type name[COUNT];`, without the comment.
    fn field(line: &str) -> Option<(String, String, usize)> {
        let declaration = line.split("//").next()?.trim().strip_suffix(';')?;
        let (kind, name) = declaration.rsplit_once(' ')?;
        let (name, count) = match name.split_once('[') {
            Some((name, count)) => (name, constant(count.trim_end_matches(']'))),
            None => (name, 1),
        };
        Some((kind.to_owned(), name.to_owned(), count))
    }

    #[test]
    fn structs_are_those_of_the_kernels() {
        for (name, size, fields) in TWINS {
            let (_, body) = SOURCE.split_once(&format!("struct {name} {{")).expect(name);
            let body = body.split("};").next().expect("a closing brace");
            let theirs: Vec<_> = body.lines().filter_map(field).collect();
            assert_eq!(theirs.len(), fields.len(), "{name}: number of fields");
            let mut offset = 0;
            for ((kind, their_name, count), (our_name, our_offset, our_kind)) in theirs.iter().zip(*fields) {
                assert_eq!(their_name, our_name, "{name}: order of fields");
                let (bytes, align) = layout(kind);
                offset = usize::next_multiple_of(offset, align);
                assert_eq!(offset, *our_offset, "{name}.{our_name}: offset");
                let expected = match kind.as_str() {
                    "uint32_t" => "u32",
                    "float" => "f32",
                    pointer if pointer.ends_with('*') => "u64",
                    other => other,
                };
                assert!(
                    our_kind.trim_start_matches('[').starts_with(expected),
                    "{name}.{our_name}: {our_kind}"
                );
                offset += bytes * count;
            }
            assert_eq!(offset.next_multiple_of(8), *size, "{name}: size");
        }
        assert_eq!(TWINS.len(), SOURCE.matches("\nstruct ").count(), "every struct has a twin");
    }

    #[test]
    fn constants_are_those_of_the_kernels() {
        assert_eq!(constant("MAX_GROUPS"), MAX_GROUPS);
        assert_eq!(constant("MAX_TASKS"), MAX_TASKS);
        assert_eq!(constant("NUM_EMBEDDINGS"), NUM_EMBEDDINGS);
        assert_eq!(constant("BINARY_BYTES"), BINARY_BYTES as usize);
        assert_eq!(constant("BINARY_BITS"), BINARY_BITS as usize);
        assert_eq!(constant("BINARY_F32"), BINARY_F32 as usize);
        let statuses = [crate::Status::Ok, crate::Status::ZeroVariance, crate::Status::NonFinite];
        for (name, status) in ["STATUS_OK", "STATUS_ZERO_VARIANCE", "STATUS_NON_FINITE"].iter().zip(statuses)
        {
            assert_eq!(constant(name), status as usize);
        }
    }
}
