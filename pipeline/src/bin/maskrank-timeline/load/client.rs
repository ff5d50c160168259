//! Asks for timelines over connections that are kept and used again.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;

type Sender = SendRequest<Empty<Bytes>>;
type Error = Box<dyn std::error::Error + Send + Sync>;

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reply {
    /// With a timeline that is whole.
    Answered,
    /// With a timeline that lacks what a component that failed would have given.
    Partial,
    /// With a timeline that the model did not rank.
    Fallback,
    /// It was sent away: 429 or 503.
    Shed,
    /// Anything else.
    #[default]
    Failed,
}

/// What an answer says about itself.
#[derive(Deserialize)]
struct Flags {
    #[serde(default)]
    is_fallback: bool,
    #[serde(default)]
    missing: Vec<IgnoredAny>,
}

impl Flags {
    /// What the body of an answer is; one that does not read has failed.
    fn of(body: &[u8]) -> Reply {
        match serde_json::from_slice(body) {
            Ok(Self { is_fallback: true, .. }) => Reply::Fallback,
            Ok(Self { missing, .. }) if !missing.is_empty() => Reply::Partial,
            Ok(_) => Reply::Answered,
            Err(error) => {
                tracing::warn!(%error, "an answer does not read");
                Reply::Failed
            }
        }
    }
}

/// Asks one service for one timeline.
pub(super) struct Client {
    address: String,
    host: String,
    path: String,
    patience: Duration,
    /// Connections between requests, the last used on top.
    idle: Mutex<Vec<Sender>>,
}

impl Client {
    pub(super) fn new(url: &str, timeline: &str, patience: Duration) -> Result<Self, Error> {
        let uri: Uri = url.parse()?;
        let plain = uri.scheme_str() == Some("http");
        let authority = uri.authority().filter(|_| plain).ok_or("expected a URL that begins with http://")?;
        let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        let path = format!("/v1/timelines/{timeline}");
        path.parse::<Uri>()?;
        Ok(Self { address, host: authority.to_string(), path, patience, idle: Mutex::default() })
    }

    /// Asks once. An answer counts when it arrived whole, which was at the moment that is told beside.
    pub(super) async fn ask(&self, token: &str) -> (Reply, Instant) {
        let outcome = tokio::time::timeout(self.patience, self.exchange(&self.path, token)).await;
        let arrived = Instant::now();
        (Self::reply(outcome), arrived)
    }

    fn reply(outcome: Result<Result<(StatusCode, Bytes), Error>, Elapsed>) -> Reply {
        match outcome {
            Ok(Ok((status, body))) if status.is_success() => Flags::of(&body),
            Ok(Ok((StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, _))) => Reply::Shed,
            Ok(Ok((status, _))) => {
                tracing::warn!(%status, "a request failed");
                Reply::Failed
            }
            Ok(Err(error)) => {
                tracing::warn!(error, "a request failed");
                Reply::Failed
            }
            Err(_) => Reply::Failed,
        }
    }

    /// Whether a token's account may read: withdrawn accounts are refused, and would be counted as failures.
    pub(super) async fn may_read(&self, token: &str) -> Result<bool, Error> {
        let (status, _) = tokio::time::timeout(self.patience, self.exchange("/v1/viewer", token)).await??;
        Ok(status != StatusCode::FORBIDDEN)
    }

    async fn exchange(&self, path: &str, token: &str) -> Result<(StatusCode, Bytes), Error> {
        let mut sender = match self.take_idle() {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let request = Request::get(path)
            .header(header::HOST, &self.host)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Empty::new())?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        Ok((status, body))
    }

    fn take_idle(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(sender) = idle.pop() {
            if sender.is_ready() {
                return Some(sender);
            }
        }
        None
    }

    async fn connect(&self) -> Result<Sender, Error> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move { _ = connection.await });
        Ok(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_what_it_says_of_itself_and_not_what_its_posts_say() {
        for (body, expected) in [
            (r#"{"id":"t","instructions":[]}"#, Reply::Answered),
            (r#"{"id":"t","is_fallback":false,"missing":[]}"#, Reply::Answered),
            (
                r#"{"id":"\"is_fallback\":true","instructions":[{"missing":["x"],"is_fallback":true}]}"#,
                Reply::Answered,
            ),
            (r#"{"id":"t","missing":["similar"]}"#, Reply::Partial),
            (r#"{"id":"t","is_fallback":true}"#, Reply::Fallback),
            (r#"{"is_fallback":true,"missing":["model"]}"#, Reply::Fallback),
            (r#"{"id":"t","#, Reply::Failed),
            ("", Reply::Failed),
        ] {
            assert_eq!(Flags::of(body.as_bytes()), expected, "{body}");
        }
    }
}
