//! A stream that a thread of its own reads, and decompresses, a few pieces before they are asked for: so reading a file
//! and decoding its records overlap.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Pieces that are read, or being read, while one is consumed.
const PIECES: usize = 3;
const PIECE_BYTES: usize = 256 << 10;

/// The consumer's end. Dropping it ends the thread at its next piece.
pub(super) struct Ahead {
    full: Receiver<io::Result<Vec<u8>>>,
    empty: SyncSender<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Ahead {
    /// Starts to read.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(super) fn start(stream: impl Read + Send + 'static) -> io::Result<Self> {
        let (full_out, full) = sync_channel(PIECES);
        let (empty, empty_in) = sync_channel(PIECES + 1);
        for _ in 0..=PIECES {
            // There is room for all of them.
            let _ = empty.send(Vec::new());
        }
        let run = move || read(stream, &empty_in, &full_out);
        std::thread::Builder::new().name("read ahead".into()).spawn(run)?;
        Ok(Self { full, empty, piece: Vec::new(), at: 0 })
    }
}

/// Reads until the end, an error, or until nobody listens. A piece is what one read gives: from a pipe, what there is.
fn read(mut stream: impl Read, empty: &Receiver<Vec<u8>>, full: &SyncSender<io::Result<Vec<u8>>>) {
    while let Ok(mut piece) = empty.recv() {
        piece.resize(PIECE_BYTES, 0);
        let read = loop {
            match stream.read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let is_last = !matches!(read, Ok(1..));
        let next = read.map(|count| {
            piece.truncate(count);
            piece
        });
        if full.send(next).is_err() || is_last {
            return;
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() && !into.is_empty() {
            match self.full.recv() {
                Ok(next) => {
                    let spent = std::mem::replace(&mut self.piece, next?);
                    self.at = 0;
                    // The thread is gone once it has read everything.
                    let _ = self.empty.send(spent);
                }
                // The thread has ended, after an empty piece or an error.
                Err(_) => return Ok(0),
            }
        }
        let count = into.len().min(self.piece.len() - self.at);
        into[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives bytes in uneven pieces, then ends or fails.
    struct Uneven {
        left: usize,
        turn: usize,
        fails: bool,
    }

    impl Read for Uneven {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.turn += 1;
            if self.left == 0 && self.fails {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "planned"));
            }
            if self.turn.is_multiple_of(5) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let count = into.len().min(self.left).min(1 + self.turn * 7919 % 70_000);
            into[..count].iter_mut().zip((0..self.left).rev()).for_each(|(byte, n)| *byte = (n % 251) as u8);
            self.left -= count;
            Ok(count)
        }
    }

    #[test]
    fn every_byte_comes_once_and_in_order_and_errors_come_after_them() {
        for bytes in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 9 * PIECE_BYTES + 7] {
            for fails in [false, true] {
                let mut ahead = Ahead::start(Uneven { left: bytes, turn: 0, fails }).expect("a thread");
                let mut found = Vec::new();
                let result = ahead.read_to_end(&mut found);
                let expected: Vec<u8> = (0..bytes).rev().map(|n| (n % 251) as u8).collect();
                assert!(found == expected, "{bytes} bytes, fails {fails}: {} bytes", found.len());
                let kind = result.err().map(|error| error.kind());
                assert_eq!(kind, fails.then_some(io::ErrorKind::InvalidData), "{bytes} bytes");
            }
        }
    }

    #[test]
    fn a_reader_that_goes_away_ends_the_thread() {
        struct Endless(#[expect(dead_code, reason = "its drop is what counts")] SyncSender<()>);
        impl Read for Endless {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                into.fill(1);
                Ok(into.len())
            }
        }
        let (alive, dead) = sync_channel(1);
        let mut ahead = Ahead::start(Endless(alive)).expect("a thread");
        assert_eq!(ahead.read(&mut [0; 10]).expect("bytes"), 10);
        drop(ahead);
        // Ends when the thread drops its stream.
        assert!(dead.recv().is_err());
    }
}
