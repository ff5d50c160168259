//! Small payloads that go out to clients and must come back unchanged: cursors, feedback actions, bearer tokens.
//!
//! A sealed payload is `version ‖ tag ‖ payload` in URL-safe base64, where the tag is HMAC-SHA-256 over the version, the
//! context's length, the context and the payload. The context says what the payload is for: a cursor's text is no token,
//! one viewer's cursor is none of another's. Sealing authenticates; it hides nothing that base64 does not hide.

use std::fmt;
use std::io::Write;
use std::path::Path;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Version of the layout, the first byte.
const VERSION: u8 = 1;
/// Length of the tag: 128 bits, which nobody guesses online.
const TAG_BYTES: usize = 16;
/// Length of a key.
const KEY_BYTES: usize = 32;
/// Longest text that is looked at: far above any sealed payload, so that a hostile one costs nothing.
const MAX_TEXT: usize = 2_048;

/// Why a text was not opened. It says no more than that: what exactly is wrong helps only a forger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Not the text of any sealed payload: too long, too short, no base64, or of a version that is not known.
    #[error("not a sealed payload")]
    Malformed,
    /// Sealed with another key, for another context, or changed since.
    #[error("not sealed here, or not for this")]
    Forged,
}

/// A secret key that seals and opens.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// The key of these secret bytes.
    pub fn new(secret: [u8; KEY_BYTES]) -> Self {
        // A key of 32 bytes is within the block of SHA-256: this constructor takes it as it is and cannot fail.
        let mut block = hmac::digest::generic_array::GenericArray::default();
        block[..KEY_BYTES].copy_from_slice(&secret);
        Self(<Hmac<Sha256> as hmac::digest::KeyInit>::new(&block))
    }

    /// A key of the system's random bytes.
    ///
    /// # Errors
    /// The system has none.
    pub fn random() -> std::io::Result<Self> {
        random_secret().map(Self::new)
    }

    /// The key in a file, which is made with random bytes, readable by its owner alone, when it is not there.
    ///
    /// # Errors
    /// The file cannot be read or written, or does not hold a key.
    pub fn open_or_create(path: &Path) -> std::io::Result<Self> {
        match std::fs::read(path) {
            Ok(bytes) => Self::from_file(path, &bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::create(path),
            Err(error) => Err(error),
        }
    }

    fn from_file(path: &Path, bytes: &[u8]) -> std::io::Result<Self> {
        let secret = <[u8; KEY_BYTES]>::try_from(bytes).map_err(|_| {
            let problem = format!("{}: {} bytes, expected a key of {KEY_BYTES}", path.display(), bytes.len());
            std::io::Error::new(std::io::ErrorKind::InvalidData, problem)
        })?;
        Ok(Self::new(secret))
    }

    fn create(path: &Path) -> std::io::Result<Self> {
        let secret = random_secret()?;
        // Written whole beside its place and linked in: of two processes that make it at once, both use the first one's.
        let draft = path.with_extension(format!("draft-{}", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&draft)?;
        file.write_all(&secret)?;
        file.sync_all()?;
        let linked = std::fs::hard_link(&draft, path);
        std::fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
            _ => Self::from_file(path, &std::fs::read(path)?),
        }
    }

    fn mac(&self, context: &str, payload: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(&[VERSION]);
        // With the length before it, no context and payload can be taken for another pair.
        mac.update(&(context.len() as u64).to_be_bytes());
        mac.update(context.as_bytes());
        mac.update(payload);
        mac
    }

    /// Seals a payload for a context.
    pub fn seal(&self, context: &str, payload: &[u8]) -> String {
        let tag = self.mac(context, payload).finalize().into_bytes();
        let mut bytes = Vec::with_capacity(1 + TAG_BYTES + payload.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&tag[..TAG_BYTES]);
        bytes.extend_from_slice(payload);
        base64::encode(&bytes)
    }

    /// Opens what was sealed with this key for this context.
    ///
    /// # Errors
    /// The text is anything else.
    pub fn open(&self, context: &str, text: &str) -> Result<Vec<u8>, SealError> {
        if text.len() > MAX_TEXT {
            return Err(SealError::Malformed);
        }
        let bytes = base64::decode(text).ok_or(SealError::Malformed)?;
        let [VERSION, rest @ ..] = bytes.as_slice() else { return Err(SealError::Malformed) };
        let (tag, payload) = rest.split_at_checked(TAG_BYTES).ok_or(SealError::Malformed)?;
        // Compared in constant time.
        self.mac(context, payload).verify_truncated_left(tag).map_err(|_| SealError::Forged)?;
        Ok(payload.to_vec())
    }
}

