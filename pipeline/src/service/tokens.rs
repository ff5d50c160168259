//! Bearer tokens: who a request comes from.
//!
//! A token is a sealed viewer and expiry: nothing is stored for it, and only who has the key can make one. The one way to
//! take all tokens back is to remove the key's file and start again.

use std::time::Duration;

use axum::http::{HeaderMap, header};

use super::problem::Problem;
use crate::domain::{Millis, UserId};
use crate::sealed::Key;

/// What the seal is for: a token is no cursor, and no cursor is a token.
const CONTEXT: &str = "bearer token";

/// Makes and reads tokens.
#[derive(Clone, Debug)]
pub struct Tokens {
    key: Key,
}

impl Tokens {
    /// Tokens under a key.
    pub fn new(key: Key) -> Self {
        Self { key }
    }

    /// A token for a viewer that holds from `now` for `lifetime`.
    pub fn mint(&self, viewer: UserId, now: Millis, lifetime: Duration) -> String {
        let mut payload = [0; 16];
        payload[..8].copy_from_slice(&viewer.0.to_be_bytes());
        payload[8..].copy_from_slice(&(now + lifetime).0.to_be_bytes());
        self.key.seal(CONTEXT, &payload)
    }

    /// The viewer that a token names.
    ///
    /// # Errors
    /// It is not one of ours, or has expired.
    pub fn read(&self, token: &str, now: Millis) -> Result<UserId, Problem> {
        let foreign = || Problem::unauthorized("the token was not made by this service");
        let payload = self.key.open(CONTEXT, token).map_err(|_| foreign())?;
        let payload = <[u8; 16]>::try_from(payload.as_slice()).map_err(|_| foreign())?;
        let (mut viewer, mut until) = ([0; 8], [0; 8]);
        viewer.copy_from_slice(&payload[..8]);
        until.copy_from_slice(&payload[8..]);
        if now.0 >= i64::from_be_bytes(until) {
            return Err(Problem::unauthorized("the token has expired"));
        }
        Ok(UserId(u64::from_be_bytes(viewer)))
    }

    /// The viewer whose token a request carries.
    ///
    /// # Errors
    /// It carries none, more than one, or one that does not hold.
    pub fn of_request(&self, headers: &HeaderMap, now: Millis) -> Result<UserId, Problem> {
        let mut fields = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else {
            return Err(Problem::unauthorized("expected one header field authorization: Bearer TOKEN"));
        };
        let parts = field.to_str().ok().and_then(|text| text.split_once(' '));
        let token = parts.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token);
        let token =
            token.ok_or_else(|| Problem::unauthorized("expected the form authorization: Bearer TOKEN"))?;
        self.read(token.trim(), now)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const NOW: Millis = Millis(1_700_000_000_000);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn tokens() -> Tokens {
        Tokens::new(Key::new([1; 32]))
    }

    #[test]
    fn a_token_names_its_viewer_until_it_expires() {
        let token = tokens().mint(UserId(u64::MAX), NOW, DAY);
        assert_eq!(tokens().read(&token, NOW), Ok(UserId(u64::MAX)));
        assert_eq!(tokens().read(&token, NOW - DAY), Ok(UserId(u64::MAX)), "a clock that was set back");
        let last = Millis((NOW + DAY).0 - 1);
        assert!(tokens().read(&token, last).is_ok());
        assert!(tokens().read(&token, NOW + DAY).is_err());
    }

    #[test]
    fn anything_else_is_refused() {
        let good = tokens().mint(UserId(7), NOW, DAY);
        let foreign = Tokens::new(Key::new([2; 32])).mint(UserId(7), NOW, DAY);
        let cursor = Key::new([1; 32]).seal("cursor", &[0; 16]);
        let short = Key::new([1; 32]).seal(CONTEXT, &[0; 15]);
        for token in ["", "x", &good[1..], &good[..good.len() - 1], &foreign, &cursor, &short] {
            assert!(tokens().read(token, NOW).is_err(), "{token}");
        }
    }

    #[test]
    fn a_request_carries_exactly_one() {
        let token = tokens().mint(UserId(7), NOW, DAY);
        let value = |text: String| HeaderValue::from_str(&text).expect("printable");
        let ask = |fields: &[HeaderValue]| {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(header::AUTHORIZATION, field.clone());
            }
            tokens().of_request(&headers, NOW)
        };
        let good = value(format!("Bearer {token}"));
        assert_eq!(ask(std::slice::from_ref(&good)), Ok(UserId(7)));
        assert_eq!(ask(&[value(format!("bearer {token}"))]), Ok(UserId(7)));
        for fields in [
            vec![],
            vec![good.clone(), good.clone()],
            vec![value(token.clone())],
            vec![value(format!("Basic {token}"))],
            vec![HeaderValue::from_bytes(b"Bearer \xFF").expect("opaque bytes are taken")],
        ] {
            assert!(ask(&fields).is_err(), "{fields:?}");
        }
    }
}
