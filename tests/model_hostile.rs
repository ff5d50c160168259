//! Files that someone made to harm: memory stays within a bound that the file's own size sets. One test: the allocator
//! counts for the whole process.

use maskrank::ScoreWeights;
use maskrank::config::{Case, ModelConfig};
use maskrank::weights::Weights;

mod common;

use common::allocator::{Counting, peak};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What a parser's own events and indexes may take for each byte of a text, and what its tree may take at most: the
/// reader counts 200,000 nodes and 16 MiB of text.
const BYTES_A_BYTE: usize = 256;
const TREE: usize = 64 * MIB;

/// A weights file of this header, without data.
fn file(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
}

#[test]
fn memory_is_bounded_by_the_size_of_the_file() {
    let mut laughs = String::from("model: {x0: &x0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]");
    for level in 1..12 {
        let last = format!("*x{}, ", level - 1).repeat(9);
        laughs.push_str(&format!(", x{level}: &x{level} [{last}]"));
    }
    laughs.push('}');
    let texts = [
        laughs,
        format!("model: {{a: &a [{}], b: [{}]}}", "1,".repeat(100_000), "*a,".repeat(100_000)),
        format!("model: {{a: &a {}, b: [{}]}}", "x".repeat(300_000), "*a,".repeat(100_000)),
        format!("model: {{a: &a {{{}}}, b: [{}]}}", keys(30_000), "{<<: *a},".repeat(4_000)),
        format!("model:\n{}", "- ".repeat(400_000)),
        format!("model: [{}]", "1,".repeat(400_000)),
        format!("{{\"shapes\": {{\"continuous\": [{}]}}}}", "1,".repeat(400_000)),
    ];
    for text in &texts {
        let bound = BYTES_A_BYTE * text.len() + TREE;
        let ((), used) = peak(|| assert!(ModelConfig::from_yaml(text, "t").is_err()));
        println!("configuration of {} bytes: peak {used}", text.len());
        assert!(used <= bound, "{}: {used} bytes > bound {bound}", &text[..40]);
        let ((), used) = peak(|| assert!(ScoreWeights::from_text(text, "t").is_err()));
        assert!(used <= bound, "{}: {used} bytes > bound {bound}", &text[..40]);
        let ((), used) = peak(|| assert!(Case::from_json(text, "t".as_ref()).is_err()));
        assert!(used <= bound, "{}: {used} bytes > bound {bound}", &text[..40]);
    }

    let headers = [
        file(&format!("{{\"t\":{{\"dtype\":\"F32\",\"shape\":[{}1]}}}}", "1,".repeat(500_000))),
        file(&format!(
            "{{{}\"t\":0}}",
            "\"\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},".repeat(20_000)
        )),
        file(&format!("{{\"__metadata__\":[{}1],\"t\":0}}", "1,".repeat(500_000))),
        file(&"{\"a\":".repeat(200_000)),
        [&u64::MAX.to_le_bytes()[..], &[b'{'; 100]].concat(),
        [&99_999_999_u64.to_le_bytes()[..], &[b'{'; 100]].concat(),
        file(r#"{"t":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}"#),
    ];
    for bytes in headers {
        // A shape's `1,` becomes 8 bytes in a vector that doubles; an entry is smaller than its text.
        let bound = 16 * bytes.len() + 64 * KIB;
        let size = bytes.len();
        let ((), used) = peak(|| assert!(Weights::from_bytes("w", bytes).is_err()));
        println!("weights of {size} bytes: peak {used}");
        assert!(used <= bound, "{size} bytes: {used} bytes > bound {bound}");
    }
}

fn keys(count: usize) -> String {
    (0..count).map(|index| format!("k{index}: 1, ")).collect()
}