fn random_secret() -> std::io::Result<[u8; KEY_BYTES]> {
    let mut secret = [0; KEY_BYTES];
    getrandom::fill(&mut secret).map_err(std::io::Error::other)?;
    Ok(secret)
}

/// URL-safe base64 without padding; every text decodes to one byte string only, so that no two texts are one payload.
mod base64 {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    pub(super) fn encode(bytes: &[u8]) -> String {
        let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
        for chunk in bytes.chunks(3) {
            let mut word = [0; 4];
            word[1..=chunk.len()].copy_from_slice(chunk);
            let bits = u32::from_be_bytes(word);
            for place in 0..=chunk.len() {
                let digit = (bits >> (18 - 6 * place)) & 63;
                text.push(char::from(ALPHABET[digit as usize]));
            }
        }
        text
    }

    pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
        for chunk in text.as_bytes().chunks(4) {
            let mut bits = 0_u32;
            for (place, &letter) in chunk.iter().enumerate() {
                let digit = match letter {
                    b'A'..=b'Z' => letter - b'A',
                    b'a'..=b'z' => letter - b'a' + 26,
                    b'0'..=b'9' => letter - b'0' + 52,
                    b'-' => 62,
                    b'_' => 63,
                    _ => return None,
                };
                bits |= u32::from(digit) << (18 - 6 * place);
            }
            let whole = bits.to_be_bytes();
            // One letter alone holds no byte; bits beyond the last byte must be zero.
            let count = chunk.len().checked_sub(1).filter(|&count| count > 0)?;
            if whole[1 + count..].iter().any(|&byte| byte != 0) {
                return None;
            }
            bytes.extend_from_slice(&whole[1..=count]);
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new([7; KEY_BYTES])
    }

    #[test]
    fn what_is_sealed_opens_for_its_context_and_key_only() {
        for payload in [&b""[..], b"a", b"ab", b"abc", &[0xFF; 300]] {
            let text = key().seal("cursor", payload);
            assert!(text.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"-_".contains(&letter)));
            assert_eq!(key().open("cursor", &text).as_deref(), Ok(payload));
            assert_eq!(key().open("token", &text), Err(SealError::Forged));
            assert_eq!(Key::new([8; KEY_BYTES]).open("cursor", &text), Err(SealError::Forged));
        }
        let moved = key().seal("cursorx", b"y");
        assert_eq!(key().open("cursor", &moved), Err(SealError::Forged), "the context's end is sealed");
    }

    #[test]
    fn every_changed_cut_or_grown_text_is_refused() {
        let text = key().seal("cursor", b"some payload");
        for place in 0..text.len() {
            for letter in ['A', 'B', '_', '9', '=', '+', ' ', 'é'] {
                let mut forged: String = text.chars().take(place).collect();
                forged.push(letter);
                forged.extend(text.chars().skip(place + 1));
                assert!(forged == text || key().open("cursor", &forged).is_err(), "{forged}");
            }
            assert!(key().open("cursor", &text[..place]).is_err(), "cut at {place}");
        }
        for grown in [format!("{text}A"), format!("{text}AAAA"), format!("{text}="), "A".repeat(1 << 20)] {
            assert!(key().open("cursor", &grown).is_err());
        }
    }

    #[test]
    fn a_key_file_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let text = Key::open_or_create(&path).expect("made").seal("token", b"1");
        assert_eq!(Key::open_or_create(&path).expect("read").open("token", &text).as_deref(), Ok(&b"1"[..]));
        std::fs::write(&path, b"short").expect("written");
        assert!(Key::open_or_create(&path).is_err(), "no key is made over what is there");
    }

    #[test]
    fn the_tag_is_hmac_sha_256() {
        // Computed by the other constructor, which takes keys of any length.
        let mut mac =
            <Hmac<Sha256> as hmac::Mac>::new_from_slice(&[7; KEY_BYTES]).expect("any length is taken");
        mac.update(&[VERSION]);
        mac.update(&6_u64.to_be_bytes());
        mac.update(b"cursorpayload");
        let tag = mac.finalize().into_bytes();
        let bytes = base64::decode(&key().seal("cursor", b"payload")).expect("base64");
        assert_eq!(bytes[1..=TAG_BYTES], tag[..TAG_BYTES]);
    }
}
