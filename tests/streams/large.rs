//! Data larger than memory: the process may not have as much as the file is long.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::world::{World, text};

/// Bytes of private memory that the process gets, and of records that it scores.
const LIMIT_KIB: usize = 96 << 10;
const DATA_BYTES: usize = 160 << 20;
/// Too little for anything: shows that the limit is kept.
const TINY_KIB: usize = 2 << 10;

/// A command of the binary with a limit on its private writable memory, heap and stacks of all threads.
fn limited(command: &Command, kib: usize) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -d \"$0\" && exec \"$@\"", &kib.to_string()]);
    shell.arg(command.get_program()).args(command.get_args()).stdout(Stdio::null());
    // Where memory is refused, a backtrace would ask for more of it.
    shell.env("RUST_BACKTRACE", "0");
    shell
}

#[test]
fn a_file_larger_than_memory_is_scored() {
    let mut world = World::new(3000);
    // Files of records may be joined: one long file of the first one's records, over and over.
    let piece = std::fs::read(&world.files[0]).expect("read");
    let path = world.path("long.tfrecord");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).expect("created"));
    let copies = DATA_BYTES.div_ceil(piece.len());
    (0..copies).for_each(|_| file.write_all(&piece).expect("written"));
    file.flush().expect("written");
    assert!(piece.len() * copies > LIMIT_KIB << 10, "the file is larger than the limit");
    world.files = vec![path.to_string_lossy().into_owned()];

    // The whole requests' best only: the output stays small, the input does not.
    for name in ["long.csv", "long.parquet"] {
        let command = world.score(name, &["--top", "1", "--batch", "1500"]);
        let output = limited(&command, LIMIT_KIB).output().expect("a shell");
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        let scored = format!("{} candidates scored", 3000 * copies);
        assert!(text(&output.stderr).contains(&scored), "{name}: {}", text(&output.stderr));
    }
    // A line a request of 9, the last of 3000 records' being shorter, and a header.
    let lines = std::fs::read_to_string(world.path("long.csv")).expect("written").lines().count();
    assert_eq!(lines, copies * 3000_usize.div_ceil(9) + 1);

    let command = world.score("tiny.csv", &[]);
    assert!(!limited(&command, TINY_KIB).output().expect("a shell").status.success(), "the limit is kept");
}
