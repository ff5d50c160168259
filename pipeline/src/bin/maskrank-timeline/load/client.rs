//! Asks for timelines over connections that are kept and used again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

type Sender = SendRequest<Empty<Bytes>>;
type Error = Box<dyn std::error::Error + Send + Sync>;

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reply {
    /// With a timeline.
    Answered,
    /// It was sent away: 429 or 503.
    Shed,
    /// Anything else.
    #[default]
    Failed,
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

    /// Asks once. An answer counts when it arrived whole.
    pub(super) async fn ask(&self, token: &str) -> Reply {
        match tokio::time::timeout(self.patience, self.exchange(&self.path, token)).await {
            Ok(Ok(status)) if status.is_success() => Reply::Answered,
            Ok(Ok(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)) => Reply::Shed,
            Ok(Ok(status)) => {
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
        let status = tokio::time::timeout(self.patience, self.exchange("/v1/viewer", token)).await??;
        Ok(status != StatusCode::FORBIDDEN)
    }

    async fn exchange(&self, path: &str, token: &str) -> Result<StatusCode, Error> {
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
        response.into_body().collect().await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        Ok(status)
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
